"""A real `chimera serve` without GitHub, and beside it the anchor, each a process of its own."""

import asyncio
import contextlib
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bot.demo.ports import free_port
from bot.tasks.sqlite import STORE_FILE
from tests.bench import wire
from tests.faults.served import ROOT, answers

READY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A server under load, and what it is held against."""

    folder: Path
    port: int
    pid: int
    anchor_port: int

    def stored(self) -> set[str]:
        """The GUIDs of every delivery that is in the store."""
        path = self.folder / "bot" / STORE_FILE
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as raw:
            return {row[0] for row in raw.execute("SELECT delivery_id FROM inbox")}

    def rss_mib(self, name: str = "VmRSS") -> float:
        """Resident memory of the server now, or `VmHWM`: the most since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) / 1024

    def forget_peak(self) -> None:
        """Begin to look for the most memory anew; see proc(5), clear_refs."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")


@contextlib.asynccontextmanager
async def stand(folder: Path) -> AsyncIterator[Stand]:
    """A server with the bench's webhook secret, on the store in this folder if there is one."""
    port = free_port()
    log = (folder / "serve.log").open("ab")
    with log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve", "--port", str(port)),
            cwd=ROOT, env=_environment(folder), stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        async with asyncio.timeout(READY_S):
            while not await answers(port):
                assert process.returncode is None, (folder / "serve.log").read_text()[-3000:]
                await asyncio.sleep(0.05)
        async with _anchor() as anchor_port:
            yield Stand(folder=folder, port=port, pid=process.pid, anchor_port=anchor_port)
    finally:
        process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def _anchor() -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.load.anchor", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "CHIMERA_DATA_DIR": str(folder / "bot"),
        "CHIMERA_WEBHOOK_SECRET": wire.SECRET,
        "CHIMERA_WORKER_NAME": "loaded",
        "CHIMERA_CAGE": "none",
    }
