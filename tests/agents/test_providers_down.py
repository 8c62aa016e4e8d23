"""A provider that is down is left alone by everybody; who has another one goes straight there."""

import time
from pathlib import Path

import pytest

from bot.agents.acp import AcpAgent
from bot.agents.agent import AgentEvent, Limits
from bot.agents.command import CommandAgent
from bot.agents.dependency import provider_name
from bot.agents.fallback import FallbackAgent
from bot.agents.gateway_dialects import Family, Upstream
from bot.agents.llm import LlmAgent, ModelChoice
from bot.agents.replies import WrittenCode
from bot.domain import WaitFor
from bot.errors import Parked, StepError, Transient
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import Call, Fault, ModelServer

LOOK = Call(tool="list_files", arguments={})
DONE = Call(tool="final_result", arguments={"summary": "By the second."})
BY_HAND = CommandAgent(command="echo By the second.")


class Known:
    """Breakers as they are known, and what they were told."""

    def __init__(self, **down: float) -> None:
        self.down = down  #: by provider: seconds from now
        self.told: list[str] = []

    async def admit(self, name: str) -> None:
        for word, pause_s in self.down.items():
            if name.startswith(f"model:{word}"):
                raise Parked(WaitFor.BREAKER, f"{name} is down", until=time.time() + pause_s)

    async def succeeded(self, name: str) -> None:
        self.told.append(f"{name.partition('#')[0]} well")

    async def failed(self, name: str, error: StepError) -> None:
        self.told.append(f"{name.partition('#')[0]} failed")


def openai(server: ModelServer) -> ModelChoice:
    return ModelChoice(model="openai-chat:gpt-4o", base_url=f"{server.url}/v1", api_key="k")


def anthropic(server: ModelServer) -> ModelChoice:
    return ModelChoice(model="anthropic:claude-opus-4-5", base_url=server.url, api_key="k")


async def test_a_model_behind_one_that_is_down_is_asked_at_once(brief: MakeBrief) -> None:
    known = Known(openai=30)
    async with (
        ModelServer([LOOK]).running() as one,
        ModelServer([LOOK, DONE]).running() as two,
    ):
        agent = LlmAgent(openai(one), anthropic(two))
        reply = await agent.run(brief(breakers=known), lambda _: None)
    assert reply.output == WrittenCode(summary="By the second.")
    assert one.heard == []
    assert known.told == ["model:anthropic well"] * 2


async def test_an_agent_behind_one_that_is_down_goes_on_at_once(
    brief: MakeBrief, events: list[AgentEvent]
) -> None:
    known = Known(openai=30)
    async with ModelServer([LOOK]).running() as one:
        agent = FallbackAgent(LlmAgent(openai(one)), BY_HAND)
        reply = await agent.run(brief(breakers=known), events.append)
    assert reply.output == WrittenCode(summary="By the second.")
    assert one.heard == []
    assert "is down" in " ".join(event.text for event in events)


@pytest.mark.parametrize(("first_s", "second_s"), [(30, 90), (90, 30)])
@pytest.mark.parametrize("whole_agents", [True, False])
async def test_only_where_both_are_down_the_task_waits_for_the_one_that_is_tried_first(
    brief: MakeBrief, first_s: float, second_s: float, whole_agents: bool
) -> None:
    known = Known(openai=first_s, anthropic=second_s)
    async with ModelServer([DONE]).running() as server:
        first, second = openai(server), anthropic(server)
        agent = (
            FallbackAgent(LlmAgent(first), LlmAgent(second))
            if whole_agents
            else LlmAgent(first, second)
        )
        with pytest.raises(Parked) as parked:
            await agent.run(brief(breakers=known), lambda _: None)
    assert server.heard == []
    assert parked.value.on is WaitFor.BREAKER
    assert (parked.value.retry_at or 0) - time.time() == pytest.approx(30, abs=20)


async def test_a_failure_that_another_model_made_good_is_counted_all_the_same(
    brief: MakeBrief,
) -> None:
    known = Known()
    async with (
        ModelServer([Fault(status=503)]).running() as one,
        ModelServer([DONE]).running() as two,
    ):
        await LlmAgent(openai(one), anthropic(two)).run(brief(breakers=known), lambda _: None)
    assert known.told == ["model:openai failed", "model:anthropic well"]


async def test_a_failure_that_ends_the_run_names_the_provider_and_is_counted_once(
    brief: MakeBrief,
) -> None:
    known = Known()
    async with ModelServer([Fault(status=503)]).running() as one:
        with pytest.raises(Transient) as failed:
            await LlmAgent(openai(one)).run(brief(breakers=known), lambda _: None)
    assert failed.value.dependency.startswith("model:openai#")
    assert known.told == ["model:openai failed"]


async def test_a_program_shares_the_breaker_of_the_provider_behind_its_gateway(
    brief: MakeBrief, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    upstream = Upstream(family=Family.OPENAI, models=("gpt-5",), key="k")
    assert upstream.provider == ModelChoice(model="openai:gpt-4o").provider == "model:openai"
    with pytest.raises(Parked):
        await AcpAgent(command=(str(program),), upstream=upstream).run(
            brief(breakers=Known(openai=30), limits=Limits(wall_s=20)), lambda _: None
        )


def test_a_server_of_ones_own_is_another_provider_and_its_address_is_not_told() -> None:
    one, two = (provider_name("openai", f"https://{host}.corp/v1") for host in ("a", "b"))
    assert len({one, two, provider_name("openai", "")}) == 3
    assert "corp" not in one + two
