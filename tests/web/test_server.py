"""The real server on a real socket: slow clients, big bodies, many at once."""

import asyncio
import time

import httpx

from bot.web.parts import WebSettings
from bot.web.server import ImpatientProtocol
from tests.web.deliveries import body_of, headers_for, labeled
from tests.web.house import SECRET, House
from tests.web.serving import serving


class _VeryImpatient(ImpatientProtocol):
    header_deadline_s = 0.2


async def closed_after(port: int, start: bytes) -> tuple[float, bytes]:
    """Send a beginning and wait for the end: seconds until then, and what was answered."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return time.monotonic() - began, answer


async def test_clients_that_never_finish_are_closed_and_others_are_served(house: House) -> None:
    house.settings = WebSettings(webhook_secrets=(SECRET,), body_deadline_s=0.3)
    half_body = b"POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf"
    beginnings = [b"", b"POST /web", b"POST /webhook HTTP/1.1\r\nhost: x\r\n", half_body]
    body = body_of(labeled())
    async with serving(house, _VeryImpatient) as port, httpx.AsyncClient() as client:
        slow = [asyncio.create_task(closed_after(port, start)) for start in beginnings * 15]
        url = f"http://127.0.0.1:{port}/webhook"
        answer = await client.post(url, content=body, headers=headers_for(body))
        assert answer.status_code == 202
        for seconds, said in await asyncio.gather(*slow):
            assert seconds < 5
            assert said == b"" or said.startswith(b"HTTP/1.1 408")


async def test_a_connection_is_kept_for_the_next_request(house: House) -> None:
    async with serving(house, _VeryImpatient) as port, httpx.AsyncClient() as client:
        for _ in range(3):
            assert (await client.get(f"http://127.0.0.1:{port}/livez")).status_code == 200


async def test_a_body_that_is_too_large_is_refused_and_the_rest_is_not_read(house: House) -> None:
    request = b"POST /webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 26214401\r\n\r\n"
    async with serving(house, _VeryImpatient) as port:
        seconds, answer = await closed_after(port, request)
    assert answer.startswith(b"HTTP/1.1 413")
    assert seconds < 2


async def test_a_burst_of_deliveries_is_stored_whole(house: House) -> None:
    body = body_of(labeled())

    async with serving(house) as port, httpx.AsyncClient(timeout=20) as client:
        url = f"http://127.0.0.1:{port}/webhook"

        async def one(number: int) -> int:
            headers = headers_for(body, x_github_delivery=f"delivery-{number}")
            return (await client.post(url, content=body, headers=headers)).status_code

        assert set(await asyncio.gather(*(one(number) for number in range(200)))) == {202}
    assert len(await house.queue.pending(limit=500)) == 200
