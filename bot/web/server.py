"""The HTTP server: uvicorn, with a deadline for headers too.

uvicorn waits for ever for the end of a request's headers; two hundred clients that never send it
would hold two hundred connections. The body has a deadline of its own, in `body`; one that nobody
reads, for the request is answered already, has the same as headers. Who takes no answers is cut
off, too: see `outgoing`.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bot.web.outgoing import TAKE_WITHIN_S, Outgoing

HEADER_DEADLINE_S = 15.0
MAX_HEADERS = 64 * 1024  #: bytes
MAX_AROUND = 256 * 1024  #: bytes of a body's trailers and of the marks of its chunks
MAX_CONNECTIONS = 2000  #: at one time; above it a client is told 503


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request does not arrive in time, or has too much around its body.

    The parser keeps headers, and the trailers after a chunked body, until the request has ended.
    """

    header_deadline_s = HEADER_DEADLINE_S
    take_within_s = TAKE_WITHIN_S
    _timer: asyncio.TimerHandle | None = None  #: runs while a head is being waited for
    in_head = False  #: a head has begun
    _around = 0  #: bytes of this request that are not its body

    def connection_made(self, transport: Any) -> None:
        self._outgoing = Outgoing(transport, self.loop, self.take_within_s)
        super().connection_made(cast(asyncio.Transport, self._outgoing))
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._around += len(data)
        super().data_received(data)
        if self._around > (MAX_HEADERS if self.in_head else MAX_AROUND):
            self.transport.close()
        elif self.in_head and self._timer is None:  # most heads come whole, and need no timer
            self._watch()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head, self._around = True, 0  # what came with the line before is not counted

    def on_body(self, body: bytes) -> None:
        self._around -= len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        is_coming = self.cycle.more_body
        super().on_response_complete()
        if is_coming:
            self._watch()

    def on_headers_complete(self) -> None:
        self.head_is_there()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.head_is_there()

    def send_whole(self, answer: bytes) -> None:
        """Send an answer that has no more pieces, without waiting for them."""
        self._outgoing.send(answer)

    def head_is_there(self) -> None:
        """Stop the clock."""
        self.in_head = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        self._timer = self.loop.call_later(self.header_deadline_s, self.transport.close)


class WebServer(uvicorn.Server):
    """A server that leaves signals to whom it was made by; set `should_exit` to stop it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(
    app: ASGIApp,
    *,
    grace_s: float,
    protocol: Callable[..., HttpToolsProtocol] = ImpatientProtocol,
) -> WebServer:
    """One worker; start it with `await server.serve(sockets=[listener])`.

    Forwarding headers are not believed (see `auth`). `grace_s` is for open requests at the end;
    event streams are cut then.
    """
    return WebServer(
        uvicorn.Config(
            app,
            http=cast(type[HttpToolsProtocol], protocol),  # which uvicorn only calls
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=max(1, round(grace_s)),
        )
    )
