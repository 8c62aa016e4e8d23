"""One machine of the cluster tests: `python -m tests.cluster.worker URL NAME LEASE_S`.

The store, queue, ledger, pool, daemon and dispatch are the bot's. What a phase would do is
scripted: each step has one effect on a hub that is a table beside the store, written to without
any uniqueness, so that an effect done twice is there twice.
"""

import asyncio
import contextlib
import sys
from dataclasses import replace

import psycopg

from bot.domain import JournalLine, Outcome, Phase, Status, Task
from bot.effects import EffectKind, EffectState
from bot.tasks.base import Clock
from bot.tasks.cluster import Cluster
from bot.tasks.daemon import ChimeraDaemon, install_signals
from bot.tasks.inbox import InboxRow
from bot.tasks.ledger import Ledger
from bot.tasks.pool import ExecutorPool
from bot.tasks.postgres import PostgresStore
from bot.tasks.queue import TaskQueue

STEPS = (Phase.E2E_TEST_GENERATION, Phase.CODE_IMPLEMENTATION, Phase.GUARDIAN_REVIEW)
STEP_S = 0.05
HUB = "CREATE TABLE IF NOT EXISTS hub (key TEXT NOT NULL, by_whom TEXT NOT NULL)"
_POST = "INSERT INTO hub (key, by_whom) VALUES (%s, %s)"
_FIND = "SELECT 1 FROM hub WHERE key = %s"


class Machine:
    """The scripted phases of one worker."""

    def __init__(self, queue: TaskQueue, ledger: Ledger, hub: "Hub") -> None:
        self._queue = queue
        self._ledger = ledger
        self._hub = hub

    async def advance(self, task: Task) -> Task:
        """One step: an effect, a while of work, the record."""
        at = STEPS.index(task.phase)
        await self._ensure(f"{task.id}/{task.phase}", task)
        await asyncio.sleep(STEP_S)
        last = at == len(STEPS) - 1
        phase = Phase.COMPLETE if last else STEPS[at + 1]
        status = Status.COMPLETED if last else Status.RUNNING
        after = replace(task, cursor=replace(task.cursor, phase=phase), status=status)
        return await self._queue.record(task, _line(task), after, keep=not last)

    async def _ensure(self, key: str, task: Task) -> None:
        """The ledger's protocol, for a hub whose reads do not lag."""
        effect = await self._ledger.intend(key, task.id, EffectKind.LABEL_ADD, task.fence, "")
        if effect.state is EffectState.CONFIRMED:
            return
        if effect.state is not EffectState.INTENDED:
            if await self._hub.has(key):
                await self._ledger.confirm(key, "1")
                return
            await self._ledger.forget(key)
        sent = await self._ledger.sent(key, task.fence)
        await self._hub.post(key, not_after=sent.intent_at + self._queue.limits.lease_s / 2)
        await self._ledger.confirm(key, "1")


class Hub:
    """The other side: a connection of its own, on which a call is one statement."""

    def __init__(self, url: str, name: str, now: Clock) -> None:
        self._url = url
        self._name = name
        self._now = now
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def post(self, key: str, *, not_after: float) -> None:
        """One call. A process that stood still since it said that it would call must not."""
        async with self._one_at_a_time:
            connection = await self._connected()
            if self._now() > not_after:
                raise RuntimeError("held up before the call")
            await connection.execute(_POST, (key, self._name))

    async def has(self, key: str) -> bool:
        async with self._one_at_a_time:
            found = await (await self._connected()).execute(_FIND, (key,))
            return await found.fetchone() is not None

    async def _connected(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        return self._connection

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


def _line(task: Task) -> JournalLine:
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=task.phase,
        cursor=task.cursor,
        outcome=Outcome.PASS,
        summary="done",
        started_at=0.0,
        seconds=STEP_S,
    )


async def main(url: str, name: str, lease_s: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        store = await PostgresStore.open(url)
        stack.push_async_callback(store.close)
        clock = await store.clock()
        cluster = Cluster(url, clock)
        queue = TaskQueue(store, clock, lease_s=float(lease_s), bells=cluster.bells)
        hub = Hub(url, name, clock)
        stack.push_async_callback(hub.close)
        machine = Machine(queue, Ledger(store, clock), hub)
        pool = ExecutorPool(queue, machine.advance, name=name, slots=4)

        async def intake(row: InboxRow) -> None:
            del row

        async def paint(task: Task) -> None:
            del task

        daemon = ChimeraDaemon(queue, pool, now=clock, intake=intake, paint=paint, company=cluster)
        install_signals(daemon)
        await daemon.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
