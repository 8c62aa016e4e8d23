"""One conversation with a model: the library's loop, our limits, our events, our endings."""

import asyncio
import json
from collections.abc import Iterable, Sequence

import pydantic_ai
import pydantic_ai.exceptions as library
from pydantic import BaseModel
from pydantic_ai import Agent as LibraryAgent
from pydantic_ai import CallToolsNode, ModelRequestNode
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryFeedbackPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models import Model
from pydantic_ai.usage import RequestUsage, RunUsage, UsageBase, UsageLimits

from bot.agents.agent import (
    Brief,
    Emit,
    EventKind,
    Limits,
    Outcome,
    Reply,
    Usage,
    UsageSource,
)
from bot.agents.bill import over_usd, summed
from bot.agents.dependency import soonest
from bot.agents.llm_models import first_that_answers
from bot.agents.llm_stream import Streamed
from bot.agents.llm_trouble import trouble_of, words_of
from bot.agents.telling import Teller
from bot.agents.tools import Tools, exit_code_of
from bot.errors import Parked

pydantic_ai.BANNER_ENABLED = False  # a first run on a terminal would be drawn into our output

_REPAIRS = 2  #: turns to mend an answer that does not fit the schema
_TOOL_RETRIES = 5  #: calls in a row with arguments that do not fit


class _OverLimit(Exception):
    """A limit of the brief that the library does not watch."""


async def converse_aloud(models: Sequence[tuple[str, Model]], brief: Brief, emit: Emit) -> Reply:
    """`converse` with the first that answers, each answer heard while it is said.

    `models`, each with the name of its provider; raises Parked where every one is left alone.
    """
    talk = _Talk(brief, emit)
    heard = [Streamed(one, talk, name, brief.breakers) for name, one in models]
    return await _to_the_end(talk, first_that_answers(heard), brief)


async def converse(model: Model, brief: Brief, emit: Emit) -> Reply:
    """Runs `brief` to its end. Raises StepError for trouble with the provider."""
    return await _to_the_end(_Talk(brief, emit), model, brief)


async def _to_the_end(talk: "_Talk", model: Model, brief: Brief) -> Reply:
    talk.tell(EventKind.STARTED, model.model_name)
    try:
        async with asyncio.timeout(brief.limits.wall_s):
            output = await talk.through(_library_agent(model, brief))
        reply = talk.reply(Outcome.COMPLETED, output=output)
    except TimeoutError:
        reply = talk.reply(Outcome.TIMEOUT, error=f"no end within {brief.limits.wall_s:g} s")
    except (library.UsageLimitExceeded, _OverLimit) as problem:
        reply = talk.reply(Outcome.LIMIT, error=str(problem))
    except library.ModelAPIError as problem:
        reply = talk.reply(Outcome.FAILED, error=_refused(problem))
    except library.FallbackExceptionGroup as all_of_them:
        reply = talk.reply(Outcome.FAILED, error=_all_refused(all_of_them))
    except library.AgentRunError as problem:
        reply = talk.reply(Outcome.FAILED, error=str(problem))
    talk.tell(EventKind.FINISHED, reply.error or reply.outcome)
    return reply


class _Talk(Teller):
    """What one conversation has come to so far."""

    def __init__(self, brief: Brief, emit: Emit) -> None:
        super().__init__(emit)
        self._brief = brief
        self._usage = RunUsage()
        self._broken_off: list[RequestUsage] = []  #: answers that the library never saw whole
        self._messages: list[ModelMessage] = []

    async def through(self, agent: LibraryAgent[object, BaseModel]) -> BaseModel:
        limits = self._brief.limits
        bounds = UsageLimits(request_limit=limits.turns, tool_calls_limit=limits.tool_calls)
        async with agent.iter(self._brief.prompt, usage=self._usage, usage_limits=bounds) as run:
            self._messages = run.all_messages()
            async for node in run:
                self._messages = run.all_messages()
                self._tell_node(node)
                _check(self._usage, limits)
        assert run.result is not None
        self._messages = run.all_messages()
        return run.result.output

    def reply(self, outcome: Outcome, *, output: BaseModel | None = None, error: str = "") -> Reply:
        return Reply(
            outcome=outcome,
            output=output,
            error=error,
            usage=self._used(),
            duration_ms=self.duration_ms,
            session=json.dumps(turns_of(self._messages)),
        )

    def heard(self, so_far: RequestUsage) -> None:
        """The answer under way counts with those before it; raises _OverLimit."""
        usage = self._usage
        for more in (*self._broken_off, so_far):
            usage = usage + more
        _check(usage, self._brief.limits)

    def broken_off(self, used: RequestUsage) -> None:
        """It is paid for, however the run goes on."""
        self._broken_off.append(used)
        self.tell(EventKind.USAGE, used=_usage(used, 1))

    def _used(self) -> Usage:
        whole = _usage(self._usage, self._usage.requests)
        return summed([whole, *(_usage(used, 1) for used in self._broken_off)])

    def _tell_node(self, node: object) -> None:
        match node:
            case ModelRequestNode(request=request):
                for asked in request.parts:
                    self._tell_result(asked)
            case CallToolsNode(model_response=response):
                for part in response.parts:
                    self._tell_part(part)
                self.tell(EventKind.USAGE, used=_usage(response.usage, 1))

    def _tell_part(self, part: ModelResponsePart) -> None:
        match part:
            case TextPart(content=content):
                self.tell(EventKind.MESSAGE, content)
            case ToolCallPart(tool_name=tool):
                self.tell(EventKind.TOOL_CALL, part.args_as_json_str(), tool)

    def _tell_result(self, part: ModelRequestPart) -> None:
        match part:
            case ToolReturnPart(tool_name=tool, outcome="retried"):
                self.tell(EventKind.WARNING, part.model_response_str(), tool)
            case ToolReturnPart(tool_name=tool):
                text = part.model_response_str()
                self.tell(EventKind.TOOL_RESULT, text, tool, exit_code=_exit_code(tool, text))
            case RetryFeedbackPart():
                self.tell(EventKind.WARNING, part.model_response())


def _usage(used: UsageBase, requests: int) -> Usage:
    return Usage(
        requests=requests,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost_usd=None if used.cost is None else float(used.cost),
        source=UsageSource.LIBRARY,
    )


def _exit_code(tool: str, text: str) -> int | None:
    """How a command ended; None for every other tool."""
    return exit_code_of(text) if tool == Tools.run_command.__name__ else None


def turns_of(messages: Iterable[ModelMessage]) -> list[list[dict[str, object]]]:
    """The model's side of a conversation in the shape that `replay` plays."""
    answers = [message for message in messages if isinstance(message, ModelResponse)]
    return [[spoken for part in answer.parts if (spoken := _spoken(part))] for answer in answers]


def _spoken(part: ModelResponsePart) -> dict[str, object] | None:
    match part:
        case TextPart(content=content):
            return {"say": content}
        case ToolCallPart(tool_name=tool) if tool == OUTPUT_TOOL:
            return {"reply": part.args_as_dict()}
        case ToolCallPart(tool_name=tool):
            return {"call": tool, "with": part.args_as_dict()}
        case _:
            return None


OUTPUT_TOOL = "final_result"  #: the library's name for the tool that takes the final answer


def _library_agent(model: Model, brief: Brief) -> LibraryAgent[object, BaseModel]:
    return LibraryAgent(
        model,
        output_type=brief.reply_type,
        instructions=brief.instructions,
        tools=list(Tools(brief).offered()),
        retries={"tools": _TOOL_RETRIES, "output": _REPAIRS},
        model_settings={"timeout": brief.limits.idle_s},
    )


def _check(usage: RunUsage, limits: Limits) -> None:
    """The library would warn on stderr where a price is unknown; we say it in the reply."""
    if usage.total_tokens > limits.tokens:
        raise _OverLimit(f"{usage.total_tokens} tokens used of {limits.tokens}")
    if usage.cost is not None and float(usage.cost) > limits.cost_usd:
        raise _OverLimit(over_usd(float(usage.cost), limits.cost_usd))


def _refused(problem: library.ModelAPIError) -> str:
    """What the provider says about this one request; raises StepError for all other trouble."""
    if (error := trouble_of(problem)) is not None:
        raise error from problem
    return words_of(problem)


def _all_refused(group: library.FallbackExceptionGroup) -> str:
    """The last one's word; where all are left alone, Parked until the first of them is tried."""
    parked = [one for one in group.exceptions if isinstance(one, Parked)]
    if len(parked) == len(group.exceptions):
        raise soonest(parked)
    match group.exceptions[-1]:
        case library.ModelAPIError() as problem:
            return _refused(problem)
        case problem:
            raise problem
