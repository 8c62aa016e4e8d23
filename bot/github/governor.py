"""The pace of our writes, one governor for each installation.

GitHub allows 80 creating calls a minute and 500 an hour, asks for a second between writes and for
one write at a time; who ignores a limit may lose the App. We stay below, and above our own limits
we do not wait inside a slot: the caller learns when to come again.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from bot.errors import RateLimited

CREATIONS_A_MINUTE = 60
CREATIONS_AN_HOUR = 400
MAX_WAIT_S = 2.0  #: for our turn, spaced; a longer wait is the queue's business
MAX_WAIT_FOR_OTHER_S = 20.0  #: for the write in flight, which has its own deadline below this


class Governor:
    """Spaces the writes of one installation and remembers the limits that GitHub named."""

    def __init__(self, *, spacing_s: float, now: Callable[[], float]) -> None:
        self._spacing_s = spacing_s
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self._next_write_at = 0.0
        self._created: deque[float] = deque()
        self._blocked_until = 0.0
        self._waiting = 0
        self.repetition = 0  #: limit answers in a row; each doubles a wait that names no time

    def recall(self, made: Iterable[float]) -> None:
        """Creating calls from before our time (Unix seconds): they count like our own."""
        self._created = deque(sorted([*self._created, *made]))

    def recount(self, made: Iterable[float]) -> None:
        """All creating calls of the last hour, ours and those of other machines."""
        self._created = deque(sorted(made))

    @property
    def blocked_until(self) -> float:
        """Until when GitHub wants to hear nothing (Unix seconds); it may have passed."""
        return self._blocked_until

    def blocked(self, until: float) -> None:
        """GitHub said: nothing before this instant (Unix seconds)."""
        self._blocked_until = max(self._blocked_until, until)
        self.repetition += 1

    def answered(self) -> None:
        """GitHub served a call: the next silent limit starts at the shortest wait again."""
        self.repetition = 0

    def check(self) -> None:
        """Raise RateLimited while GitHub wants to hear nothing from us."""
        if self._blocked_until > self._now():
            raise RateLimited("GitHub asked us to wait", retry_at=self._blocked_until)

    @contextlib.asynccontextmanager
    async def write(self, *, creates: bool) -> AsyncIterator[None]:
        """Hold the one place for a write. Raises RateLimited instead of waiting for long."""
        self.check()
        await self._take_place()
        try:
            if creates:
                self._count_creation()
            await self._space()
            yield
        finally:
            self._one_at_a_time.release()

    async def _take_place(self) -> None:
        ahead_s = self._waiting * self._spacing_s
        if ahead_s > MAX_WAIT_S:
            text = f"{self._waiting} writes wait for their turn"
            raise RateLimited(text, retry_at=self._now() + ahead_s)
        self._waiting += 1
        try:
            await self._acquire()
        finally:
            self._waiting -= 1

    async def _acquire(self) -> None:
        try:
            async with asyncio.timeout(MAX_WAIT_FOR_OTHER_S):
                await self._one_at_a_time.acquire()
        except TimeoutError as error:
            retry_at = self._now() + MAX_WAIT_S
            raise RateLimited("another write is not answered yet", retry_at=retry_at) from error

    def _count_creation(self) -> None:
        """Enter a creating call in both windows, or say when there is room."""
        now = self._now()
        while self._created and self._created[0] <= now - 3600:
            self._created.popleft()
        self._room(CREATIONS_AN_HOUR, 3600.0)
        self._room(CREATIONS_A_MINUTE, 60.0)
        self._created.append(now)

    def _room(self, most: int, window_s: float) -> None:
        if len(self._created) < most:
            return
        free_at = self._created[-most] + window_s
        if free_at > self._now():
            text = f"our own limit of {most} creating calls in {window_s:.0f} s is reached"
            raise RateLimited(text, retry_at=free_at)

    async def _space(self) -> None:
        wait = self._next_write_at - self._now()
        if wait > 0:
            await asyncio.sleep(min(wait, self._spacing_s))
        self._next_write_at = self._now() + self._spacing_s
