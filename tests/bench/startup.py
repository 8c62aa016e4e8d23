"""startup: the help text, the server's first accepted webhook, the loop's first stalls."""

import asyncio
import contextlib
import resource
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from pydantic import SecretStr

from bot import log
from bot.app import create_app
from bot.config.settings import Settings
from bot.demo.ports import free_port
from bot.door import keep_what_is_loaded, serving
from tests.bench import spawned, wire
from tests.bench.ingest import settings_in
from tests.bench.keys import private_key
from tests.bench.meter import tree_cpu_s
from tests.bench.model import Bench, Cell, Figure, Reading

KINDS = (
    "issues", "issue_comment", "pull_request", "pull_request_review", "workflow_run", "check_run",
    "check_suite", "deployment_status", "push", "installation", "ping",
)  # fmt: skip


def bench() -> Bench:
    cells = [
        Cell(name=name, work=f"tests.bench.startup:{name}")
        for name in ("help_text", "first_webhook", "stalls")
    ]
    return Bench(
        name="startup",
        about="from a spawn to something useful, files in the page cache",
        cells=cells,
        figures=(
            Figure(
                name="`chimera --help`, processor",
                unit="s",
                of=lambda r: r["help_text"]["cpu_s"],
                at_most=0.3,
            ),
            Figure(
                name="`chimera serve`, spawn to the first 202",
                unit="s",
                of=lambda r: r["first_webhook"]["wall_s"],
                at_most=1.0,
            ),
            Figure(
                name="the same, processor",
                unit="s",
                of=lambda r: r["first_webhook"]["cpu_s"],
            ),
            Figure(
                name="longest stall of the event loop at the first delivery of any kind",
                unit="ms",
                of=lambda r: r["stalls"]["longest_ms"],
                at_most=50,
            ),
        ),
    )


def help_text() -> Reading:
    """What `chimera --help` costs, interpreter included."""
    before = _children_cpu_s()
    subprocess.run([sys.executable, "-m", "bot", "--help"], check=True, stdout=subprocess.DEVNULL)
    return {"cpu_s": _children_cpu_s() - before}


def first_webhook() -> Reading:
    """A fresh server on a fresh data directory, asked until it accepts a signed delivery."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        before, begun = _children_cpu_s(), time.perf_counter()
        with spawned.server(port, Path(folder)) as server:
            while (status := spawned.delivered(port)) != 202:
                assert server.poll() is None, Path(folder, "log").read_text()
                assert time.perf_counter() - begun < spawned.WITHIN_S, f"last answer: {status}"
                time.sleep(0.005)
            wall = time.perf_counter() - begun
            cpu = tree_cpu_s(server.pid)
        assert _children_cpu_s() >= before
    return {"wall_s": wall, "cpu_s": cpu}


async def stalls() -> Reading:
    """The app in this process, and a clock that ticks in its loop, to hear where it stops."""
    with tempfile.TemporaryDirectory() as folder:
        log.set_up(level="CRITICAL")
        async with create_app(_with_github(settings_in(Path(folder)))) as house:
            keep_what_is_loaded()
            listener = socket.create_server(("127.0.0.1", 0))
            with contextlib.closing(listener):
                async with serving(house.web, listener):
                    daemon = asyncio.create_task(house.daemon.run())
                    longest = await _longest_stall(listener.getsockname()[1])
                    house.daemon.stop()
                    await daemon
    return {"longest_ms": longest * 1000}


def _with_github(settings: Settings) -> Settings:
    """An App whose GitHub cannot be reached: keys are read, tokens signed, calls begun."""
    return settings.model_copy(
        update={
            "app_id": 1,
            "private_key": SecretStr(private_key()),
            "api_url": f"http://127.0.0.1:{free_port()}",
        }
    )


async def _longest_stall(port: int) -> float:
    """Seconds the loop's own processor time ran on without a turn, over the first deliveries.

    Processor time of this thread, not wall time: another program's turn is not a stall of ours.
    """
    url = f"http://127.0.0.1:{port}/webhook"
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(f"http://127.0.0.1:{port}/livez")
        ticker = _Ticker()
        ticking = asyncio.create_task(ticker.run())
        for event in KINDS:
            payload = wire.run_completed(1) if event == "workflow_run" else wire.labeled(1, "bug")
            body = wire.encode(payload)
            answer = await client.post(url, content=body, headers=wire.headers(event, body))
            answer.raise_for_status()
            await asyncio.sleep(0.05)  # the daemon reads it meanwhile, under the same clock
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
    return ticker.longest_s


class _Ticker:
    def __init__(self) -> None:
        self.longest_s = 0.0

    async def run(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest_s = max(self.longest_s, now - last)
            last = now


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
