"""Each question to a model is a span: which model, how much, and not a word of what was said."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from bot.agents.agent import AgentEvent, Limits
from bot.agents.llm import LlmAgent, ModelChoice
from bot.errors import Transient
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import Call, CutOff, Fault, ModelServer, Say, Silence
from tests.agents.test_gateway import BOTH, EVERY, WAYS, gateway
from tests.tracing import attributes_of, kept_spans

OPENAI = "openai"
PROVIDERS = {"chat": OPENAI, "responses": OPENAI, "messages": "anthropic", "gemini": "gcp.gemini"}
CANARY = "nobody-else-s-words"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    with kept_spans() as kept:
        yield kept


def questions(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    found = [s for s in spans.get_finished_spans() if s.name.startswith("chat ")]
    assert CANARY not in "".join(span.to_json() for span in found)
    return found


@EVERY
@BOTH
async def test_a_question_through_the_gateway_is_a_span_below_the_agent_s(
    dialect: str, stream: bool, spans: InMemorySpanExporter
) -> None:
    with trace.get_tracer("test").start_as_current_span("invoke_agent coder") as agent:
        async with gateway(dialect, Say(text=CANARY)) as at:
            await at.ask(stream=stream, user=CANARY)
    (span,) = questions(spans)
    assert (span.name, span.kind) == (f"chat {WAYS[dialect].model}", SpanKind.CLIENT)
    assert span.parent is not None
    assert span.parent.span_id == agent.get_span_context().span_id
    said = attributes_of(span)
    assert said.pop("chimera.cost_usd") > 0
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS[dialect],
        "gen_ai.request.model": WAYS[dialect].model,
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_a_question_that_the_provider_refuses_fails_by_its_status(
    spans: InMemorySpanExporter,
) -> None:
    async with gateway("chat", Fault(status=500)) as at:
        await at.ask(user=CANARY)
    (span,) = questions(spans)
    assert attributes_of(span)["error.type"] == "500"
    assert span.status.status_code is StatusCode.ERROR


async def test_an_answer_that_breaks_off_is_unfinished_and_has_its_estimate(
    spans: InMemorySpanExporter,
) -> None:
    async with gateway("chat", CutOff(text=CANARY * 100)) as at:
        with pytest.raises(httpx.HTTPError):
            await at.ask(stream=True)
        await at.recorded.wait()
    (span,) = questions(spans)
    said = attributes_of(span)
    assert said["error.type"] == "unfinished"
    assert said["gen_ai.usage.input_tokens"] > 0


async def test_what_the_gateway_itself_refuses_asks_no_model_and_is_no_span(
    spans: InMemorySpanExporter,
) -> None:
    async with gateway("chat", Say(text="yes"), models=("another",)) as at:
        await at.ask()
    assert questions(spans) == []


MODELS = [
    ("openai-chat:gpt-4o", "/v1", "openai"),
    ("anthropic:claude-sonnet-5", "", "anthropic"),
]


@pytest.mark.parametrize(("model", "prefix", "provider"), MODELS)
async def test_the_built_in_agent_s_questions_are_the_same_spans(
    brief: MakeBrief,
    checkout: Path,
    spans: InMemorySpanExporter,
    model: str,
    prefix: str,
    provider: str,
) -> None:
    write = Call(tool="write_file", arguments={"path": "new.txt", "content": CANARY})
    done = Call(tool="final_result", arguments={"summary": CANARY})
    events: list[AgentEvent] = []
    with trace.get_tracer("test").start_as_current_span("invoke_agent coder") as agent:
        async with ModelServer([write, done]).running() as server:
            choice = ModelChoice(model=model, base_url=server.url + prefix, api_key="sk-none")
            await LlmAgent(choice).run(brief(), events.append)
    first, second = questions(spans)
    for span in (first, second):
        assert span.name == f"chat {model.partition(':')[2]}"
        assert span.parent is not None
        assert span.parent.span_id == agent.get_span_context().span_id
        said = attributes_of(span)
        assert said["gen_ai.provider.name"] == provider
        tokens = said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]
        assert tokens == (1000, 100)


async def test_a_provider_that_is_down_is_an_error_without_its_words(
    brief: MakeBrief, checkout: Path, spans: InMemorySpanExporter
) -> None:
    async with ModelServer([Fault(status=500)]).running() as server:
        url = f"{server.url}/v1"
        choice = ModelChoice(model="openai-chat:gpt-4o", base_url=url, api_key="sk-none")
        with pytest.raises(Transient):
            await LlmAgent(choice).run(brief(limits=Limits(wall_s=60)), lambda _event: None)
    (span,) = questions(spans)
    assert attributes_of(span)["error.type"].endswith("Error")
    assert span.events == ()


async def test_a_question_that_is_given_up_says_so(
    brief: MakeBrief, checkout: Path, spans: InMemorySpanExporter
) -> None:
    async with ModelServer([Silence()]).running() as server:
        url = f"{server.url}/v1"
        choice = ModelChoice(model="openai-chat:gpt-4o", base_url=url, api_key="sk-none")
        running = asyncio.create_task(LlmAgent(choice).run(brief(), lambda _event: None))
        async with asyncio.timeout(60):
            while not server.heard:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    (span,) = questions(spans)
    assert attributes_of(span)["error.type"] == "cancelled"


def test_without_a_collector_nothing_is_recorded_and_no_sdk_is_loaded() -> None:
    code = (
        "import sys\n"
        "from opentelemetry import trace\n"
        "from bot.agents.spans import question\n"
        "with question('m', 'openai') as asked:\n"
        "    asked.used(1, 1, None)\n"
        "    print(trace.get_current_span().is_recording(), 'opentelemetry.sdk' in sys.modules)\n"
    )
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]
