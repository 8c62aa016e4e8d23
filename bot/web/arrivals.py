"""Deliveries that have come are read, stored and answered many at a time.

While one group is on its way to the disk the next one gathers, unread: it could not be stored
sooner. What is done for many in one go finds its code and its data in the processor's caches, and
does not take turns with the thread that writes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from bot.tasks.inbox import AT_ONCE
from bot.web.answer import Answer

GATHER = 0.5  #: of a group's time, after one of many: whose senders come back with more

Reply = Callable[[Answer], None]


class Arrived(NamedTuple):
    """A delivery as it came, and where its answer goes.

    What is made for each delivery on its way to the disk is a tuple: a frozen dataclass sets its
    members one by one, and costs five times as much.
    """

    headers: Mapping[bytes, bytes]  #: by names in lower case
    body: bytes
    peer: str
    reply: Reply


class Arrivals:
    """Hands what has arrived to `take`, in order and in groups of at most `AT_ONCE`.

    `take` answers each of them and does not raise. One that comes alone does not wait.
    """

    def __init__(self, take: Callable[[Sequence[Arrived]], Awaitable[None]]) -> None:
        self._take = take
        self._waiting: list[Arrived] = []
        self._taking: asyncio.Task[None] | None = None

    def add(self, one: Arrived) -> None:
        """Take it with those that come in this turn of the loop, or with the next group."""
        self._waiting.append(one)
        if self._taking is None or self._taking.done():
            self._taking = asyncio.create_task(self._take_all())

    async def _take_all(self) -> None:
        clock = asyncio.get_running_loop().time  # the one that sleeping goes by
        while self._waiting:
            begun = clock()
            group, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            await self._take(group)
            enough = len(group) == 1 or len(self._waiting) >= AT_ONCE
            await asyncio.sleep(0 if enough else GATHER * (clock() - begun))
