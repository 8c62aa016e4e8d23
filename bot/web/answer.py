"""A short answer that can leave in two ways: through ASGI, or as the bytes of HTTP/1.1."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

_JSON = ((b"cache-control", b"no-store"), (b"content-type", b"application/json"))
_LINE = b"%b: %b\r\n"

Headers = tuple[tuple[bytes, bytes], ...]


class Answer(NamedTuple):
    """A status, headers without a length of the body, and the body."""

    status: int
    headers: Headers
    body: bytes

    @classmethod
    def json(cls, status: int, text: str) -> "Answer":
        """A JSON text that is ready and says nothing but what the client has sent itself."""
        return cls(status, _JSON, text.encode())

    @classmethod
    def of(cls, response: Response) -> "Answer":
        """What another part of the program would have sent."""
        kept = tuple(header for header in response.raw_headers if header[0] != b"content-length")
        return cls(response.status_code, kept, bytes(response.body))

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = (b"content-length", b"%d" % len(self.body))
        start = {"type": "http.response.start", "status": self.status}
        await send({**start, "headers": (*self.headers, length)})
        await send({"type": "http.response.body", "body": self.body})

    def to_bytes(self, more: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The whole answer on the wire; `more` are the connection's own headers."""
        head, own = _head(self.status, self.headers), b"".join([_LINE % header for header in more])
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (head, own, len(self.body), self.body)


@lru_cache(maxsize=64)
def _head(status: int, headers: Headers) -> bytes:
    """The lines that answers of a kind have in common."""
    return b"".join([STATUS_LINE[status], *(_LINE % header for header in headers)])
