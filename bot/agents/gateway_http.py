"""One HTTP request on one connection: enough of a server for programs that call a model.

Every connection carries one request and is closed: on a unix socket a new one costs nothing.
The protocol itself is h11's (RFC 9112); this adds the stream, the bounds and the deadline.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import h11

MAX_BODY = 64 * 1024 * 1024  #: bytes; a long conversation with pictures
BODY_S = 60.0  #: for the whole request to arrive
_CHUNK = 64 * 1024


class BadRequest(Exception):
    """Not a request, or larger than `MAX_BODY`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a program asks."""

    method: str
    target: str
    headers: Mapping[str, str]  #: names in lower case
    body: bytes


class Conversation:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER)
        self._bodiless = False  #: an answer to HEAD has none (RFC 9110, 9.3.2)

    async def request(self) -> Request | None:
        """None where the other side leaves without asking.

        Raises BadRequest, TimeoutError.
        """
        head: h11.Request | None = None
        body = bytearray()
        async with asyncio.timeout(BODY_S):
            while True:
                match await self._event():
                    case h11.Request() as head:
                        await self._continue()
                    case h11.Data(data=data):
                        body += data
                        if len(body) > MAX_BODY:
                            raise BadRequest(f"a request may have {MAX_BODY} bytes")
                    case h11.EndOfMessage():
                        assert head is not None
                        self._bodiless = head.method == b"HEAD"
                        return _request(head, bytes(body))
                    case _:
                        return None

    async def start(self, status: int, content_type: str) -> None:
        """The head of the answer."""
        headers = [("content-type", content_type), ("connection", "close")]
        await self._send(h11.Response(status_code=status, headers=headers))

    async def more(self, data: bytes) -> None:
        """A piece of the answer's body. Raises OSError where the other side has gone."""
        if data and not self._bodiless:
            await self._send(h11.Data(data=data))

    async def end(self) -> None:
        """The answer is whole."""
        await self._send(h11.EndOfMessage())

    async def whole(self, status: int, content_type: str, body: bytes) -> None:
        """All of an answer."""
        await self.start(status, content_type)
        await self.more(body)
        await self.end()

    async def gone(self) -> None:
        """Returns when the other side has closed the connection."""
        while await self._reader.read(_CHUNK):
            pass  # it has no business sending more

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_CHUNK))
        except h11.RemoteProtocolError as problem:
            raise BadRequest(str(problem)) from problem
        return event

    async def _continue(self) -> None:
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))

    async def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._writer.write(data)
            await self._writer.drain()


def _request(head: h11.Request, body: bytes) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Request(
        method=head.method.decode("latin-1"),
        target=head.target.decode("latin-1"),
        headers=headers,
        body=body,
    )
