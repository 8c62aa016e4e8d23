"""Listens to a model while it answers, so that an answer which goes over the budget is cut.

A provider bills what it has said, heard to the end or not, and tells the bill with the last word.
So an answer is asked for as a stream, its length is estimated on the way (about four characters
make a token), and one that breaks off, wherever and by whomever, is paid for by that estimate.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from bot.agents.dependency import Breakers, told
from bot.agents.gateway_stream import tokens_of
from bot.agents.llm_trouble import trouble_of


class Listener(Protocol):
    """Who pays."""

    def heard(self, so_far: RequestUsage) -> None:
        """What the answer under way has used so far. Raises what ends it."""
        ...

    def broken_off(self, used: RequestUsage) -> None:
        """An answer ended in the middle, having used this."""
        ...


class Streamed(WrapperModel):
    """A model whose whole answers are heard piece by piece."""

    def __init__(self, wrapped: Model, listener: Listener, name: str, breakers: Breakers) -> None:
        """`name` is its provider's."""
        super().__init__(wrapped)
        self._listener = listener
        self._name = name
        self._breakers = breakers
        self._well = False  #: its breaker let this run through, and it has not failed since

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """As the wrapped model's, for StepErrors of its provider; Parked while that is left alone.

        Raises what the listener raises, too.
        """
        if not self._well:
            await self._breakers.admit(self._name)
        self._well = False
        async with told(self._name, self._breakers):
            try:
                response = await self._heard(messages, model_settings, model_request_parameters)
            except ModelAPIError as problem:
                if (error := trouble_of(problem)) is None:
                    raise
                raise error from problem
        self._well = True
        return response

    async def _heard(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        asked = _asked(messages)
        async with self.wrapped.request_stream(
            messages, model_settings, model_request_parameters
        ) as stream:
            answer = _Answer(stream, asked)
            try:
                async for event in stream:
                    answer.more(event)
                    self._listener.heard(answer.used())
            except BaseException:
                self._listener.broken_off(answer.used())
                raise
            return answer.whole()


class _Answer:
    """One answer, as far as it is said."""

    def __init__(self, stream: StreamedResponse, asked: int) -> None:
        self._stream = stream
        self._asked = asked  #: tokens of the request, estimated
        self._letters = 0

    def more(self, event: ModelResponseStreamEvent) -> None:
        self._letters += _letters(event)

    def used(self) -> RequestUsage:
        """By the provider's word where it has said more than the estimate, with its price."""
        said = self._stream.usage
        usage = replace(
            said,
            input_tokens=said.input_tokens or self._asked,
            output_tokens=max(said.output_tokens, tokens_of(self._letters)),
            unmeasured_requests=0,
        )
        return replace(usage, cost=self._price(usage))

    def whole(self) -> ModelResponse:
        """The answer; one whose provider tells no bill has the estimate instead."""
        response = self._stream.get()
        told = response.usage.input_tokens or response.usage.output_tokens
        return response if told else replace(response, usage=self.used())

    def _price(self, usage: RequestUsage) -> Decimal | None:
        """None where nobody knows it."""
        stream = self._stream
        billed = ModelResponse(
            parts=[],
            usage=usage,
            model_name=stream.model_name,
            provider_name=stream.provider_name,
            provider_url=stream.provider_url,
        )
        try:
            return billed.cost().total_price
        except (LookupError, ValueError):
            return None


def _asked(messages: Sequence[ModelMessage]) -> int:
    """Tokens of a request, estimated: by the provider's word up to its last answer."""
    for at in range(len(messages), 0, -1):
        match messages[at - 1]:
            case ModelResponse(usage=usage) if usage.input_tokens:
                return usage.total_tokens + _tokens_in(messages[at:])
    return _tokens_in(messages)


def _tokens_in(messages: Sequence[ModelMessage]) -> int:
    return tokens_of(len(ModelMessagesTypeAdapter.dump_json(list(messages))))


def _letters(event: ModelResponseStreamEvent) -> int:
    """How much an event adds to the answer."""
    match event:
        case PartStartEvent(part=TextPart(content=text) | ThinkingPart(content=text)):
            return len(text)
        case PartStartEvent(part=ToolCallPart(args=arguments)):
            return len(arguments) if isinstance(arguments, str) else 0
        case PartDeltaEvent(
            delta=TextPartDelta(content_delta=piece)
            | ThinkingPartDelta(content_delta=piece)
            | ToolCallPartDelta(args_delta=piece)
        ):
            return len(piece) if isinstance(piece, str) else 0
        case _:
            return 0
