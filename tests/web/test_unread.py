"""A client that asks and takes no answers: its connection ends, and nobody else's does."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

import pytest

from bot.web.outgoing import MIN_TAKEN, Outgoing
from bot.web.server import ImpatientProtocol
from tests.web.house import House
from tests.web.serving import serving

ASKED = 500  #: times 37 KB and more: what two sockets take in before they notice is far less
PAGE = b"GET /static/vendor/htmx.min.js HTTP/1.1\r\nhost: x\r\n\r\n"


_Given = TypeVarTuple("_Given")


class _Watched(ImpatientProtocol):
    take_within_s = 0.2
    lost: asyncio.Event

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


def watched() -> type[_Watched]:
    """A protocol that tells when a connection of its own has ended."""
    return type("Watched", (_Watched,), {"lost": asyncio.Event()})


async def deaf(port: int) -> socket.socket:
    """A connection with little room for answers."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


async def test_who_takes_no_answers_is_cut_off(house: House) -> None:
    protocol = watched()
    async with serving(house, protocol) as port:
        with contextlib.closing(await deaf(port)) as client:
            asked = asyncio.get_running_loop().sock_sendall(client, PAGE * ASKED)
            asking = asyncio.create_task(asked)
            async with asyncio.timeout(20):
                await protocol.lost.wait()
            asking.cancel()


class _Wire(asyncio.Transport):
    """A transport of which the other side takes what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting, self.aborted = 0, False

    def write(self, data: Any) -> None:
        self.waiting += len(data)

    def is_closing(self) -> bool:
        return self.aborted

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def abort(self) -> None:
        self.aborted = True


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose timers are called by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[Callable[[], object]] = []

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Given], object],
        *args: *_Given,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.due.append(lambda: callback(*args))
        return super().call_later(delay, lambda: None)


@pytest.mark.parametrize(
    ("taken", "kept"),
    [
        ([MIN_TAKEN, MIN_TAKEN, MIN_TAKEN], True),
        ([MIN_TAKEN, MIN_TAKEN - 1], False),
        ([0], False),
        ([10 * MIN_TAKEN], True),
    ],
    ids=["slowly", "ever more slowly", "nothing", "all"],
)
def test_who_takes_slowly_is_waited_for_and_who_stops_is_not(taken: list[int], kept: bool) -> None:
    wire, loop = _Wire(), _Loop()
    with contextlib.closing(loop):
        Outgoing(wire, loop).send(b"x" * 10 * MIN_TAKEN)
        for size in taken:
            wire.waiting -= size
            loop.due.pop()()
        is_looked_at_again = bool(loop.due)
    assert wire.aborted is not kept
    assert is_looked_at_again == (kept and wire.waiting > 0)
