"""The HTTP server: uvicorn, with a deadline for headers too.

uvicorn waits for ever for the end of a request's headers; two hundred clients that never send it
would hold two hundred connections. The body has a deadline of its own, in `body`.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_DEADLINE_S = 15.0
MAX_HEADERS = 64 * 1024  #: bytes
MAX_CONNECTIONS = 2000  #: at one time; above it a client is told 503


class ImpatientProtocol(H11Protocol):
    """Closes a connection whose request line and headers do not arrive in time."""

    header_deadline_s = HEADER_DEADLINE_S
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_deadline_s, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class WebServer(uvicorn.Server):
    """A server that leaves signals to whom it was made by; set `should_exit` to stop it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(
    app: ASGIApp, *, grace_s: float, protocol: type[H11Protocol] = ImpatientProtocol
) -> WebServer:
    """One worker; start it with `await server.serve(sockets=[listener])`.

    Forwarding headers are not believed (see `auth`). `grace_s` is for open requests at the end;
    event streams are cut then.
    """
    return WebServer(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEADERS,
            timeout_graceful_shutdown=max(1, round(grace_s)),
        )
    )
