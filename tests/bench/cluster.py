"""cluster: the store on PostgreSQL with ten slots, beside Procrastinate alone."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from bot.domain import Status, Task
from bot.tasks.cluster import Cluster
from bot.tasks.pool import ExecutorPool
from bot.tasks.postgres import PostgresStore
from bot.tasks.queue import TaskQueue
from tests.bench import making
from tests.bench.meter import Meter
from tests.bench.model import Absent, Bench, Cell, Figure, Reading
from tests.bench.queues import ten_callers
from tests.postgres import Server, programs

SLOTS = 10


def bench(*, quick: bool) -> Bench:
    args = {"count": 30 if quick else 500}
    return Bench(
        name="cluster",
        about="ten callers, then ten slots on a PostgreSQL of its own; every step is on disk",
        cells=[
            Cell(name="chimera", work="tests.bench.cluster:chimera", args=args),
            Cell(name="procrastinate", work="tests.bench.cluster:procrastinate_alone", args=args),
        ],
        figures=(
            Figure(name="tasks", unit="/s", of=lambda r: r["chimera"]["per_s"]),
            Figure(name="Procrastinate, jobs", unit="/s", of=lambda r: r["procrastinate"]["per_s"]),
            Figure(
                name="tasks per CPU-second against Procrastinate's jobs",
                unit="×",
                of=lambda r: r["chimera"]["per_cpu_s"] / r["procrastinate"]["per_cpu_s"],
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


async def chimera(count: int) -> Reading:
    """Submit, dispatch, claim, journal, record: everything but the work itself."""
    async with _database() as url:
        store = await PostgresStore.open(url)
        clock = await store.clock()
        cluster = Cluster(url, clock)
        queue = TaskQueue(store, clock, lane_limit=10_000, bells=cluster.bells)
        meter, all_done, done = Meter(), asyncio.Event(), 0

        async def advance(task: Task) -> Task:
            nonlocal done
            stored = await queue.record(task, making.step(task, clock()), making.done(task))
            done += 1
            if done == count:
                all_done.set()
            return stored

        pool = ExecutorPool(queue, advance, slots=SLOTS)
        numbers = iter(range(1, count + 1))

        async def submit() -> bool:
            number = next(numbers, None)
            if number is not None:
                await queue.submit(making.wish(number, of=number % 10 + 1))
            return number is not None

        async with cluster.joined(pool):
            with meter.running():
                await ten_callers(submit)
                pool.start()
                await all_done.wait()
            await pool.drain(5.0)
        counts = await queue.counts()
        await store.close()
    return meter.reading(count) | {"done": counts[Status.COMPLETED]}


async def procrastinate_alone(count: int) -> Reading:
    """Defer and run the same number of jobs that do nothing."""
    import procrastinate

    logging.getLogger("procrastinate").setLevel(logging.ERROR)
    async with _database() as url:
        app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(conninfo=url, min_size=4, max_size=SLOTS + 2)
        )

        @app.task(name="nothing", queue="bench")
        async def nothing(text: str) -> None:
            del text

        numbers, meter = iter(range(count)), Meter()

        async def defer() -> bool:
            number = next(numbers, None)
            if number is not None:
                await nothing.defer_async(text=f"feature {number} " * 10)
            return number is not None

        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            with meter.running():
                await ten_callers(defer)
                await app.run_worker_async(
                    queues=["bench"], concurrency=SLOTS, wait=False, install_signal_handlers=False
                )
    return meter.reading(count)


@contextlib.asynccontextmanager
async def _database() -> AsyncIterator[str]:
    if programs() is None:
        raise Absent("PostgreSQL's server is not installed")
    server = await asyncio.to_thread(Server.start)
    try:
        yield server.database()
    finally:
        await asyncio.to_thread(server.remove)
