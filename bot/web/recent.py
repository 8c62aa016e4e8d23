"""An answer that may be some seconds old."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Asks again when the last answer is older than `for_s`; who meet share one question."""

    def __init__(
        self, ask: Callable[[], Awaitable[T]], *, now: Callable[[], float], for_s: float
    ) -> None:
        self._ask = ask
        self._now = now
        self._for_s = for_s
        self._held: tuple[float, T] | None = None
        self._asking = asyncio.Lock()

    async def get(self) -> T:
        """The answer; what `ask` raises is raised to whoever made it ask."""
        async with self._asking:
            if self._held is None or self._now() - self._held[0] > self._for_s:
                self._held = (self._now(), await self._ask())
            return self._held[1]
