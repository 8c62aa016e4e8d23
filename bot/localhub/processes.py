"""Starts programs so that whoever is cancelled meanwhile leaves none of them behind."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

LINE_LIMIT = 64 * 1024  #: bytes; asyncio's own


async def started(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int,
    stderr: int,
    cwd: Path | None = None,
    limit: int = LINE_LIMIT,
) -> asyncio.subprocess.Process:
    """A program in a session of its own (a terminal's Ctrl-C is for the hub), its output a pipe.

    `limit` is the longest line of it, in bytes. `create_subprocess_exec` itself, cancelled, can
    wait for ever for pipes that it has not joined yet, and would end the program alone (asyncio's
    `base_subprocess.py`, `_try_finish`); this ends the whole session.
    """
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            limit=limit,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.shield(_abandon(starting))
        raise


async def ended(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the session, and wait for the program."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _abandon(starting: "asyncio.Task[asyncio.subprocess.Process]") -> None:
    with contextlib.suppress(OSError):  # there is no such program
        await ended(await starting)
