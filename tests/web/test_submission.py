"""A submission through the real desk: who is asked about it, and who is not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.domain import Status
from tests.hubhouse import ground_at


class Listener:
    """A socket that counts who comes."""

    def __init__(self) -> None:
        self.came = 0
        self.port = 0

    async def met(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    heard = Listener()
    server = await asyncio.start_server(heard.met, "127.0.0.1", 0)
    heard.port = server.sockets[0].getsockname()[1]
    async with server:
        yield heard


async def test_a_submission_sends_nothing_to_its_target(tmp_path: Path, listener: Listener) -> None:
    target = f"http://127.0.0.1:{listener.port}/"
    ground = ground_at(tmp_path, allowed_hosts=(f"127.0.0.1:{listener.port}",))
    async with ground.house() as house:
        transport = httpx.ASGITransport(house.web, client=("127.0.0.1", 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as api:
            wish = {"feature": "Say hello", "target_url": target}
            answer = await api.post("/api/tasks", json=wish)
        assert answer.status_code in {201, 202}, answer.text
        task = await house.queue.get(answer.json()["task_id"])
        assert (task.status, task.target_url) == (Status.QUEUED, target)
        await _reach(listener)
    assert listener.came == 1, "our own knock, which shows that it listens, and nobody else's"


async def _reach(listener: Listener) -> None:
    """Whoever knocked before us has been counted when this returns."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
