"""The short way of a delivery: a small one that has arrived whole needs no request cycle.

A burst of webhooks is most of what a server's processor does, and half of its cost was the ASGI
request around each. Only what is plain goes this way: `POST` to a hook's path over HTTP/1.1, a
declared length, a body that is there when the head is. Everything else, and a delivery that
comes in pieces, takes uvicorn's way, whose body reader has the limits and the patience.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bot.web.answer import Answer
from bot.web.body import SMALL
from bot.web.server import ImpatientProtocol

Take = Callable[[Mapping[bytes, bytes], bytes, str, Callable[[Answer], None]], None]

_CLOSE = (b"connection", b"close")


class DirectProtocol(ImpatientProtocol):
    """Hands deliveries to `take`, which calls back with the answer."""

    def __init__(self, take: Take, urls: frozenset[bytes], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._take = take
        self._urls = urls
        self._fields: dict[bytes, bytes] = {}
        self._pieces: list[bytes] | None = None  #: of the body of a delivery that may go this way
        self._answered_at = 0.0  #: by the loop's clock
        self._idle_look: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._pieces is not None:
            pieces, self._pieces = self._pieces, None
            if not self.transport.is_closing():
                super().on_headers_complete()
                for piece in pieces:
                    super().on_body(piece)

    def on_headers_complete(self) -> None:
        if self.url in self._urls and self._is_plain():
            self.head_is_there()
            self._pieces = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._pieces is None:
            super().on_body(body)
        else:
            self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self._pieces is None:
            super().on_message_complete()
            return
        body, self._pieces = b"".join(self._pieces), None
        turn = _Turn(self.parser.should_keep_alive())
        self.cycle = turn  # type: ignore[assignment]  # it has all that is asked of one
        peer = self.client[0] if self.client is not None else ""
        self._take(self._fields, body, peer, partial(self._reply, turn))

    def _is_plain(self) -> bool:
        self._fields = dict(self.headers)
        declared = self._fields.get(b"content-length", b"")
        return (
            self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and 0 < len(declared) < 9
            and int(declared) <= SMALL  # the parser has let digits pass and nothing else
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused  # uvicorn's way waits for who reads no answers
            and (self.limit_concurrency is None or len(self.connections) < self.limit_concurrency)
        )

    def _reply(self, turn: "_Turn", answer: Answer) -> None:
        turn.response_complete = True
        if turn.disconnected or self.transport.is_closing():
            return
        own = self.server_state.default_headers
        self.send_whole(answer.to_bytes(own if turn.keep_alive else [*own, _CLOSE]))
        if turn.keep_alive and not self.pipeline:
            self._wait_for_another()
            return
        if not turn.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _wait_for_another(self) -> None:
        """What uvicorn does after an answer, without a timer made and cancelled for each."""
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        if self._idle_look is None:
            self._idle_look = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._idle_look is not None:
            self._idle_look.cancel()

    def _close_if_idle(self) -> None:
        ends = self._answered_at + self.timeout_keep_alive
        if self.loop.time() < ends:
            self._idle_look = self.loop.call_at(ends, self._close_if_idle)
            return
        self._idle_look = None
        if isinstance(self.cycle, _Turn) and self.cycle.response_complete and not self.in_head:
            self.timeout_keep_alive_handler()


class _Turn:
    """Stands where uvicorn keeps the request cycle of a connection, until the answer is sent.

    While it does, a request that follows waits in uvicorn's pipeline, and a shutdown waits for us.
    """

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    more_body = False  #: it begins when the body is there

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.message_event = _NOBODY


class _Nobody:
    """Nobody waits for more of a body that is complete."""

    def set(self) -> None:
        return


_NOBODY = _Nobody()
