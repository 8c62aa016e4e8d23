"""Telling open event streams that something changed; what changed is read from the store."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

KEPT = 1000  #: changes that can be told apart; who is further behind hears of everything


class Changes:
    """One bell for all listeners. Ringing is cheap and may happen when nobody listens.

    Changes are numbered from a random beginning, so that a number of an earlier process is not
    taken for one of this.
    """

    def __init__(self) -> None:
        self._next = asyncio.Event()
        self._kept: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self.last = secrets.randbelow(2**40)  #: the number of the newest change
        self.listeners = 0  #: how many streams are open

    def ring(self, task_ids: Iterable[str]) -> None:
        """These tasks have changed: wake every listener."""
        for task_id in task_ids:
            self.last += 1
            self._kept.append((self.last, task_id))
        self._next.set()
        self._next = asyncio.Event()

    def since(self, number: int) -> set[str] | None:
        """The tasks that changed after the change of this number; None: nobody can tell any more.

        None, too, for a number that this process has not given.
        """
        first = self._kept[0][0] if self._kept else self.last + 1
        if not first - 1 <= number <= self.last:
            return None
        return {task_id for at, task_id in self._kept if at > number}

    @property
    def bell(self) -> asyncio.Event:
        """Taken before looking, waited for after: a ring in between is not missed."""
        return self._next

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Counts an open stream."""
        self.listeners += 1
        try:
            yield
        finally:
            self.listeners -= 1
