"""githubkit underneath: one pool for all tasks, nothing heavy at the first call, nothing unread."""

import asyncio
import contextlib
import contextvars
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.errors import Transient, Uncertain
from bot.github.client import GitHub
from bot.github.kit import MAX_AT_ONCE, Kit, Request
from bot.github.repo import Repo
from tests.github.wire import API, PEM, REPO, Wire, github

TOO_LONG = b"x" * (33 * 1024 * 1024)
READ = Request(method="GET", path="/x")

FIRST_CONNECTION = """
import asyncio, sys
from tests.github.test_kit import PEM, hub
from bot.github.client import GitHub

async def main():
    async with hub() as server:
        async with GitHub(app_id=3, private_key=PEM, api_url=server.url) as github:
            before = set(sys.modules)
            await github.get("/app", installation_id=0)
            print(*(set(sys.modules) - before))

asyncio.run(main())
"""

FIRST_CALLS = """
import asyncio, sys
from tests.github.wire import REPO, Wire, github
from bot.github.repo import Repo
import httpx

def loaded():
    return {name for name in sys.modules if name.partition(".")[0].startswith("githubkit")}

async def main():
    made = httpx.Response(201, json={"id": 1, "number": 1, "data": {"x": 1}})
    repo = Repo(github(Wire(httpx.Response(401), httpx.Response(502), made)), REPO)
    await repo.issue(1)
    await repo.create_comment(1, "x")
    await repo.mark_ready("PR_1")

before = loaded()
asyncio.run(main())
assert "githubkit" in before
print(*sorted(loaded() - before), *sorted(n for n in loaded() if n.endswith((".models", ".types"))))
"""


class Hub:
    """A server that keeps its connections open, and knows them all."""

    def __init__(self) -> None:
        self.connections: list[asyncio.Task[None] | None] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                await writer.drain()
        writer.close()
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def hub() -> AsyncIterator[Hub]:
    """Ends when every client has hung up."""
    made = Hub()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v3"
    async with server:
        yield made
        async with asyncio.timeout(5):
            await asyncio.gather(*(task for task in made.connections if task is not None))


async def test_tasks_of_unrelated_contexts_share_one_connection() -> None:
    async with hub() as server:
        github = GitHub(app_id=3, private_key=PEM, api_url=server.url)
        async with github:
            for _ in range(5):
                call = github.get("/app", installation_id=0)
                await asyncio.create_task(call, context=contextvars.Context())
    assert len(server.connections) == 1


async def test_a_closed_client_opens_nothing_again() -> None:
    async with hub() as server:
        kit = Kit(api_url=server.url, follow_redirects=True)
        await kit.exchange(READ)
        await kit.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await kit.exchange(READ)
    assert len(server.connections) == 1


async def test_the_base_of_an_enterprise_server_stays_before_the_path() -> None:
    wire = Wire()
    for base in (API, f"{API}/"):
        await Kit(api_url=base, transport=wire, follow_redirects=True).exchange(READ)
    assert [str(one.url) for one in wire.requests] == [f"{API}/x"] * 2


@pytest.mark.parametrize("status", [403, 429, 500])
async def test_an_error_without_end_is_not_read_to_the_end(status: int) -> None:
    repo = Repo(github(Wire(httpx.Response(status, content=TOO_LONG))), REPO)
    with pytest.raises(Uncertain, match="exceeds"):
        await repo.create_comment(1, "x")
    with pytest.raises(Transient, match="exceeds"):
        await repo.issue(1)


async def test_a_fault_of_ours_is_not_taken_for_one_of_the_network() -> None:
    with pytest.raises(ZeroDivisionError):
        await github(Wire(ZeroDivisionError())).get("/x", installation_id=5)


async def test_no_more_requests_leave_at_once_than_github_allows() -> None:
    busy = most = 0

    async def slow(_: httpx.Request) -> httpx.Response:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1
        return httpx.Response(200, json={})

    kit = Kit(api_url=API, transport=Wire(slow), follow_redirects=True)
    await asyncio.gather(*(kit.exchange(READ) for _ in range(3 * MAX_AT_ONCE)))
    assert 1 < most <= MAX_AT_ONCE


def last_line(program: str) -> str:
    """What a Python of its own prints after its log."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_first_calls_load_nothing_of_githubkit_and_never_a_schema() -> None:
    # The one that is loaded comes with the package, and is small.
    assert last_line(FIRST_CALLS) == "githubkit.graphql.models"


def test_the_first_connection_loads_no_module_on_the_event_loop() -> None:
    assert last_line(FIRST_CONNECTION) == ""


def test_the_help_of_the_command_line_does_not_load_githubkit() -> None:
    program = """
import sys
from click.testing import CliRunner
from bot.cli.main import cli
assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
print("githubkit" in sys.modules)
"""
    assert last_line(program) == "False"
