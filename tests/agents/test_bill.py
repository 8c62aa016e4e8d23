"""The bill of a run that was broken off is read from its transcript."""

import asyncio

import pytest

from bot.agents.agent import AgentEvent, EventKind, Limits, Usage, UsageSource
from bot.agents.bill import over_usd, used_so_far
from bot.agents.llm import LlmAgent, ModelChoice
from bot.errors import AuthFailed, StepError, Transient
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    Call,
    CutOff,
    Fault,
    HangUp,
    ModelServer,
    Silence,
    Turn,
)

LOOK = Call(tool="list_files", arguments={})


def answer(cost_usd: float | None) -> AgentEvent:
    used = Usage(requests=1, input_tokens=10, output_tokens=2, cost_usd=cost_usd)
    return AgentEvent(at_ms=0, kind=EventKind.USAGE, used=used)


def test_answers_are_summed_and_one_without_a_price_leaves_the_whole_without_one() -> None:
    talk = AgentEvent(at_ms=0, kind=EventKind.MESSAGE, text="hm")
    assert used_so_far([talk]) == Usage(), "nobody was asked"
    two = used_so_far([answer(0.5), talk, answer(0.25)])
    assert (two.requests, two.input_tokens, two.output_tokens, two.cost_usd) == (2, 20, 4, 0.75)
    assert two.source is UsageSource.TRANSCRIPT
    assert used_so_far([answer(0.5), answer(None)]).cost_usd is None


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Fault(status=401), AuthFailed),
        (Fault(status=503), Transient),
        (CutOff(), Transient),
        (HangUp(), Transient),
    ],
)
async def test_what_was_answered_before_the_provider_failed_is_on_the_bill(
    brief: MakeBrief, events: list[AgentEvent], trouble: Turn, error: type[StepError]
) -> None:
    async with ModelServer([LOOK, LOOK, trouble]).running() as server:
        choice = ModelChoice(model="openai-chat:gpt-4o", base_url=f"{server.url}/v1", api_key="k")
        with pytest.raises(error):
            await LlmAgent(choice).run(brief(limits=Limits(wall_s=60)), events.append)
    whole = [event for event in events if event.used is not None][:2]
    used = used_so_far(whole)
    assert (used.requests, used.input_tokens) == (2, 2 * INPUT_TOKENS)
    assert used.output_tokens == 2 * OUTPUT_TOKENS
    assert used.cost_usd is not None
    broken_off = isinstance(trouble, CutOff)  # what was said of such an answer is paid for, too
    assert used_so_far(events).requests == 2 + broken_off


def test_what_is_used_up_is_told_exactly_enough() -> None:
    assert over_usd(0.0055, 0.005) == "0.0055 USD used of 0.0050"
    assert over_usd(5.123, 5) == "5.12 USD used of 5.00"


async def test_a_run_that_is_cancelled_has_its_bill(
    brief: MakeBrief, events: list[AgentEvent]
) -> None:
    answered = asyncio.Event()

    def listening(event: AgentEvent) -> None:
        events.append(event)
        if event.used is not None:
            answered.set()

    async with ModelServer([LOOK, Silence()]).running() as server:
        choice = ModelChoice(model="openai-chat:gpt-4o", base_url=f"{server.url}/v1", api_key="k")
        running = asyncio.create_task(LlmAgent(choice).run(brief(), listening))
        await asyncio.wait_for(answered.wait(), 60)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert used_so_far(events).requests == 1
