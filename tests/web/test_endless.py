"""Requests without an end: what trickles in after the answer, and what stands around a body."""

import asyncio
import contextlib

import pytest

from bot.web.server import ImpatientProtocol
from tests.web.deliveries import body_of, headers_for, labeled
from tests.web.house import House
from tests.web.serving import serving

MORE_THAN_BUFFERS = 50_000_000  #: bytes; what two sockets take in before they notice is far less
CHUNKED = b"transfer-encoding: chunked\r\n\r\n0\r\n"  #: and after it the trailers
ENDLESS = {
    "head": b"GET /livez HTTP/1.1\r\n",
    "trailers": b"GET /livez HTTP/1.1\r\nhost: x\r\n" + CHUNKED,
    "trailers of a delivery": b"POST /webhook HTTP/1.1\r\nhost: x\r\n" + CHUNKED,
}


class _VeryImpatient(ImpatientProtocol):
    header_deadline_s = 0.2


@pytest.mark.parametrize("path", ["/livez", "/webhook", "/nowhere"])
async def test_the_rest_of_a_request_that_is_answered_already_is_not_awaited_for_ever(
    house: House, path: str
) -> None:
    """Each byte of it would put off the end of a connection that is kept for the next request."""
    head = f"GET {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n".encode()
    async with serving(house, _VeryImpatient) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.write(b"one byte")
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("beginning", ENDLESS.values(), ids=ENDLESS)
async def test_what_stands_around_a_body_is_bounded(house: House, beginning: bytes) -> None:
    line = b"x-more: " + b"a" * 10_000 + b"\r\n"
    async with serving(house) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < MORE_THAN_BUFFERS:
                writer.write(line)
                await writer.drain()
                sent += len(line)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert sent < MORE_THAN_BUFFERS


async def test_a_body_in_small_chunks_and_a_trailer_is_a_body(house: House) -> None:
    body = body_of(labeled(padding="x" * 200_000))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers_for(body).items())
    parts = [body[at : at + 100] for at in range(0, len(body), 100)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    request = f"POST /webhook HTTP/1.1\r\nhost: x\r\n{head}transfer-encoding: chunked\r\n\r\n"
    async with serving(house) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode() + chunks + b"0\r\nx-last: yes\r\n\r\n")
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 202")
