"""The day's money."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.agents.agent import AgentEvent, Brief, Emit, EventKind, Outcome, Reply, Usage
from bot.agents.cage import Cage, CageKind
from bot.agents.replies import WrittenCode
from bot.domain import Role, WaitFor
from bot.errors import Parked
from bot.tasks.lasting import Lasting
from bot.tasks.sqlite import SqliteStore
from bot.workflow.phases.watched import watched
from bot.workflow.purse import Purse

NOON = 43_200.0
MIDNIGHT = 86_400.0
NO_CAGE = Cage(kind=CageKind.NONE, program=None, toolchains=())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "chimera.db")
    yield opened
    await opened.close()


async def test_the_day_is_over_when_its_money_is_spent_and_begins_anew_at_midnight(
    store: SqliteStore,
) -> None:
    at = NOON
    purse = Purse(lasting=Lasting(store, lambda: at), now=lambda: at, daily_usd=1.0)
    await purse.check()
    await purse.paid("a", 0.6)
    await purse.check()
    await purse.paid("b", 0.6)
    with pytest.raises(Parked, match=r"\$1.20 of today's \$1.00") as parked:
        await purse.check()
    assert (parked.value.on, parked.value.retry_at) == (WaitFor.BUDGET, MIDNIGHT)
    at = MIDNIGHT
    await purse.check()


async def test_without_a_limit_and_without_a_price_nothing_is_refused(store: SqliteStore) -> None:
    purse = Purse(lasting=Lasting(store, lambda: NOON), now=lambda: NOON, daily_usd=None)
    await purse.paid("a", None)
    await purse.paid("b", 100.0)
    await purse.check()


class Asking:
    """An agent that asks its model again and again, each answer for ten cents."""

    name = "asking"

    def __init__(self, answers: int, others: asyncio.Barrier) -> None:
        self._answers = answers
        self._others = others

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        for _ in range(self._answers):
            emit(AgentEvent(at_ms=1, kind=EventKind.USAGE, used=Usage(requests=1, cost_usd=0.1)))
            await self._others.wait()
            emit(AgentEvent(at_ms=2, kind=EventKind.TOOL_RESULT))
            await asyncio.sleep(0)
        emit(AgentEvent(at_ms=3, kind=EventKind.FINISHED))
        return Reply(outcome=Outcome.COMPLETED)


def brief_of(run: str, folder: Path) -> Brief:
    return Brief(
        run_id=run, role=Role.CODER, workspace=folder, cage=NO_CAGE,
        instructions="", prompt="", reply_type=WrittenCode,
    )  # fmt: skip


async def test_runs_at_once_do_not_each_take_the_last_of_the_days_money(
    store: SqliteStore, tmp_path: Path
) -> None:
    purse = Purse(lasting=Lasting(store, lambda: NOON), now=lambda: NOON, daily_usd=0.55)
    together, heard = asyncio.Barrier(3), list[AgentEvent]()
    await purse.check()
    runs = [
        watched(Asking(50, together), brief_of(f"run {n}", tmp_path), purse, heard)
        for n in range(3)
    ]
    ends = await asyncio.gather(*runs, return_exceptions=True)
    assert [type(end) for end in ends] == [Parked] * 3
    assert sum(event.used is not None for event in heard) == 6, "two answers each, and no third"


async def test_a_run_that_has_no_further_question_keeps_its_reply(
    store: SqliteStore, tmp_path: Path
) -> None:
    purse = Purse(lasting=Lasting(store, lambda: NOON), now=lambda: NOON, daily_usd=0.05)

    class LastAnswer(Asking):
        async def run(self, brief: Brief, emit: Emit) -> Reply:
            emit(AgentEvent(at_ms=1, kind=EventKind.USAGE, used=Usage(requests=1, cost_usd=0.1)))
            emit(AgentEvent(at_ms=3, kind=EventKind.FINISHED))
            return Reply(outcome=Outcome.COMPLETED)

    alone = LastAnswer(1, asyncio.Barrier(1))
    reply = await watched(alone, brief_of("run", tmp_path), purse, [])
    assert reply.outcome is Outcome.COMPLETED
    with pytest.raises(Parked, match=r"\$0.10 of today's \$0.05"):
        await purse.check()


async def test_a_person_who_stops_a_run_is_not_told_of_money(
    store: SqliteStore, tmp_path: Path
) -> None:
    purse = Purse(lasting=Lasting(store, lambda: NOON), now=lambda: NOON, daily_usd=0.05)
    alone = Asking(2, asyncio.Barrier(2))
    run = asyncio.create_task(watched(alone, brief_of("run", tmp_path), purse, []))
    await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
