"""claim: what a claim costs however long the queue is, and however many lanes are busy."""

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bot.domain import Status
from bot.tasks.claims import CLAIM_LANES
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from tests.bench import making
from tests.bench.meter import Meter
from tests.bench.model import Bench, Cell, Figure, Reading, Readings

LANES = 50
BUSY_LANES = 400  #: repositories that are at their limit while one more has room
LONG = 1000  #: tasks of the repository beside which another has one
SLOTS = 5


def bench(*, quick: bool, million: bool) -> Bench:
    sizes = [100, 1000] if quick else [1_000, 100_000, *([1_000_000] if million else [])]
    claims = 20 if quick else 300
    cells = [
        Cell(name=str(n), work="tests.bench.claim:claims", args={"queued": n, "claims": claims})
        for n in sizes
    ]
    busy = Cell(name="busy", work="tests.bench.claim:busy_lanes", args={"queued": sizes[1]})
    return Bench(
        name="claim",
        about="the next task out of a long queue, one durable commit each",
        cells=[*cells, busy, Cell(name="beside", work="tests.bench.claim:beside")],
        figures=(
            *(_cost(n) for n in sizes),
            *(_against(n, sizes[0]) for n in sizes[1:]),
            Figure(
                name=f"the scan alone past {BUSY_LANES} full repositories, {sizes[1]:,} queued",
                unit="µs",
                of=lambda r: r["busy"]["scan_us"],
            ),
            Figure(
                name="and it takes the one task that may run",
                of=lambda r: r["busy"]["right"],
                at_least=1,
                exact=True,
            ),
            Figure(
                name=f"started of {LONG:,} tasks of a repository before the one of another",
                of=lambda r: r["beside"]["before"],
                at_most=2 * SLOTS,
                exact=True,
            ),
        ),
    )


def _cost(queued: int) -> Figure:
    def of(readings: Readings) -> float:
        return readings[str(queued)]["cpu_us"]

    return Figure(name=f"processor per claim, {queued:,} queued", unit="µs", of=of)


def _against(queued: int, base: int) -> Figure:
    def of(readings: Readings) -> float:
        return readings[str(queued)]["cpu_us"] / readings[str(base)]["cpu_us"]

    return Figure(name=f"{queued:,} queued against {base:,}", unit="×", of=of, at_most=1.5)


async def claims(queued: int, claims: int) -> Reading:
    """Claims measured alone; each task is recorded before the next, outside of the measure."""
    with tempfile.TemporaryDirectory() as folder:
        store = await _filled(Path(folder) / "chimera.db", queued, LANES)
        queue = TaskQueue(store, time.time, lane_limit=10)
        meter = Meter()
        for number in range(claims + 10):
            if number == 10:
                meter = Meter()  # the first ones have read the database in
            with meter.running():
                task = await queue.claim("bench/1")
            assert task is not None
            await queue.record(task, making.step(task, time.time()), making.done(task))
        await store.close()
    return meter.reading(claims)


async def busy_lanes(queued: int) -> Reading:
    """The scan with every repository at its limit, all but the last."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chimera.db"
        store = await _filled(path, queued, BUSY_LANES + 1)
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.execute("INSERT INTO lane (lane, max_running) SELECT DISTINCT lane, 0 FROM task")
            raw.execute("DELETE FROM lane WHERE lane = ?", (str(BUSY_LANES + 1),))
        taken: list[float] = []
        for _ in range(30):
            taken.append(await store.read(lambda tx: _timed(tx.all)))
        task = await TaskQueue(store, time.time).claim("bench/1")
        await store.close()
    right = task is not None and task.status is Status.RUNNING and task.repo is not None
    only = right and task is not None and task.repo is not None and task.repo.id == BUSY_LANES + 1
    return {"scan_us": sorted(taken)[len(taken) // 2] * 1e6, "right": float(only)}


async def beside() -> Reading:
    """No limit but the slots, all of them taken; a task ends, the next is claimed, and so on."""
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder) / "chimera.db")
        queue = TaskQueue(store, time.time, lane_limit=LONG)
        await asyncio.gather(*(queue.submit(making.wish(n + 1, of=1)) for n in range(LONG)))
        running = await queue.claim_some("bench/1", SLOTS)
        alone, _ = await queue.submit(making.wish(1, of=2))
        started = 0
        while running[-1].id != alone.id:
            task = running.pop(0)
            await queue.record(task, making.step(task, time.time()), making.done(task))
            running += await queue.claim_some("bench/1", 1)
            started += 1
        await store.close()
    return {"before": started - 1}


def _timed(run: object) -> float:
    assert callable(run)
    begun = time.thread_time()
    run(CLAIM_LANES, {"lane_limit": 2})
    return time.thread_time() - begun


async def _filled(path: Path, queued: int, lanes: int) -> SqliteStore:
    store = await SqliteStore.open(path)
    making.fill(path, queued, lanes, time.time())
    return store
