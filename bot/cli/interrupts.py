"""Runs a coroutine to its end, or until a person interrupts it; then what it opened is closed."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from bot.cli.talk import say

T = TypeVar("T")

#: Signals that end a program in a terminal, and the exit codes that shells give them.
_ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def until_interrupted(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns. Exits 130, 143 or 129 where Ctrl-C or a signal has cancelled it."""
    came: list[signal.Signals] = []
    with asyncio.Runner() as runner:
        try:
            return runner.run(_watched(work, came))
        except asyncio.CancelledError:
            if not came:
                raise
    raise SystemExit(_ENDS[came[0]])


async def _watched(work: Coroutine[Any, Any, T], came: list[signal.Signals]) -> T:
    loop, running = asyncio.get_running_loop(), asyncio.create_task(work)

    def end(number: signal.Signals) -> None:
        """The first signal ends the work; it is not cut short by those after it."""
        if not came:
            say("interrupted; ending what was started …")
            running.cancel()
        came.append(number)

    for number in _ENDS:
        loop.add_signal_handler(number, end, number)
    try:
        return await running
    finally:
        for number in _ENDS:
            loop.remove_signal_handler(number)
