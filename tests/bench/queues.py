"""queue: durable submits, and claims with their completions, beside other queues."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from tests.bench import making
from tests.bench.meter import Meter
from tests.bench.model import Bench, Cell, Figure, Reading, Readings

CALLERS = 10
ANCHORS = ("sqlalchemy", "huey", "dbos")
BOUNDS = {"huey": 1.5, "dbos": 20.0}


def bench(*, quick: bool) -> Bench:
    args = {"count": 40 if quick else 1000}
    anchors = [
        Cell(name=name, work=f"tests.bench.queues_anchors:{name}", args=args)
        for name in (*ANCHORS, "bare")
    ]
    return Bench(
        name="queue",
        about="ten callers; every submit and every completion on disk before it is answered",
        cells=[Cell(name="chimera", work="tests.bench.queues:chimera", args=args), *anchors],
        figures=(
            *_ours("submit", "submit"),
            *_ours("work", "claim + record"),
            *(_against(name, "submit", "submits") for name in ANCHORS),
            *(_against(name, "work", "claims with completion") for name in ANCHORS),
            *(_whole_way(name) for name in ANCHORS),
            Figure(
                name="a bare INSERT, ten in a commit, processor",
                unit="µs",
                of=lambda r: r["bare"]["submit_cpu_us"],
            ),
            Figure(
                name="the most that anything could reach: submits of bare INSERTs against dbos",
                unit="×",
                of=lambda r: r["dbos"]["submit_cpu_us"] / r["bare"]["submit_cpu_us"],
            ),
            Figure(
                name="done once each",
                unit="of submitted",
                of=lambda r: r["chimera"]["done"] / args["count"],
                at_least=1,
                at_most=1,
                exact=True,
            ),
        ),
    )


def _ours(key: str, name: str) -> tuple[Figure, Figure]:
    return (
        Figure(name=f"{name}, processor", unit="µs", of=lambda r: r["chimera"][f"{key}_cpu_us"]),
        Figure(name=name, unit="/s", of=lambda r: r["chimera"][f"{key}_per_s"]),
    )


def _against(anchor: str, key: str, name: str) -> Figure:
    def of(readings: Readings) -> float:
        return readings[anchor][f"{key}_cpu_us"] / readings["chimera"][f"{key}_cpu_us"]

    title = f"{name} per CPU-second against {anchor}"
    return Figure(name=title, unit="×", of=of, at_least=BOUNDS.get(anchor))


def _whole_way(anchor: str) -> Figure:
    """A task's part of the processor from its submit to its completion, theirs in ours."""

    def of(readings: Readings) -> float:
        return _cpu_us(readings[anchor]) / _cpu_us(readings["chimera"])

    title = f"submit, claim and completion per CPU-second against {anchor}"
    return Figure(name=title, unit="×", of=of, at_least=BOUNDS.get(anchor))


def _cpu_us(of: Reading) -> float:
    return of["submit_cpu_us"] + of["work_cpu_us"]


async def chimera(count: int) -> Reading:
    """The whole queue: journal, lease, fence and picture included."""
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder) / "chimera.db")
        queue = TaskQueue(store, time.time, lane_limit=10_000)
        numbers = iter(range(1, count + 1))

        async def submit() -> bool:
            number = next(numbers, None)
            if number is not None:
                await queue.submit(making.wish(number, of=number % 10 + 1))
            return number is not None

        async def work() -> bool:
            task = await queue.claim("bench/1")
            if task is not None:
                await queue.record(task, making.step(task, time.time()), making.done(task))
            return task is not None

        submitting, working = await ten_callers(submit), await ten_callers(work)
        history = await queue.history()
        await store.close()
    return {**reading(submitting, working, count), "done": sum(history.ended.values())}


async def ten_callers(one: Callable[[], Awaitable[bool]]) -> Meter:
    """Call until there is nothing left to do, ten at a time."""

    async def caller() -> None:
        while await one():
            pass

    meter = Meter()
    with meter.running():
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return meter


def reading(submitting: Meter, working: Meter, count: int) -> Reading:
    """Both meters, by the names that the figures use."""
    meters = {"submit": submitting, "work": working}
    return {
        f"{key}_{name}": value
        for key, meter in meters.items()
        for name, value in meter.reading(count).items()
    }
