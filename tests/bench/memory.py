"""memory: what an idle server holds, and what each waiting workflow adds to it."""

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path

from bot import log
from bot.app import create_app
from bot.tasks.sqlite import STORE_FILE
from tests.bench import making
from tests.bench.ingest import settings_in
from tests.bench.meter import rss_kib
from tests.bench.model import Bench, Cell, Figure, Reading


def bench(*, quick: bool) -> Bench:
    args = {"waiting": 100 if quick else 10_000}
    return Bench(
        name="memory",
        about=f"a server with {args['waiting']:,} parked workflows",
        cells=[Cell(name="chimera", work="tests.bench.memory:waiting", args=args)],
        figures=(
            Figure(name="idle server", unit="MiB", of=lambda r: r["chimera"]["idle_kib"] / 1024),
            Figure(
                name="each waiting workflow",
                unit="KiB",
                of=lambda r: r["chimera"]["each_kib"],
                at_most=16,
            ),
            Figure(
                name="on disk, each",
                unit="KiB",
                of=lambda r: r["chimera"]["disk_kib"],
            ),
        ),
    )


async def waiting(waiting: int) -> Reading:
    """Resident memory before and after the tasks are there and all of them were woken once."""
    with tempfile.TemporaryDirectory() as folder:
        log.set_up(level="ERROR")
        async with create_app(settings_in(Path(folder))) as house:
            house.pool.resize(0)
            daemon = asyncio.create_task(house.daemon.run())
            await house.queue.depth()
            idle = rss_kib()
            path = Path(folder) / "data" / STORE_FILE
            await asyncio.to_thread(making.fill, path, waiting, 50, time.time(), waiting=True)
            for number in range(min(waiting, 100)):
                await house.queue.wake(f"run:{number % 50 + 1}/{number}")
            await house.pool.get_metrics()
            held = rss_kib()
            disk = sum(file.stat().st_size for file in path.parent.glob(f"{STORE_FILE}*")) / 1024
            house.daemon.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await daemon
    return {
        "idle_kib": idle,
        "each_kib": max(0.0, held - idle) / waiting,
        "disk_kib": disk / waiting,
    }
