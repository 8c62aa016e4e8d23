"""How many slots a pool has had and used over the last day, and why their number changed."""

from collections import deque
from dataclasses import dataclass

from bot.tasks.base import Clock
from bot.tasks.lasting import Lasting, Points
from bot.tasks.pool import ExecutorPool
from bot.tasks.trend import KEPT_S, SAMPLE_EVERY_S

CHANGES = 8  #: of the number that are remembered; the log has all


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Another number of slots."""

    at: float
    before: int
    slots: int
    why: str


class Slots:
    """The history of one pool; each machine's has its own samples."""

    def __init__(self, pool: ExecutorPool, lasting: Lasting, now: Clock) -> None:
        self.changes: deque[Change] = deque(maxlen=CHANGES)  #: since the start, the newest first
        self._pool = pool
        self._lasting = lasting
        self._now = now
        self._slots = pool.slots
        self._next_sample = 0.0

    async def look(self) -> None:
        """Keep a change as soon as it is seen, and what is in use every few minutes."""
        now, before, slots = self._now(), self._slots, self._pool.slots
        if slots != before:
            change = Change(at=now, before=before, slots=slots, why=self._pool.why)
            self.changes.appendleft(change)
            self._slots = slots
        if slots != before or now >= self._next_sample:
            self._next_sample = now + SAMPLE_EVERY_S
            await self._lasting.sample(self._name("slots"), slots)
            await self._lasting.sample(self._name("slots in use"), self._pool.active)

    async def had(self) -> Points:
        """The slots there were in the last day."""
        return await self._lasting.samples(self._name("slots"), self._now() - KEPT_S)

    async def used(self) -> Points:
        """Those of them that were in use."""
        return await self._lasting.samples(self._name("slots in use"), self._now() - KEPT_S)

    def _name(self, what: str) -> str:
        return f"{what} of {self._pool.name}"
