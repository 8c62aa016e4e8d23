"""A submission through the real desk: who is asked about it, and who is not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.app import House
from bot.domain import MAX_FEATURE, Status
from bot.errors import InputError
from bot.workflow.executor import create_chimera_task
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
    async with ground.house() as house, api_of(house) as api:
        wish = {"feature": "Say hello", "target_url": target}
        answer = await api.post("/api/tasks", json=wish)
        assert answer.status_code in {201, 202}, answer.text
        task = await house.queue.get(answer.json()["task_id"])
        assert (task.status, task.target_url) == (Status.QUEUED, target)
        await _reach(listener)
    assert listener.came == 1, "our own knock, which shows that it listens, and nobody else's"


async def test_an_open_issue_can_be_named_and_nothing_else(tmp_path: Path) -> None:
    ground = ground_at(tmp_path)
    ada, site = ground.owner, ground.repository
    opened = await ada.open_issue(site, "Say hello")
    closed = await ada.open_issue(site, "Say goodbye")
    await ada.close(site, closed["number"])
    await ada.push(site, "mine", {"new.md": "New.\n"}, "New")
    pull = await ada.open_pull(site, "mine", "Mine")
    async with ground.house() as house, api_of(house) as api:
        for number, said in (
            (closed["number"], "is closed"),
            (pull["number"], "is a pull request"),
            (4711, "ada/site has no #4711"),
        ):
            answer = await api.post("/api/tasks", json={"feature": "Hello", "issue": number})
            assert answer.status_code == 422, answer.text
            [wrong] = answer.json()["errors"]
            assert (wrong["pointer"], said in wrong["detail"]) == ("#/issue", True)
        assert await house.queue.find(site.id, closed["number"]) is None
        answer = await api.post("/api/tasks", json={"feature": "Hi", "issue": opened["number"]})
        assert answer.status_code == 202, answer.text
        assert (await house.queue.get(answer.json()["task_id"])).issue == opened["number"]


async def test_a_repository_without_the_app_is_named_as_the_wrong_field(tmp_path: Path) -> None:
    async with ground_at(tmp_path).house() as house, api_of(house) as api:
        answer = await api.post("/api/tasks", json={"feature": "Hi", "repository": "ada/nope"})
    [wrong] = answer.json()["errors"]
    assert (answer.status_code, wrong["pointer"]) == (422, "#/repository")
    assert "install it there" in wrong["detail"]


async def test_a_request_sent_again_is_the_same_task_though_its_issue_was_closed_since(
    tmp_path: Path,
) -> None:
    ground = ground_at(tmp_path)
    ada, site = ground.owner, ground.repository
    number = (await ada.open_issue(site, "Say hello"))["number"]
    wish, key = {"feature": "Hi", "issue": number}, {"idempotency-key": "one"}
    async with ground.house() as house, api_of(house) as api:
        first = await api.post("/api/tasks", json=wish, headers=key)
        await ada.close(site, number)
        again = await api.post("/api/tasks", json=wish, headers=key)
        other = await api.post("/api/tasks", json=wish | {"feature": "Bye"}, headers=key)
    assert (again.status_code, again.json()) == (202, first.json())
    assert (other.status_code, "another request" in other.text) == (422, True)


async def test_the_longest_wish_is_as_long_by_api_as_for_a_program(tmp_path: Path) -> None:
    longest, too_long = "x" * MAX_FEATURE, "x" * (MAX_FEATURE + 1)
    async with ground_at(tmp_path).house() as house, api_of(house) as api:
        assert (await api.post("/api/tasks", json={"feature": longest})).status_code == 202
        assert (await api.post("/api/tasks", json={"feature": too_long})).status_code == 422
    assert create_chimera_task(feature=longest).feature == longest
    with pytest.raises(InputError, match=f"1 to {MAX_FEATURE} characters"):
        create_chimera_task(feature=too_long)


@contextlib.asynccontextmanager
async def api_of(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this machine."""
    transport = httpx.ASGITransport(house.web, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as api:
        yield api


async def _reach(listener: Listener) -> None:
    """Whoever knocked before us has been counted when this returns."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
