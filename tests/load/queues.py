"""Long queues: what a claim and a list cost, and that one repository does not starve another."""

import asyncio
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

from bot.domain import Outcome, RepoRef, Status, Task
from bot.tasks.base import note
from bot.tasks.lasting import Lasting
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import STORE_FILE, SqliteStore
from tests.load.figures import Figure, crowding, loosened, percentile, sync_s
from tests.load.server import stand
from tests.load.wire import over

CLAIM_S = 0.020  #: p99
LIST_S = 0.300
FEW = 200  #: claims, and lists, that are timed
SLOTS = 2
BUSY = RepoRef(id=7, owner="octo", name="busy")
CALM = RepoRef(id=8, owner="octo", name="calm")
LIST = b"GET /api/tasks?limit=%d HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


async def long_queue(folder: Path, count: int) -> list[Figure]:
    """Claims out of a long queue, and the list of it as a served API gives it."""
    name = f"{count:,} queued tasks"
    store = await SqliteStore.open(folder / "bot" / STORE_FILE)
    queue, lasting = TaskQueue(store, time.time, lane_limit=count), Lasting(store, time.time)
    await _fill(queue, BUSY, count)
    await lasting.hold(BUSY, "load", "a list is measured")
    async with stand(folder) as served:
        lists = [
            one
            for limit in (50, 200)
            for one in await over(served.port, [LIST % limit] * (FEW // 2), lines=1)
        ]
        served_by_anchor = await over(served.anchor_port, [LIST % 1] * FEW, lines=1)
        crowded = crowding()
    await lasting.unhold(BUSY)
    claims = [await _claim_s(queue) for _ in range(FEW)]
    await store.close()
    anchor = percentile(sync_s(folder), 0.99)
    return [
        Figure(
            load=name,
            name="claim, p99",
            value=percentile(claims, 0.99) * 1000,
            unit="ms",
            at_most=loosened(CLAIM_S, anchor, 5) * 1000,
        ),
        Figure(load=name, name="one sync of the disk, p99", value=anchor * 1000, unit="ms"),
        Figure(
            load=name,
            name="list, p99",
            value=percentile([one.seconds for one in lists], 0.99) * 1000,
            unit="ms",
            at_most=loosened(LIST_S * crowded, max(one.seconds for one in served_by_anchor), 10)
            * 1000,
        ),
        Figure(
            load=name,
            name="lists answered 200",
            value=sum(one.status == 200 for one in lists),
            exactly=len(lists),
        ),
    ]


async def fair(folder: Path, count: int) -> list[Figure]:
    """One repository with many tasks holds every slot; the single one of another is the next."""
    store = await SqliteStore.open(folder / "fair.db")
    queue = TaskQueue(store, time.time, lane_limit=SLOTS)
    await _fill(queue, BUSY, count)
    begun, may_end = asyncio.Queue[RepoRef | None](), asyncio.Semaphore(0)

    async def advance(task: Task) -> Task:
        begun.put_nowait(task.repo)
        await may_end.acquire()
        line = note(task, Outcome.PASS, "done", time.time(), cause=None)
        return await queue.record(task, line, replace(task, status=Status.COMPLETED))

    pool = ExecutorPool(queue, advance, slots=SLOTS)
    pool.start()
    async with asyncio.timeout(60.0):
        held = [await begun.get() for _ in range(SLOTS)]
        await _fill(queue, CALM, 1)
        may_end.release()
        passed = 0
        while await begun.get() != CALM:
            passed += 1
            may_end.release()
    await pool.drain(0.0)
    await store.close()
    name = f"{count:,} tasks of one repository, 1 of another"
    return [
        Figure(load=name, name="slots that the one holds", value=held.count(BUSY), exactly=SLOTS),
        Figure(load=name, name="tasks that pass the single one", value=passed, exactly=0),
    ]


async def _fill(queue: TaskQueue, repo: RepoRef, count: int) -> None:
    """Queue so many tasks of a repository."""
    wishes = (
        Task(id="", feature=f"Add page {n}", title=f"Add page {n}", repo=repo, issue=n)
        for n in range(1, count + 1)
    )
    while batch := list(islice(wishes, 500)):
        await asyncio.gather(*(queue.submit(wish) for wish in batch))


async def _claim_s(queue: TaskQueue) -> float:
    began = time.perf_counter()
    assert await queue.claim("load/1") is not None
    return time.perf_counter() - began
