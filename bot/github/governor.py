"""The pace of our writes, one governor for each installation.

GitHub allows 80 creating calls a minute and 500 an hour, asks for a second between writes and for
one write at a time; who ignores a limit may lose the App. We stay below, and above our own limits
we do not wait inside a slot: the caller learns when to come again. A receipt, by which a person
sees that they were heard, goes before every other write, and has room above our limits.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple

from bot.errors import RateLimited

CREATIONS_A_MINUTE = 60
CREATIONS_AN_HOUR = 400
RECEIPTS_A_MINUTE = 15  #: creating calls besides, for receipts alone; still below GitHub's limits
RECEIPTS_AN_HOUR = 75
MAX_WAIT_S = 2.0  #: for our turn, spaced; a longer wait is the queue's business
MAX_WAIT_FOR_OTHER_S = 20.0  #: for the write in flight, which has its own deadline below this


class Place(NamedTuple):
    """Where a write stands in the line: receipts first, then who came first."""

    is_other: bool
    number: int


class Governor:
    """Spaces the writes of one installation and remembers the limits that GitHub named."""

    def __init__(self, *, spacing_s: float, now: Callable[[], float]) -> None:
        self._spacing_s = spacing_s
        self._now = now
        self._writing = False
        self._line: list[Place] = []
        self._numbers = itertools.count()
        self._moved = asyncio.Event()
        self._next_write_at = 0.0  #: by the event loop's clock, which nobody sets back
        self._created: deque[float] = deque()
        self._blocked_until = 0.0
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

    def spare_at(self) -> float:
        """When there is room for what nobody's work waits for (Unix seconds); past: there is.

        Such a write leaves half of every minute and hour to the others.
        """
        windows = ((CREATIONS_A_MINUTE, 60.0), (CREATIONS_AN_HOUR, 3600.0))
        return max(self._free_at(most // 2, window_s) for most, window_s in windows)

    def check(self) -> None:
        """Raise RateLimited while GitHub wants to hear nothing from us."""
        if self._blocked_until > self._now():
            raise RateLimited("GitHub asked us to wait", retry_at=self._blocked_until)

    @contextlib.asynccontextmanager
    async def write(self, *, creates: bool, receipt: bool = False) -> AsyncIterator[None]:
        """Hold the one place for a write. Raises RateLimited instead of waiting for long."""
        self.check()
        await self._stand_in_line(Place(not receipt, next(self._numbers)))
        try:
            if creates:
                self._count_creation(receipt=receipt)
            self._next_write_at = asyncio.get_running_loop().time() + self._spacing_s
            yield
        finally:
            self._writing = False
            self._line_moves()

    async def _stand_in_line(self, place: Place) -> None:
        ahead = sum(other < place for other in self._line)
        if ahead * self._spacing_s > MAX_WAIT_S:
            text = f"{ahead} writes wait for their turn"
            raise RateLimited(text, retry_at=self._now() + ahead * self._spacing_s)
        self._line.append(place)
        try:
            async with asyncio.timeout(MAX_WAIT_FOR_OTHER_S):
                await self._come_to_the_front(place)
            self._writing = True
        except TimeoutError as error:
            retry_at = self._now() + MAX_WAIT_S
            raise RateLimited("another write is not answered yet", retry_at=retry_at) from error
        finally:
            self._line.remove(place)
            self._line_moves()

    async def _come_to_the_front(self, place: Place) -> None:
        """Until it is our turn and the distance is kept; receipts may pass us meanwhile."""
        while (wait_s := self._wait_s(place)) is None or wait_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._moved.wait()

    def _wait_s(self, place: Place) -> float | None:
        """How long until this place may write; None: until the line has moved."""
        if self._writing or place != min(self._line):
            return None
        return self._next_write_at - asyncio.get_running_loop().time()

    def _line_moves(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def _count_creation(self, *, receipt: bool) -> None:
        """Enter a creating call in both windows, or say when there is room."""
        now = self._now()
        while self._created and self._created[0] <= now - 3600:
            self._created.popleft()
        self._room(CREATIONS_AN_HOUR + RECEIPTS_AN_HOUR * receipt, 3600.0)
        self._room(CREATIONS_A_MINUTE + RECEIPTS_A_MINUTE * receipt, 60.0)
        self._created.append(now)

    def _free_at(self, most: int, window_s: float) -> float:
        """When fewer than `most` were created in the window before (Unix seconds)."""
        return self._created[-most] + window_s if len(self._created) >= most else 0.0

    def _room(self, most: int, window_s: float) -> None:
        free_at = self._free_at(most, window_s)
        if free_at > self._now():
            text = f"our own limit of {most} creating calls in {window_s:.0f} s is reached"
            raise RateLimited(text, retry_at=free_at)
