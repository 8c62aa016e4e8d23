"""One caged run from its start to its end: its output, its limits, and what it came to."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot.agents.cage_output import CHUNK, Capture, Stream
from bot.agents.cage_policy import MIB
from bot.agents.cage_spawn import OWN_TASKS, Job, Spawned, spawn
from bot.agents.cage_watch import look_at, pss_of
from bot.errors import MachineFailed

_LOOK_EVERY_S = 0.1
_DEAR_EVERY = 5  #: looks: memory and disk every half second, for they cost more
LAST_WORDS = 500  #: characters of what a program said last
_LAST_WORDS_S = 2  #: for what was printed before the end and is still in a pipe


class Ending(StrEnum):
    """Why a run is over."""

    EXITED = "exited"  #: by itself, with an exit code
    TIMEOUT = "timeout"  #: wall time
    IDLE = "idle"  #: no output for too long
    CPU = "cpu"
    MEMORY = "memory"
    PIDS = "pids"
    DISK = "disk"  #: hardly any room left where the checkout is
    OUTPUT_LIMIT = "output_limit"
    KILLED = "killed"  #: by a signal that was not ours: the kernel's memory killer, or itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a caged run came to."""

    exit_code: int | None  #: None where we ended it
    outcome: Ending
    output: bytes  #: both streams in order of arrival, bounded
    stdout: bytes
    stderr: bytes
    truncated: bool
    duration_ms: int

    @property
    def ok(self) -> bool:
        """It ended by itself, with 0."""
        return self.outcome is Ending.EXITED and self.exit_code == 0

    @property
    def text(self) -> str:
        """`output` as text; bytes that are not UTF-8 are replaced."""
        return self.output.decode("utf-8", "replace")

    def after(self, ended: str) -> str:
        """How it ended, and the program's last words where it had any."""
        return ": ".join(filter(None, (ended, self.text.strip()[-LAST_WORDS:])))


async def run_to_its_end(
    program: Path | None, job: Job, on_output: Callable[[bytes], None] | None
) -> Ran:
    """Starts `job` and sees it through. A start is never cut short: half a cage holds nobody."""
    starting = asyncio.create_task(spawn(program, job))
    asked = await settled(starting)
    if asked is not None and starting.exception() is not None:
        raise asked
    return await _Run(starting.result(), job, on_output).finish(asked)


class _Run:
    """One run: pumps its output, watches what it uses, and ends it."""

    def __init__(
        self, spawned: Spawned, job: Job, on_output: Callable[[bytes], None] | None
    ) -> None:
        self._spawned = spawned
        self._limits = job.limits
        self._view = job.view
        self._on_output = on_output
        self._capture = Capture(job.limits.kept_kb * 1024)
        self._started = self._last_output = time.monotonic()
        self._setup_failed = False

    async def finish(self, asked: asyncio.CancelledError | None) -> Ran:
        """Waits for the end, whoever brings it, and leaves nothing behind.

        `asked` is a cancellation that came while the run was being started.
        """
        spawned = self._spawned
        ended = asyncio.create_task(spawned.started.process.wait())
        watch = asyncio.create_task(self._watch())
        pumps = [
            asyncio.create_task(self._pump(Stream.STDOUT, spawned.started.stdout)),
            asyncio.create_task(self._pump(Stream.STDERR, spawned.started.stderr)),
        ]
        try:
            if asked is not None:
                raise asked
            await asyncio.wait([ended, watch], return_when=asyncio.FIRST_COMPLETED)
            over = watch.result() if watch.done() else None
        finally:
            cleaning = asyncio.create_task(self._clean_up(ended, watch, pumps))
            if (cancelled := await settled(cleaning)) is not None:
                raise cancelled
            cleaning.result()
        if over is None and self._setup_failed:
            said = self._capture.text_of(Stream.STDERR).decode("utf-8", "replace")
            raise MachineFailed(f"the cage could not be set up: {said.strip()[-500:]}")
        return self._ran(over, ended.result())

    def _ran(self, over: Ending | None, code: int) -> Ran:
        capture = self._capture
        if over is None:
            over = Ending.KILLED if code < 0 or code == 128 + signal.SIGKILL else Ending.EXITED
        return Ran(
            exit_code=code if over is Ending.EXITED else None,
            outcome=over,
            output=capture.text_of(Stream.STDOUT, Stream.STDERR),
            stdout=capture.text_of(Stream.STDOUT),
            stderr=capture.text_of(Stream.STDERR),
            truncated=capture.left_out > 0,
            duration_ms=round((time.monotonic() - self._started) * 1000),
        )

    async def _clean_up(
        self,
        ended: asyncio.Task[int],
        watch: asyncio.Task[Ending],
        pumps: Sequence[asyncio.Task[None]],
    ) -> None:
        watch.cancel()
        self._spawned.kill()  # also after a quiet end: `none` has no namespace that does it
        await ended
        await asyncio.wait(pumps, timeout=_LAST_WORDS_S)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(watch, *pumps, return_exceptions=True)
        self._setup_failed = self._spawned.setup_failed()
        self._spawned.close()

    async def _watch(self) -> Ending:
        looks = 0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            looks += 1
            if over := self._over_time() or await self._over_use(looks):
                return over

    def _over_time(self) -> Ending | None:
        now, limits = time.monotonic(), self._limits
        if self._capture.total > limits.flood_mb * MIB:
            return Ending.OUTPUT_LIMIT
        if now - self._started > limits.wall_s:
            return Ending.TIMEOUT
        if limits.idle_s is not None and now - self._last_output > limits.idle_s:
            return Ending.IDLE
        return None

    async def _over_use(self, looks: int) -> Ending | None:
        limits = self._limits
        use = await asyncio.to_thread(look_at, self._spawned.root_pid, at_most=limits.pids + 8)
        if use.tasks > limits.pids + OWN_TASKS:
            return Ending.PIDS
        if limits.cpu_s is not None and use.cpu_s > limits.cpu_s:
            return Ending.CPU
        if looks % _DEAR_EVERY:
            return None
        if self._view.writable and _free(self._view.workspace) < limits.spare_disk_mb * MIB:
            return Ending.DISK
        if use.rss > limits.memory_mb * MIB:
            used = await asyncio.to_thread(pss_of, use.pids)
            return Ending.MEMORY if used > limits.memory_mb * MIB else None
        return None

    async def _pump(self, stream: Stream, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            self._last_output = time.monotonic()
            self._capture.add(stream, data)
            if self._on_output is not None:
                self._on_output(data)
            if self._capture.total > self._limits.flood_mb * MIB:
                return  # the watch ends it; a full pipe holds it until then


def _free(folder: Path) -> int:
    """Bytes that an ordinary user may still write on the folder's disk."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


async def settled(work: asyncio.Task[Any]) -> asyncio.CancelledError | None:
    """Waits until `work` is done although we are being cancelled; then says that we were."""
    asked: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as cancelled:
            asked = cancelled
    return asked
