"""A dependency that is down is left alone; one task at a time finds out whether it is back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.agent import Brief, Emit, Outcome, Reply
from bot.agents.cage import Cage
from bot.agents.command import CommandAgent
from bot.agents.dependency import told
from bot.agents.fallback import FallbackAgent
from bot.agents.replies import WrittenCode
from bot.domain import Role, WaitFor
from bot.errors import BadOutput, Parked, Transient
from bot.tasks.lasting import BreakerState, Lasting
from bot.tasks.sqlite import SqliteStore
from bot.workflow.breakers import FIRST_S, OPENS_AFTER, PROBE_S, Breakers

NAME = "github:7"


class World:
    def __init__(self, store: SqliteStore) -> None:
        self.at = 1000.0
        self.lasting = Lasting(store, lambda: self.at)
        self.breakers = self.restarted()

    def restarted(self) -> Breakers:
        return Breakers(self.lasting, lambda: self.at)

    async def fail(self, times: int = 1) -> None:
        for _ in range(times):
            await self.breakers.failed(NAME, Transient("502"))

    async def is_open(self) -> bool:
        try:
            await self.breakers.admit(NAME)
        except Parked as parked:
            return parked.on is WaitFor.BREAKER and (parked.retry_at or 0.0) > self.at
        return False


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await SqliteStore.open(tmp_path / "chimera.db")
    yield World(store)
    await store.close()


@pytest.fixture
async def brief(world: World, tmp_path: Path) -> Brief:
    return Brief(
        run_id="t/CODE_IMPLEMENTATION/1",
        role=Role.CODER,
        workspace=tmp_path,
        cage=await Cage.open(),
        instructions="",
        prompt="",
        reply_type=WrittenCode,
        breakers=world.breakers,
    )


async def test_a_few_failures_do_not_open_it(world: World) -> None:
    await world.fail(OPENS_AFTER - 1)
    assert not await world.is_open()
    await world.breakers.succeeded(NAME)
    await world.fail(OPENS_AFTER - 1)
    assert not await world.is_open()


async def test_failures_in_a_row_open_it_also_after_a_restart(world: World) -> None:
    await world.fail(OPENS_AFTER)
    assert await world.is_open()
    world.breakers = world.restarted()
    assert await world.is_open()


async def test_one_probe_goes_through_and_the_others_wait_for_it(world: World) -> None:
    await world.fail(OPENS_AFTER)
    world.at += FIRST_S
    assert [await world.is_open() for _ in range(3)] == [False, True, True]
    await world.breakers.succeeded(NAME)
    assert not await world.is_open()


async def test_a_failed_probe_doubles_the_pause(world: World) -> None:
    await world.fail(OPENS_AFTER)
    world.at += FIRST_S
    assert not await world.is_open()
    await world.fail()
    world.at += FIRST_S
    assert await world.is_open()
    world.at += FIRST_S
    assert not await world.is_open()


async def test_a_probe_that_never_comes_back_is_followed_by_another(world: World) -> None:
    await world.fail(OPENS_AFTER)
    world.at += FIRST_S
    assert not await world.is_open()
    world.at += PROBE_S
    assert [await world.is_open() for _ in range(3)] == [False, True, True], "and it is one again"


async def test_what_an_agent_answers_wrongly_says_nothing_about_its_provider(world: World) -> None:
    for _ in range(OPENS_AFTER * 2):
        await world.breakers.failed(NAME, BadOutput("no JSON"))
    assert not await world.is_open()


async def test_one_error_counts_once_however_many_doors_it_goes_through(world: World) -> None:
    for _ in range(OPENS_AFTER - 1):
        with pytest.raises(Transient):
            async with told("agent:coder", world.breakers), told(NAME, world.breakers):
                raise Transient("502")
    assert not await world.is_open()
    assert [breaker.name for breaker in await world.lasting.breakers()] == [NAME]


async def test_a_second_agent_takes_over_while_the_first_ones_provider_is_left_alone(
    world: World, brief: Brief
) -> None:
    """From the first failure to the first success, by the store that a restart reads."""
    first, second = _Provided("model:one"), _Provided("model:two")
    first.well = False
    agent = FallbackAgent(first, second)
    for _ in range(OPENS_AFTER + 2):
        await agent.run(brief, lambda _: None)
    assert (first.asked, second.asked) == (OPENS_AFTER, OPENS_AFTER + 2)
    world.breakers = world.restarted()
    brief = replace(brief, breakers=world.breakers)
    await agent.run(brief, lambda _: None)
    assert first.asked == OPENS_AFTER, "a restart does not ask it again"
    second.well = False
    for _ in range(OPENS_AFTER):
        with pytest.raises(Transient):
            await agent.run(brief, lambda _: None)
    with pytest.raises(Parked, match="resumes by itself"):
        await agent.run(brief, lambda _: None)
    world.at += FIRST_S
    first.well = second.well = True
    await agent.run(brief, lambda _: None)
    assert first.asked == OPENS_AFTER + 1, "it is the probe"
    assert {b.name: b.state for b in await world.lasting.breakers()} == {
        "model:one": BreakerState.CLOSED,
        "model:two": BreakerState.OPEN,
    }


async def test_an_agent_behind_a_program_that_crashes_goes_on_and_soon_without_asking_it(
    world: World, brief: Brief, tmp_path: Path
) -> None:
    broken = CommandAgent(command="echo x >> runs; kill -SEGV $$")
    agent = FallbackAgent(broken, CommandAgent(command="echo By the second."))
    for _ in range(OPENS_AFTER + 2):
        reply = await agent.run(brief, lambda _: None)
        assert reply.output == WrittenCode(summary="By the second.")
    assert (tmp_path / "runs").read_text() == "x\n" * OPENS_AFTER
    assert [breaker.name for breaker in await world.lasting.breakers()] == [f"agent:{broken.name}"]


class _Provided:
    """An agent whose provider is down or not."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.well = True
        self.asked = 0

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        await brief.breakers.admit(self.name)
        async with told(self.name, brief.breakers):
            self.asked += 1
            if not self.well:
                raise Transient("503")
        return Reply(outcome=Outcome.COMPLETED, output=WrittenCode(summary="Done."))
