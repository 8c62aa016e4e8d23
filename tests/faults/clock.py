"""An event loop whose time jumps: when nothing can run, it is already the next deadline.

Every timer of the program under test (leases, back-offs, quiet windows, sweeps, `asyncio.timeout`)
is one of this loop's, so that hours pass in milliseconds and always in the same order.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

START = 1_800_000_000.0  #: Unix seconds when a history begins


class Stuck(RuntimeError):
    """Nothing can run and nothing is awaited: a coroutine waits for what will never come."""


class SimLoop(asyncio.SelectorEventLoop):
    """A loop on simulated time. Work for other threads is done at once, in this one.

    Its end may not depend on how busy the machine is, and a thread would only be waited for.
    """

    def __init__(self) -> None:
        self._passed = 0.0
        super().__init__(_Jumping(self.passes))

    def time(self) -> float:
        return self._passed

    def wall(self) -> float:
        """Unix seconds, for whoever asks what time it is."""
        return START + self._passed

    def passes(self, seconds: float) -> None:
        self._passed += seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        future = self.create_future()
        asyncio._set_running_loop(None)  # as it is in another thread
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        finally:
            asyncio._set_running_loop(self)
        return future


class _Jumping(selectors.DefaultSelector):
    """Where the loop would sleep, time passes instead."""

    def __init__(self, passes: Callable[[float], None]) -> None:
        super().__init__()
        self._passes = passes

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stuck("nothing can run, and no time is waited for")
        self._passes(timeout)
        return ready
