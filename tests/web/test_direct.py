"""The short way of a delivery: the same answers as the long one, on the same connection."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.door import HOOK_URLS, serving
from bot.errors import StoreError
from bot.tasks.inbox import NewDelivery
from bot.tasks.queue import TaskQueue
from bot.web.direct import DirectProtocol
from bot.web.receiver import Receiver
from tests.web.deliveries import body_of, headers_for, labeled
from tests.web.house import Clock, House
from tests.web.serving import serving as serving_house

GOOD = body_of(labeled())
WITHIN_S = 20.0
TURNS = 5  #: of the loop that client and server share


@dataclass
class _Long:
    """The long way, which counts who takes it."""

    app: ASGIApp
    paths: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        await self.app(scope, receive, send)


@asynccontextmanager
async def served(house: House, queue: TaskQueue | None = None) -> AsyncIterator[tuple[int, _Long]]:
    receiver = Receiver(queue or house.queue, house.settings, lambda: house.is_draining)
    long = _Long(house.web(queue=queue) if queue is not None else house.web())
    listener = socket.create_server(("127.0.0.1", 0))
    with closing(listener):
        async with serving(long, listener, take=receiver.take):
            yield listener.getsockname()[1], long


def request(
    body: bytes = GOOD, *, line: str = "POST /webhook HTTP/1.1", more: str = "", **changes: Any
) -> bytes:
    fields = {"host": "bot", "content-length": str(len(body)), **headers_for(body, **changes)}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{line}\r\n{head}{more}\r\n".encode() + body


class _Brief(DirectProtocol):
    """Keeps a connection for a moment only."""

    idle_s = 0.4

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeout_keep_alive = cast(int, self.idle_s)  # which asyncio takes any number for


@dataclass
class _Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        """Each piece by itself: the next one only when the server had a turn to read."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            for _ in range(TURNS):
                await asyncio.sleep(0)

    async def answer(self) -> tuple[int, bytes]:
        async with asyncio.timeout(WITHIN_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            body = await self.reader.readexactly(int(fields[b"content-length"]))
        return int(head.split(b" ", 2)[1]), body


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[_Client]:
    client = _Client(*await asyncio.open_connection("127.0.0.1", port))
    client.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield client
    finally:
        client.writer.close()
        await client.writer.wait_closed()


async def test_a_whole_delivery_is_stored_without_a_request_cycle(house: House) -> None:
    async with served(house) as (port, long), connected(port) as client:
        answers = []
        for guid in ("one", "two", "two"):
            await client.send(request(x_github_delivery=guid))
            answers.append(await client.answer())
    assert [status for status, _ in answers] == [202, 202, 200]
    assert answers[0][1] == b'{"status":"accepted","delivery":"one"}'
    assert len(await house.queue.pending()) == 2
    assert long.paths == []


@pytest.mark.parametrize("at", [5, 40, -len(GOOD) - 1, -len(GOOD), -len(GOOD) + 1, -1])
async def test_a_delivery_in_pieces_takes_the_long_way_to_the_same_answer(
    house: House, at: int
) -> None:
    whole = request()
    async with served(house) as (port, long), connected(port) as client:
        await client.send(whole[:at], whole[at:])
        assert (await client.answer())[0] == 202
        await client.send(request(x_github_delivery="another"))
        assert (await client.answer())[0] == 202
    assert len(await house.queue.pending()) == 2
    assert long.paths in ([], ["/webhook"]), "a head in pieces is no matter, a body is"


async def test_a_connection_is_closed_when_nothing_has_come_for_a_while_and_not_before(
    house: House,
) -> None:
    receiver = Receiver(house.queue, house.settings)
    door = cast(type[DirectProtocol], partial(_Brief, receiver.take, HOOK_URLS))
    async with serving_house(house, door) as port, connected(port) as client:
        for number in range(6):  # longer than the time, in all
            await client.send(request(x_github_delivery=f"guid-{number}"))
            assert (await client.answer())[0] == 202
            await asyncio.sleep(_Brief.idle_s / 3)
        began = time.monotonic()
        assert await asyncio.wait_for(client.reader.read(), WITHIN_S) == b""
    assert time.monotonic() - began > _Brief.idle_s / 4


async def test_a_head_that_is_on_its_way_keeps_the_connection(house: House) -> None:
    receiver = Receiver(house.queue, house.settings)
    door = cast(type[DirectProtocol], partial(_Brief, receiver.take, HOOK_URLS))
    whole = request(x_github_delivery="two")
    async with serving_house(house, door) as port, connected(port) as client:
        await client.send(request(x_github_delivery="one"))
        assert (await client.answer())[0] == 202
        await client.send(whole[:40])
        await asyncio.sleep(2 * _Brief.idle_s)
        await client.send(whole[40:])
        assert (await client.answer())[0] == 202


async def test_deliveries_written_in_one_go_are_answered_in_their_order(house: House) -> None:
    guids = [f"guid-{n}" for n in range(5)]
    async with served(house) as (port, _), connected(port) as client:
        await client.send(b"".join(request(x_github_delivery=guid) for guid in guids))
        answers = [await client.answer() for _ in guids]
    assert [status for status, _ in answers] == [202] * 5
    assert [body.split(b'"')[-2].decode() for _, body in answers] == guids
    assert len(await house.queue.pending()) == 5


REFUSED: list[tuple[bytes, dict[str, str | None]]] = [
    (GOOD, {"x_hub_signature_256": "sha256=" + "0" * 64}),
    (GOOD, {"x_hub_signature_256": None}),
    (GOOD, {"x_github_event": None}),
    (GOOD, {"x_github_delivery": "no/guid"}),
    (GOOD, {"content_type": "text/plain"}),
    (b"{not json", {}),
    (b"", {}),
    (GOOD, {"x_github_event": "ping"}),
]


@pytest.mark.parametrize(("body", "changes"), REFUSED)
async def test_both_ways_say_the_same_of_what_is_not_stored(
    house: House, body: bytes, changes: dict[str, Any]
) -> None:
    short = request(body, **changes)
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    long = request(body, **changes).partition(b"\r\n\r\n")[0]
    long = long.replace(b"content-length: %d" % len(body), b"transfer-encoding: chunked")
    async with served(house) as (port, taken), connected(port) as client:
        await client.send(short)
        said = await client.answer()
        assert taken.paths == []
        await client.send(long + b"\r\n\r\n" + chunk)
        assert await client.answer() == said
    assert taken.paths == ["/webhook"]
    assert await house.queue.pending() == []


@pytest.mark.parametrize(
    ("whole", "status"),
    [
        (request(line="POST /webhook?x=1 HTTP/1.1"), 202),
        (request(line="POST /api/github/webhooks HTTP/1.1"), 202),
        (request(line="PUT /webhook HTTP/1.1"), 405),
        (request(body_of(labeled(padding="x" * 70_000))), 202),
        (request(more="expect: 100-continue\r\n"), 202),
    ],
)
async def test_what_is_not_plain_is_answered_as_ever(
    house: House, whole: bytes, status: int
) -> None:
    async with served(house) as (port, _), connected(port) as client:
        await client.send(whole)
        said = await client.reader.readuntil(b"\r\n\r\n")
        if b" 100 " in said:
            said = await client.reader.readuntil(b"\r\n\r\n")
    assert int(said.split(b" ", 2)[1]) == status


async def test_a_connection_is_closed_where_its_client_wants_no_more(house: House) -> None:
    async with served(house) as (port, _), connected(port) as client:
        await client.send(request(more="connection: close\r\n"))
        async with asyncio.timeout(WITHIN_S):
            said = await client.reader.read()
    assert said.startswith(b"HTTP/1.1 202")
    assert b"connection: close" in said


async def test_a_client_that_does_not_wait_has_delivered(house: House) -> None:
    async with served(house) as (port, _):
        async with connected(port) as client:
            await client.send(request())
        async with asyncio.timeout(WITHIN_S):
            while not await house.queue.pending():
                house.queue.bells.inbox.clear()
                await house.queue.bells.inbox.wait()


async def test_bytes_that_are_no_request_are_refused(house: House) -> None:
    async with served(house) as (port, _), connected(port) as client:
        await client.send(request()[:-3] + b"\0\0\0" + b"more than was declared\r\n\r\n")
        said = await client.answer()
    assert said[0] in {400, 401}
    assert await house.queue.pending() == []


async def test_while_draining_nothing_is_acknowledged(house: House) -> None:
    house.is_draining = True
    async with served(house) as (port, _), connected(port) as client:
        await client.send(request())
        assert (await client.answer())[0] == 503


class _FullDisk(TaskQueue):
    async def accept_all(self, deliveries: Sequence[NewDelivery]) -> list[bool]:
        raise StoreError("database or disk is full")


async def test_trouble_of_ours_is_a_503_for_everyone_who_shared_the_commit(house: House) -> None:
    full = _FullDisk(house.store, Clock())
    async with served(house, full) as (port, _), connected(port) as one, connected(port) as other:
        await one.send(request(x_github_delivery="one"))
        await other.send(request(x_github_delivery="other"))
        assert (await one.answer())[0] == (await other.answer())[0] == 503
