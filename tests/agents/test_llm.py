"""The built-in agent with scripted models: the tools and the cage are real."""

import json
from pathlib import Path

import pytest
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage

from bot.agents.agent import AgentEvent, EventKind, Limits, Outcome, UsageSource
from bot.agents.llm import LlmAgent, ModelChoice
from bot.agents.llm_loop import OUTPUT_TOOL, converse
from bot.agents.replies import WrittenCode
from bot.domain import Role
from bot.errors import AuthFailed, ConfigError, RateLimited, Transient

from .conftest import MakeBrief

DONE = ToolCallPart(OUTPUT_TOOL, {"summary": "Greets politely."})


def script(*turns: list[TextPart | ToolCallPart]) -> FunctionModel:
    """A model that says these turns, one after the other, and the last one for ever."""

    def speak(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        return ModelResponse(parts=list(turns[min(turn, len(turns) - 1)]))

    return FunctionModel(speak)


def call(tool: str, **arguments: object) -> ToolCallPart:
    return ToolCallPart(tool, arguments)


async def test_a_model_reads_edits_runs_and_answers(
    brief: MakeBrief, checkout: Path, events: list[AgentEvent]
) -> None:
    model = script(
        [TextPart("Let me look."), call("read_file", path="greet.py")],
        [call("edit_file", path="greet.py", old="'Hello '", new="'Dear '")],
        [call("run_command", command="python -c 'import greet; print(greet.greet(\"Ada\"))'")],
        [DONE],
    )
    reply = await converse(model, brief(), events.append)
    assert reply.outcome is Outcome.COMPLETED, reply.error
    assert reply.output == WrittenCode(summary="Greets politely.")
    assert "Dear" in (checkout / "greet.py").read_text()
    results = [e.text for e in events if e.kind is EventKind.TOOL_RESULT]
    assert "1\tdef greet(name):" in results[0]
    assert "exit code 0\nDear Ada" in results[2]
    assert [e.kind for e in (events[0], events[-1])] == [EventKind.STARTED, EventKind.FINISHED]
    assert "Let me look." in [e.text for e in events if e.kind is EventKind.MESSAGE]
    assert reply.usage.requests == 4
    assert reply.usage.source is UsageSource.LIBRARY
    assert reply.usage.cost_usd is None


async def test_the_library_s_own_test_model_gets_through_every_tool(
    brief: MakeBrief, events: list[AgentEvent]
) -> None:
    """It calls each tool that it is offered, with made-up arguments."""
    reply = await converse(TestModel(), brief(), events.append)
    assert reply.outcome is Outcome.COMPLETED, reply.error
    called = {e.tool for e in events if e.kind is EventKind.TOOL_CALL}
    assert called >= {"list_files", "read_file", "search", "write_file", "edit_file", "run_command"}


async def test_a_read_only_brief_has_no_tool_that_writes_or_runs(brief: MakeBrief) -> None:
    offered: set[str] = set()

    def speak(_: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        offered.update(tool.name for tool in info.function_tools)
        answer = {"decision": "approve", "summary": "Fine."}
        return ModelResponse(parts=[ToolCallPart(OUTPUT_TOOL, answer)])

    reply = await converse(FunctionModel(speak), brief(Role.GUARDIAN), lambda _: None)
    assert reply.outcome is Outcome.COMPLETED, reply.error
    assert offered == {"list_files", "read_file", "search"}


async def test_protected_files_cannot_be_written_by_any_tool(
    brief: MakeBrief, checkout: Path, events: list[AgentEvent]
) -> None:
    before = (checkout / "test_greet.py").read_text()
    model = script(
        [call("write_file", path="test_greet.py", content="")],
        [call("run_command", command="echo > test_greet.py; rm -f test_greet.py")],
        [call("run_command", command="mv test_greet.py x; ln -sf greet.py test_greet.py")],
        [DONE],
    )
    await converse(model, brief(protect=("test_greet.py",)), events.append)
    assert (checkout / "test_greet.py").read_text() == before
    results = [e.text for e in events if e.kind is EventKind.TOOL_RESULT]
    assert "Read-only file system" in results[0]


async def test_a_planted_link_does_not_lead_a_file_tool_out_of_the_checkout(
    brief: MakeBrief, tmp_path: Path, events: list[AgentEvent]
) -> None:
    canary = tmp_path / "host-secret.txt"
    canary.write_text("CANARY-7f3a")
    model = script(
        [call("run_command", command=f"ln -s {canary} link; ln -s /etc/passwd users; ln -s / all")],
        [call("read_file", path="link"), call("read_file", path="users")],
        [call("search", regex="CANARY", path="."), call("list_files", path="all")],
        [call("write_file", path="link", content="overwritten")],
        [DONE],
    )
    await converse(model, brief(), events.append)
    assert canary.read_text() == "CANARY-7f3a"
    told = "\n".join(e.text for e in events if e.kind is EventKind.TOOL_RESULT)
    assert "CANARY-7f3a" not in told
    assert told.count("outside of the checkout") == 4


async def test_a_wrong_answer_gets_a_turn_to_be_mended(
    brief: MakeBrief, events: list[AgentEvent]
) -> None:
    model = script([ToolCallPart(OUTPUT_TOOL, {"sumary": "typo"})], [DONE])
    reply = await converse(model, brief(), events.append)
    assert reply.outcome is Outcome.COMPLETED
    assert any(e.kind is EventKind.WARNING for e in events)


@pytest.mark.parametrize("turn", [[TextPart("")], [TextPart("no JSON")], [
    ToolCallPart(OUTPUT_TOOL, {"summary": 7, "approved": True})]])  # fmt: skip
async def test_an_answer_that_stays_wrong_is_a_failure(
    brief: MakeBrief, turn: list[TextPart | ToolCallPart]
) -> None:
    reply = await converse(script(turn), brief(), lambda _: None)
    assert reply.outcome is Outcome.FAILED
    assert reply.error
    assert reply.output is None


ENDLESS = script([call("list_files")])


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(turns=3), "request_limit"),
        (Limits(tool_calls=2), "tool_calls_limit"),
        (Limits(tokens=100), "tokens used of 100"),
    ],
)
async def test_limits_end_a_run_that_never_ends(
    brief: MakeBrief, limits: Limits, said: str
) -> None:
    reply = await converse(ENDLESS, brief(limits=limits), lambda _: None)
    assert reply.outcome is Outcome.LIMIT
    assert said in reply.error
    assert reply.usage.requests >= 1


async def test_money_is_counted_by_the_price_list_and_ends_a_run(brief: MakeBrief) -> None:
    def dear(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=900_000, output_tokens=10_000)
        return ModelResponse(parts=[call("list_files")], usage=usage, provider_name="openai")

    model = FunctionModel(dear, model_name="gpt-4o")
    reply = await converse(model, brief(limits=Limits(cost_usd=1)), lambda _: None)
    assert reply.outcome is Outcome.LIMIT
    assert reply.usage.cost_usd is not None
    assert reply.usage.cost_usd > 1
    assert "USD used of 1.00" in reply.error


async def test_wall_time_ends_a_run_and_the_command_it_waits_for(brief: MakeBrief) -> None:
    model = script([call("run_command", command="sleep 60")], [DONE])
    reply = await converse(model, brief(limits=Limits(wall_s=1)), lambda _: None)
    assert reply.outcome is Outcome.TIMEOUT
    assert reply.duration_ms < 10_000


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthFailed), (429, RateLimited), (503, Transient)],
)
async def test_trouble_of_the_provider_is_an_error_for_the_executor(
    brief: MakeBrief, status: int, error: type[Exception]
) -> None:
    def refuse(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(status, "some-model", headers={"retry-after": "7"})

    with pytest.raises(error):
        await converse(FunctionModel(refuse), brief(), lambda _: None)


async def test_a_missing_key_is_named_as_a_setting_of_ours(
    brief: MakeBrief, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(ConfigError) as missing:
        await LlmAgent(ModelChoice(model="anthropic:claude-sonnet-5")).run(brief(), lambda _: None)
    assert str(missing.value) == (
        "model 'anthropic:claude-sonnet-5' cannot be used: its key is missing: "
        "set ANTHROPIC_API_KEY, or ANTHROPIC_API_KEY_FILE"
    )


async def test_an_unknown_model_is_a_matter_of_configuration(brief: MakeBrief) -> None:
    agent = LlmAgent(ModelChoice(model="nobody:such-model"))
    with pytest.raises(ConfigError, match="nobody:such-model"):
        await agent.run(brief(), lambda _: None)


def test_a_key_is_not_shown_by_the_choice_that_holds_it() -> None:
    assert "sk-CANARY" not in repr(ModelChoice(model="openai:x", api_key="sk-CANARY"))


async def test_the_session_of_a_run_tells_what_the_model_said(brief: MakeBrief) -> None:
    model = script([TextPart("hm"), call("read_file", path="greet.py")], [DONE])
    reply = await converse(model, brief(), lambda _: None)
    assert json.loads(reply.session) == [
        [{"say": "hm"}, {"call": "read_file", "with": {"path": "greet.py"}}],
        [{"reply": {"summary": "Greets politely."}}],
    ]
