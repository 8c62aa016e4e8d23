"""Telling open event streams that something changed; what changed is read from the journal."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Changes:
    """One bell for all listeners. Ringing is cheap and may happen when nobody listens."""

    def __init__(self) -> None:
        self._next = asyncio.Event()
        self.listeners = 0  #: how many streams are open

    def ring(self) -> None:
        """Wake every listener."""
        self._next.set()
        self._next = asyncio.Event()

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
