"""Tells the supervisor that started us how we are: systemd's notification protocol.

One datagram to the socket that NOTIFY_SOCKET names, and while WATCHDOG_USEC is set, a sign of life
twice in that time; a unit without them hears nothing.
https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from bot.log import get

log = get("supervisor")


class Word(StrEnum):
    READY = "READY=1"  #: deliveries are accepted and tasks are worked on
    STOPPING = "STOPPING=1"
    WATCHDOG = "WATCHDOG=1"  #: the event loop turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """Who is to be told, and how often."""

    address: str = ""  #: a path, or `@` and an abstract name; empty: nobody listens
    watchdog_s: float = 0.0  #: without a sign of life in this time we are restarted; 0: never

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Supervisor":
        """As the unit says. A watchdog that is meant for another process is not ours to feed."""
        usec = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return cls(
            address=environ.get("NOTIFY_SOCKET", ""),
            watchdog_s=int(usec) / 1e6 if usec.isdecimal() and ours else 0.0,
        )

    def tell(self, word: Word) -> None:
        """Send one word. A supervisor that does not listen is not our trouble, but it is logged."""
        if not self.address:
            return
        name = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as wire:
            try:
                wire.sendto(word.encode(), name)
            except OSError as error:
                log.warning("supervisor not told", word=word, error=str(error))

    @contextlib.asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Ready now, alive until the block ends, stopping then."""
        self.tell(Word.READY)
        alive = asyncio.create_task(self._alive(), name="watchdog")
        try:
            yield
        finally:
            alive.cancel()
            self.tell(Word.STOPPING)

    async def _alive(self) -> None:
        while self.address and self.watchdog_s:
            self.tell(Word.WATCHDOG)
            await asyncio.sleep(self.watchdog_s / 2)
