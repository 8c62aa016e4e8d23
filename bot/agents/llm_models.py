"""Makes the model library's model out of what configuration says."""

import re
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pydantic_ai.exceptions as library
from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse, infer_model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.providers import Provider, infer_provider_class
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from bot.agents.dependency import OUTSIDE
from bot.agents.spans import Question, question
from bot.errors import ConfigError

_KEY = re.compile(r"Set the `([A-Z_]+_API_KEY)` environment variable")


def open_model(name: str, *, base_url: str | None, api_key: str | None) -> Model:
    """The model called `name`, such as "anthropic:claude-…". Raises ConfigError."""
    given = {"base_url": base_url, "api_key": api_key}

    def provider(family: str) -> Provider[Any]:
        made = infer_provider_class(family)(**{k: v for k, v in given.items() if v is not None})
        if hasattr(made.client, "max_retries"):  # the clients of OpenAI and Anthropic
            made.client.max_retries = 0  # the executor retries, at a time and with a limit
        return made

    try:
        return _Traced(infer_model(name, provider))
    except (library.UserError, ValueError, TypeError, ImportError) as problem:
        raise ConfigError(f"model {name!r} cannot be used: {_words(problem)}") from problem


def _words(problem: Exception) -> str:
    """What to do about a missing key, in our words: the library's are for programmers."""
    if (missing := _KEY.search(str(problem))) is None:
        return str(problem)
    return f"its key is missing: set {missing[1]}, or {missing[1]}_FILE"


class _Traced(WrapperModel):
    """A model whose every question has a span."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        with self._asked() as asked:
            response = await super().request(messages, model_settings, model_request_parameters)
            _bill(asked, response.usage)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        with self._asked() as asked:
            async with super().request_stream(
                messages, model_settings, model_request_parameters, run_context
            ) as stream:
                try:
                    yield stream
                finally:
                    _bill(asked, stream.usage)

    @contextmanager
    def _asked(self) -> Iterator[Question]:
        with question(self.model_name, self.system) as asked:
            try:
                yield asked
            except CancelledError:
                asked.failed("cancelled")
                raise


def _bill(asked: Question, usage: RequestUsage) -> None:
    """By the provider's word; of an answer that broke off, what it had said by then."""
    cost = None if usage.cost is None else float(usage.cost)
    asked.used(usage.input_tokens, usage.output_tokens, cost)


def first_that_answers(models: Sequence[Model]) -> Model:
    """The first of `models`; the next ones are asked when it fails."""
    if len(models) == 1:
        return models[0]
    return FallbackModel(*models, fallback_on=(library.ModelAPIError, *OUTSIDE))
