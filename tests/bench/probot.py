"""Probot, as its documentation starts it: what `ingest` and `memory` are held against.

Installed from npm once, by name and version, below the user's cache. It verifies the signature,
parses the payload, makes the handler's context, calls the handler and answers 200; it keeps
nothing, and a delivery that comes twice is handled twice. Node's JIT compiler makes a delivery
half as dear once some thousands have passed, so it is measured both cold and warm.
https://probot.github.io/docs/deployment/, https://probot.github.io/docs/configuration/
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bot.demo.ports import free_port
from tests.bench import senders, wire
from tests.bench.keys import private_key
from tests.bench.meter import tree_cpu_s, tree_rss_kib
from tests.bench.model import Absent, Reading

VERSION = "14.3.2"
APP = Path(__file__).with_name("probot_app.mjs")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
INSTALL_S = 240.0
START_S = 30.0
LOOK_S = 0.02
SETTLE_S = 1.0  #: after its first delivery, as for ours
NPM = (
    "npm", "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts",
    "--fetch-retries=1", "--fetch-retry-mintimeout=1000",
)  # fmt: skip


async def deliveries(count: int, callers: int, warm_up: int) -> Reading:
    """Processor time of the whole tree per delivery: of a fresh process, then of a warm one."""
    async with served() as (pid, port):
        cold = await _per_cpu_s(pid, port, count, callers)
        await senders.delivered(port, warm_up, callers)
        return {
            "cold_per_cpu_s": cold,
            "warm_per_cpu_s": await _per_cpu_s(pid, port, count, callers),
        }


async def idle() -> Reading:
    """Resident memory of the whole tree after the start and one delivery."""
    async with served() as (pid, port):
        await senders.delivered(port, 1, 1)
        await asyncio.sleep(SETTLE_S)
        return {"idle_kib": tree_rss_kib(pid)}


async def _per_cpu_s(pid: int, port: int, count: int, callers: int) -> float:
    before = tree_cpu_s(pid)
    total = await senders.delivered(port, count, callers)
    return total / max(tree_cpu_s(pid) - before, TICK_S)


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[tuple[int, int]]:
    """A running Probot: its process and its port. Raises Absent where it cannot be had."""
    app = await asyncio.to_thread(installed)
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "NODE_ENV": "production",  # its log is JSON lines, as ours is
        "APP_ID": "1",
        "PRIVATE_KEY": private_key(),
        "WEBHOOK_SECRET": wire.SECRET,
        "WEBHOOK_PATH": "/webhook",
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    with tempfile.TemporaryFile() as lines:
        process = await asyncio.create_subprocess_exec(
            "node", str(app), cwd=app.parent, env=environment, stdout=lines, stderr=lines
        )
        try:
            await _listening(process, port)
            yield process.pid, port
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(START_S):
        while process.returncode is None:
            with contextlib.suppress(ConnectionError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(LOOK_S)
    raise Absent(f"probot {VERSION} does not start with this Node")


def installed() -> Path:
    """The app beside an installed Probot. Raises Absent where npm has none for us."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Absent(f"{program} is not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chimera-bench"
    home = cache / f"probot-{VERSION}"
    if not home.is_dir():
        _install(cache, home)
    fresh = shutil.copy(APP, home / f"{os.getpid()}.mjs")
    return Path(fresh).replace(home / APP.name)


def _install(cache: Path, home: Path) -> None:
    """Into a folder of its own, which gets its name when it is whole."""
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        made = Path(name) / "made"
        made.mkdir()
        try:
            argv = [*NPM, "--prefix", str(made), f"probot@{VERSION}"]
            subprocess.run(argv, check=True, capture_output=True, timeout=INSTALL_S)
        except subprocess.SubprocessError as problem:
            raise Absent(f"npm could not install probot {VERSION}") from problem
        with contextlib.suppress(OSError):  # another process was faster
            made.rename(home)
