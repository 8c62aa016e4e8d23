"""What the built-in agent makes of a provider in trouble, and of a model that makes no sense."""

import pytest

from bot.agents.agent import Limits, Outcome
from bot.agents.llm import LlmAgent, ModelChoice
from bot.errors import AuthFailed, RateLimited, StepError, Transient
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import Call, CutOff, Fault, ModelServer, Say, Silence, Turn

KEY = "sk-CANARY-93c1-llm"
MODELS = {
    "openai-chat:gpt-4o": "/v1",
    "openai-responses:gpt-5.2": "/v1",
    "anthropic:claude-sonnet-5": "",
}
EVERY = pytest.mark.parametrize("model", list(MODELS))
DONE = Call(tool="final_result", arguments={"summary": "Written."})


def agent(model: str, server: ModelServer) -> LlmAgent:
    choice = ModelChoice(model=model, base_url=server.url + MODELS[model], api_key=KEY)
    return LlmAgent(choice)


@EVERY
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=401), AuthFailed),
        (Fault(status=429, headers={"retry-after": "7"}), RateLimited),
        (Fault(status=503), Transient),
        (Fault(status=529), Transient),
        (Silence(), Transient),
    ],
)
async def test_trouble_is_named_at_once_and_retried_by_nobody_here(
    brief: MakeBrief, model: str, fault: Turn, error: type[StepError]
) -> None:
    """The client libraries would retry twice by themselves, in silence and past our limits."""
    work = brief(limits=Limits(wall_s=30, idle_s=1))
    async with ModelServer([fault]).running() as server:
        with pytest.raises(error) as raised:
            await agent(model, server).run(work, lambda _: None)
    assert len(server.heard) == 1
    assert KEY not in str(raised.value)


@EVERY
async def test_an_answer_that_breaks_off_is_passing_trouble(brief: MakeBrief, model: str) -> None:
    async with ModelServer([CutOff()]).running() as server:
        with pytest.raises(Transient):
            await agent(model, server).run(brief(limits=Limits(wall_s=30)), lambda _: None)
    assert len(server.heard) == 1


@EVERY
@pytest.mark.parametrize(
    "odd",
    [
        Say(text=""),
        Say(text="I cannot help with that."),
        Say(text="words " * 100_000),
        Call(tool="final_result", arguments={"summary": 3, "extra": True}),
        Call(tool="no_such_tool", arguments={}),
        Call(tool="read_file", arguments={"path": ["not", "a", "path"]}),
    ],
    ids=["empty", "refusal", "huge", "bad-json", "unknown-tool", "bad-arguments"],
)
async def test_an_odd_answer_may_be_mended_once_and_then_has_failed(
    brief: MakeBrief, model: str, odd: Turn
) -> None:
    async with ModelServer([odd, DONE]).running() as server:
        mended = await agent(model, server).run(brief(), lambda _: None)
    assert mended.outcome is Outcome.COMPLETED, mended.error
    async with ModelServer([odd]).running() as server:
        never = await agent(model, server).run(brief(), lambda _: None)
    assert never.outcome is Outcome.FAILED
    assert never.error
    assert len(server.heard) < 10
