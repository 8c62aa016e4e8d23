"""pickup: from the webhook's first byte to the step that it wakes, beside a poller of 1.0 s."""

import asyncio
import contextlib
import random
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from bot import log
from bot.app import House, create_app
from bot.domain import Task
from bot.door import Door, serving, web_settings
from bot.tasks.pool import ExecutorPool
from tests.bench import making, senders, wire
from tests.bench.ingest import settings_in
from tests.bench.meter import percentile
from tests.bench.model import Bench, Cell, Figure, Reading

POLL_S = 1.0
SPREAD_S = 4.0  #: the deliveries come at random times of this span


def bench(*, quick: bool) -> Bench:
    args = {"count": 6 if quick else 40}
    return Bench(
        name="pickup",
        about="POST /webhook (an Actions run has ended) to the parked task's next step",
        cells=[
            Cell(name="chimera", work="tests.bench.pickup:woken", args=args),
            Cell(name="poller", work="tests.bench.pickup:polled", args=args),
        ],
        figures=(
            Figure(name="webhook to running, p95", unit="ms", of=lambda r: r["chimera"]["p95_ms"]),
            Figure(name="the same, p50", unit="ms", of=lambda r: r["chimera"]["p50_ms"]),
            Figure(name="the poller's p95", unit="ms", of=lambda r: r["poller"]["p95_ms"]),
            Figure(
                name="p95 better than the poller's",
                unit="×",
                of=lambda r: r["poller"]["p95_ms"] / r["chimera"]["p95_ms"],
                at_least=100,
            ),
            Figure(
                name="picked up",
                unit="of sent",
                of=lambda r: r["chimera"]["picked"] / args["count"],
                at_least=1,
                exact=True,
            ),
        ),
    )


async def woken(count: int) -> Reading:
    """As it is: the delivery wakes the task, the task wakes the pool."""
    async with _house() as (house, port):
        seen = _Seen(house)
        await _park_all(house, count)
        pool = ExecutorPool(house.queue, seen.advance, name="bench", slots=5)
        pool.start()
        reading = await _measure(port, seen, count)
        await pool.drain(5)
        return reading


async def polled(count: int) -> Reading:
    """The same house, store and intake, but its worker looks once a second."""
    async with _house() as (house, port):
        seen = _Seen(house)
        await _park_all(house, count)
        poller = asyncio.create_task(_poll(house, seen))
        reading = await _measure(port, seen, count)
        poller.cancel()
        await asyncio.gather(poller, return_exceptions=True)
        return reading


class _Seen:
    """When each step began. The step itself ends its task at once."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.at: dict[int, float] = {}
        self.bell = asyncio.Event()

    async def advance(self, task: Task) -> Task:
        self.at[task.issue] = time.perf_counter()
        self.bell.set()
        line = making.step(task, time.time())
        return await self._house.queue.record(task, line, making.done(task))


@contextlib.asynccontextmanager
async def _house() -> AsyncIterator[tuple[House, int]]:
    """The app behind its socket, its daemon reading deliveries, and no slots of its own."""
    with tempfile.TemporaryDirectory() as folder:
        log.set_up(level="ERROR")
        settings = settings_in(Path(folder))
        async with create_app(settings) as house:
            house.pool.resize(0)
            listener = socket.create_server(("127.0.0.1", 0), backlog=512)
            with contextlib.closing(listener):
                door = Door(house.queue, web_settings(settings))
                door.open(house)
                async with serving(door, listener, take=door.receiver.take):
                    daemon = asyncio.create_task(house.daemon.run())
                    yield house, listener.getsockname()[1]
                    house.daemon.stop()
                    await daemon


async def _poll(house: House, seen: _Seen) -> None:
    while True:
        while (task := await house.queue.claim("poller/1")) is not None:
            await seen.advance(task)
        await asyncio.sleep(POLL_S)


async def _measure(port: int, seen: _Seen, count: int) -> Reading:
    """Each request is made before its time begins: a client's own work is not the server's."""
    sent: dict[int, float] = {}
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    span = SPREAD_S * count / 40
    times = sorted(random.uniform(0, span) for _ in range(count))
    begun = time.perf_counter()
    for number, at in enumerate(times, start=1):
        body = wire.encode(wire.run_completed(number))
        request = wire.request(port, "workflow_run", body)
        await asyncio.sleep(max(0.0, begun + at - time.perf_counter()))
        sent[number] = time.perf_counter()
        writer.write(request)
        assert await senders.answered(reader) == 202
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(30):
        while len(seen.at) < count:
            seen.bell.clear()
            await seen.bell.wait()
    taken = [(seen.at[number] - at) * 1000 for number, at in sent.items()]
    return {
        "p50_ms": percentile(taken, 0.5),
        "p95_ms": percentile(taken, 0.95),
        "picked": len(taken),
    }


async def _park_all(house: House, count: int) -> None:
    """Tasks that wait for runs 1, 2, … of the repository that the deliveries name."""
    for number in range(1, count + 1):
        task, _ = await house.queue.submit(making.wish(number, of=7))
        waits = partial(making.parked, key=f"run:7/{number}")
        await house.queue.change(task.id, waits)
