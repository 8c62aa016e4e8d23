"""Workers on one PostgreSQL, killed, paused and cut off: nothing is lost, nothing done twice.

In CI a small run; the whole one is `CLUSTER_TASKS=1000 python -m pytest tests/cluster`. What it
prints (`-s`) is published in docs/reliability.md.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.domain import Status
from bot.errors import StoreError
from bot.tasks.postgres import PostgresStore
from bot.tasks.queue import TaskQueue
from tests.cluster.worker import HUB, STEPS
from tests.postgres import Server, programs
from tests.tasks.making import wish

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

TASKS = int(os.environ.get("CLUSTER_TASKS", "60"))
REPOS = 6
LEASE_S = 3.0
KILL_EVERY_S = 3.0
DEADLINE_S = 120.0 + TASKS
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def durable() -> Iterator[Server]:
    if programs() is None:
        pytest.skip("PostgreSQL's server is not installed")
    server = Server.start(fsync=False)  # processes die here, the machine does not
    yield server
    server.remove()


@dataclass
class Fleet:
    """Three workers, as processes."""

    url: str
    folder: Path
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        argv = [sys.executable, "-m", "tests.cluster.worker", self.url, name, str(LEASE_S)]
        with self.log(name).open("wb") as log:
            self.workers[name] = subprocess.Popen(argv, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        self.workers[name].kill()
        self.workers[name].wait(timeout=10)

    async def ready(self, name: str) -> None:
        """Return when the worker has begun to work; it is started again where it gave up."""
        async with asyncio.timeout(60):
            while "daemon started" not in self.log(name).read_text():
                if self.workers[name].poll() is not None:  # there was no database to begin with
                    self.start(name)
                await asyncio.sleep(0.05)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def signal(self, name: str, number: signal.Signals) -> None:
        self.workers[name].send_signal(number)

    def end(self) -> None:
        for name, worker in self.workers.items():
            worker.send_signal(signal.SIGCONT)
            self.kill(name)

    def said(self) -> str:
        logs = [path.read_text()[-3000:] for path in sorted(self.folder.glob("*.log"))]
        return "\n".join(logs)


@pytest.fixture
async def store(durable: Server) -> AsyncIterator[PostgresStore]:
    opened = await PostgresStore.open(durable.database())
    await opened.write(lambda tx: tx.run(HUB))
    yield opened
    await opened.close()


@pytest.fixture
def fleet(store: PostgresStore, tmp_path: Path) -> Iterator[Fleet]:
    one = Fleet(url=store.url, folder=tmp_path)
    yield one
    one.end()


async def test_nothing_is_lost_or_done_twice_while_workers_and_the_database_die(
    durable: Server, store: PostgresStore, fleet: Fleet
) -> None:
    queue = TaskQueue(store, time.time, lease_s=LEASE_S)
    for n in range(TASKS):
        await queue.submit(wish(n + 1, of=n % REPOS + 1))
    for name in NAMES:
        fleet.start(name)
    chance, log = random.Random(7), Counter[str]()
    await _until(queue, 0.2, fleet)
    await _paused(fleet, "three", log)
    kills = asyncio.create_task(_killing(fleet, chance, log))
    await _until(queue, 0.5, fleet)
    await asyncio.to_thread(durable.down)
    await asyncio.sleep(1)
    await asyncio.to_thread(durable.up)
    log["restarts of PostgreSQL"] += 1
    await _until(queue, 1.0, fleet)
    kills.cancel()
    await _check(store, queue, log)


async def test_a_killed_workers_task_is_taken_over_by_another(
    store: PostgresStore, fleet: Fleet
) -> None:
    queue = TaskQueue(store, time.time, lease_s=LEASE_S)
    fleet.start("one")
    await _until_rows(store, "SELECT 1 FROM procrastinate_workers", fleet)
    for n in range(40):
        await queue.submit(wish(n + 1, of=n % REPOS + 1))
    await _until_rows(store, "SELECT 1 FROM task WHERE status = 'RUNNING'", fleet)
    held = await store.read(lambda tx: tx.all("SELECT id FROM task WHERE status = 'RUNNING'"))
    fleet.start("two")
    fleet.kill("one")
    killed = time.monotonic()
    mine = ", ".join(f"'{row['id']}'" for row in held)
    await _until_rows(
        store,
        f"SELECT 1 FROM (SELECT count(*) AS n FROM task WHERE id IN ({mine})"
        f" AND (fence > 1 OR status = 'COMPLETED')) AS found WHERE n = {len(held)}",
        fleet,
    )
    print(f"taken over {time.monotonic() - killed:.1f} s after the kill (lease {LEASE_S:g} s)")


async def _paused(fleet: Fleet, name: str, log: Counter[str]) -> None:
    """One worker stops for twice its lease and goes on, knowing nothing of it."""
    fleet.signal(name, signal.SIGSTOP)
    await asyncio.sleep(2 * LEASE_S)
    fleet.signal(name, signal.SIGCONT)
    log["pauses of twice the lease"] += 1


async def _killing(fleet: Fleet, chance: random.Random, log: Counter[str]) -> None:
    while True:
        await asyncio.sleep(KILL_EVERY_S * (0.5 + chance.random()))
        name = chance.choice(NAMES)
        fleet.kill(name)
        log["kill -9"] += 1
        fleet.start(name)
        await fleet.ready(name)


async def _until(queue: TaskQueue, part: float, fleet: Fleet) -> None:
    async def enough() -> bool:
        return (await queue.counts())[Status.COMPLETED] >= part * TASKS

    await _wait(enough, fleet)


async def _until_rows(store: PostgresStore, sql: str, fleet: Fleet) -> None:
    async def there() -> bool:
        return await store.read(lambda tx: tx.one(sql)) is not None

    await _wait(there, fleet)


async def _wait(condition: Callable[[], Awaitable[bool]], fleet: Fleet) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            if await condition():
                return
        except StoreError:
            pass  # the database is down, or a table is not there yet
        assert time.monotonic() < deadline, fleet.said()
        await asyncio.sleep(0.1)


async def _check(store: PostgresStore, queue: TaskQueue, log: Counter[str]) -> None:
    counts = await queue.counts()
    assert counts[Status.COMPLETED] == TASKS, counts
    twice = await store.read(
        lambda tx: tx.all("SELECT key, count(*) AS n FROM hub GROUP BY key HAVING count(*) > 1")
    )
    assert [row["key"] for row in twice] == []
    posted = await store.read(lambda tx: tx.one("SELECT count(*) AS n FROM hub"))
    assert posted is not None
    assert posted["n"] == TASKS * len(STEPS)
    odd = await store.read(
        lambda tx: tx.all(
            "SELECT task_id FROM journal WHERE outcome = 'pass' GROUP BY task_id"
            f" HAVING count(*) <> {len(STEPS)}"
        )
    )
    assert [row["task_id"] for row in odd] == [], "each step is recorded once"
    told = ", ".join(f"{n} {what}" for what, n in sorted(log.items()))
    print(f"{TASKS} tasks, {posted['n']} effects, {told}: none lost, none twice")
