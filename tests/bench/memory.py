"""memory: what an idle server holds beside an idle Probot, and what a waiting workflow adds.

Idle is `chimera serve` with an App, and Probot with one, each after its start and one delivery:
the resident pages of the process and of all below it. The libraries alone are measured beside
them (`libraries`).
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bot import log
from bot.app import create_app
from bot.demo.ports import free_port
from bot.tasks.sqlite import STORE_FILE
from tests.bench import making, spawned
from tests.bench.ingest import settings_in
from tests.bench.keys import private_key
from tests.bench.meter import rss_kib, tree_rss_kib
from tests.bench.model import Bench, Cell, Figure, Reading

SETTLE_S = 1.0  #: after the first delivery, for what it sets going


def bench(*, quick: bool) -> Bench:
    args = {"waiting": 100 if quick else 10_000}
    return Bench(
        name="memory",
        about=f"a server with {args['waiting']:,} parked workflows",
        cells=[
            Cell(name="idle", work="tests.bench.memory:idle"),
            Cell(name="probot", work="tests.bench.probot:idle"),
            Cell(name="libraries", work="tests.bench.memory:libraries"),
            Cell(name="chimera", work="tests.bench.memory:waiting", args=args),
        ],
        figures=(
            Figure(name="idle server", unit="MiB", of=lambda r: r["idle"]["idle_kib"] / 1024),
            Figure(name="idle Probot", unit="MiB", of=lambda r: r["probot"]["idle_kib"] / 1024),
            Figure(
                name="idle server, of an idle Probot's",
                unit="×",
                of=lambda r: r["idle"]["idle_kib"] / r["probot"]["idle_kib"],
                at_most=0.8,
            ),
            Figure(
                name="of it the libraries alone",
                unit="MiB",
                of=lambda r: r["libraries"]["idle_kib"] / 1024,
            ),
            Figure(
                name="the libraries alone, of an idle Probot's",
                unit="×",
                of=lambda r: r["libraries"]["idle_kib"] / r["probot"]["idle_kib"],
            ),
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


def idle() -> Reading:
    """A server of its own, whose GitHub cannot be reached, after it has taken one delivery."""
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        app = {
            "CHIMERA_APP_ID": "1",
            "CHIMERA_PRIVATE_KEY": private_key(),
            "CHIMERA_API_URL": f"http://127.0.0.1:{free_port()}",
        }
        with spawned.server(port, Path(name), app) as server:
            spawned.until_alive(server, port, Path(name))
            assert spawned.delivered(port) == 202
            time.sleep(SETTLE_S)
            return {"idle_kib": tree_rss_kib(server.pid)}


def libraries() -> Reading:
    """What any bot on these libraries holds: one that has them loaded, and nothing of ours."""
    with tempfile.TemporaryDirectory() as name:
        key = Path(name) / "key.pem"
        key.write_text(private_key())
        argv = [sys.executable, "-m", "tests.bench.libraries", str(key), str(free_port())]
        return {"idle_kib": float(subprocess.check_output(argv, text=True))}


async def waiting(waiting: int) -> Reading:
    """Resident memory before and after the tasks are there and all of them were woken once."""
    with tempfile.TemporaryDirectory() as folder:
        log.set_up(level="ERROR")
        async with create_app(settings_in(Path(folder))) as house:
            house.pool.resize(0)
            daemon = asyncio.create_task(house.daemon.run())
            await house.queue.depth()
            before = rss_kib()
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
        "each_kib": max(0.0, held - before) / waiting,
        "disk_kib": disk / waiting,
    }
