"""What the hub starts, and that nothing of it is left when its caller is cancelled meanwhile."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from bot.localhub.processes import ended, started


@pytest.mark.parametrize("turns", range(3, 12))
async def test_a_caller_that_is_cancelled_leaves_neither_the_program_nor_what_it_has_started(
    tmp_path: Path, turns: int
) -> None:
    """So many turns of the event loop after the call, on a machine that is slow just then."""
    told = tmp_path / "pid"
    call = asyncio.create_task(run(f"sleep 90 & echo $! > {told}.new; mv {told}.new {told}; wait"))
    for _ in range(turns):
        await asyncio.sleep(0)
    until_it_runs(told)
    call.cancel()
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await call
        while Path(f"/proc/{told.read_text().strip()}").exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.02)


async def run(line: str) -> None:
    process = await started(
        ("sh", "-c", line),
        env={"PATH": os.environ["PATH"]},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await process.communicate()
    finally:
        await ended(process)


def until_it_runs(told: Path) -> None:
    """The event loop stands still meanwhile; the program does not."""
    deadline = time.monotonic() + 20
    while not told.exists():
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.002)
