"""Reading request bodies: a limit on each, a limit on all together, and a deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from bot.web.problem import RETRY_AFTER_S, Problem

BODY_DEADLINE_S = 15.0
SMALL = 64 * 1024  #: bodies up to this size never count against the common limit
_HANG_UP = {"connection": "close"}  #: else the server would read the rest of the body
_DIGITS = 12  #: a longer Content-Length is too large whatever it says


class BodyReader:
    """Reads one body at a time into memory, and never more than `together` bytes of large ones.

    `limit` and `together` are bytes; `within_s` is the time from the first look at the body to
    its last byte.
    """

    def __init__(self, *, limit: int, together: int, within_s: float = BODY_DEADLINE_S) -> None:
        self._limit = limit
        self._together = together
        self._within_s = within_s
        self._held = 0

    @asynccontextmanager
    async def read(self, declared: str, receive: Receive) -> AsyncIterator[bytes]:
        """The body of a request, held until the caller is done with it.

        `declared` is its Content-Length, or "0" where it has none.

        Raises Problem: 413 too large, 408 too slow, 503 too many large ones at once, 400 when the
        client went away.
        """
        self._refuse_declared(declared)
        mine = _Share()
        try:
            yield await self._collect(receive, mine)
        finally:
            self._held -= mine.size

    async def _collect(self, receive: Receive, mine: "_Share") -> bytes:
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(self._within_s):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Problem(400, "The client went away before the body was complete.")
                    body += message.get("body", b"")
                    if len(body) > self._limit:
                        raise self._too_large()
                    self._hold(len(body), mine)
                    more = message.get("more_body", False)
        except TimeoutError:
            text = f"The body did not arrive within {self._within_s:g} s."
            raise Problem(408, text, headers=_HANG_UP) from None
        return bytes(body)

    def _hold(self, size: int, mine: "_Share") -> None:
        grown = size - mine.size if size > SMALL else 0
        if self._held + grown > self._together:
            text = "Too many large bodies at once; send it again."
            raise Problem(503, text, headers={"retry-after": str(RETRY_AFTER_S), **_HANG_UP})
        self._held += grown
        mine.size += grown

    def _refuse_declared(self, declared: str) -> None:
        if len(declared) > _DIGITS or (declared.isdecimal() and int(declared) > self._limit):
            raise self._too_large()

    def _too_large(self) -> Problem:
        text = f"The body is larger than {self._limit} bytes."
        return Problem(413, text, headers=_HANG_UP)


class _Share:
    """How much of the common limit one body holds."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0
