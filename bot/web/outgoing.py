"""What goes out on a connection: in few pieces, and not to somebody who takes nothing.

A client that reads no answers would hold its connection, and what waits to be sent on it, for ever:
even a closed one stays until it is flushed.
"""

import asyncio
from typing import Any

TAKE_WITHIN_S = 30.0
MIN_TAKEN = 16 * 1024  #: bytes of what waits that have to go out in this time


class Outgoing:
    """A transport that sends what was written in one turn of the loop in one piece.

    uvicorn writes the head of an answer and then its body; two system calls and two packets.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        take_within_s: float = TAKE_WITHIN_S,
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._take_within_s = take_within_s
        self._pieces: list[bytes] = []
        self._written = 0  #: bytes in all
        self._taken = 0  #: of these, when we looked last
        self._look: asyncio.TimerHandle | None = None  #: runs while something waits

    def write(self, data: bytes) -> None:
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def send(self, data: bytes) -> None:
        """What was written, and this, now."""
        if self._pieces:
            self._pieces.append(data)
            self._flush()
        else:
            self._out(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces:
            self._out(b"".join(pieces))

    def _out(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        self._written += len(data)
        if self._look is None and (waiting := self._transport.get_write_buffer_size()):
            self._look_later(waiting)

    def _look_later(self, waiting: int) -> None:
        self._taken = self._written - waiting
        self._look = self._loop.call_later(self._take_within_s, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        waiting = self._transport.get_write_buffer_size()
        if waiting and self._written - waiting - self._taken < MIN_TAKEN:
            self._transport.abort()
        elif waiting:
            self._look_later(waiting)
