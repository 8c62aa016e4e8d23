"""The token and the network: where it is sent, and where it is never found."""

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.errors import AuthFailed, Conflict, Deadline, Refused, Transient, Uncertain
from bot.github.git import Git
from bot.github.git_process import git as run

TOKEN = "ghs_5_canary.token-of_an_installation"
BASIC = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


class Remote:
    """A server that answers git's first request with one status, and looks around meanwhile."""

    def __init__(self, status: str, headers: str = "") -> None:
        self.status = status
        self.headers = headers
        self.requests: list[str] = []
        self.command_lines: list[str] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            self.command_lines += command_lines()
            head = f"HTTP/1.1 {self.status}\r\n{self.headers}content-length: 0\r\n"
            writer.write(f"{head}connection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


def command_lines() -> Iterator[str]:
    """Of every process that is alive on this machine; some end while we look."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().decode("utf-8", "replace")


def everything_in(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@contextlib.asynccontextmanager
async def serving(remote: Remote) -> AsyncIterator[Remote]:
    server = await asyncio.start_server(remote.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    remote.url = f"http://127.0.0.1:{port}/acme/shop.git"
    async with server:
        yield remote


async def test_the_token_is_sent_as_basic_auth_and_found_nowhere_else(tmp_path: Path) -> None:
    git = Git(tmp_path)
    async with serving(Remote("404 Not Found")) as remote:
        with pytest.raises(Refused) as caught:
            await git.mirror(remote.url, "acme-shop", TOKEN)
    assert f"Authorization: Basic {BASIC}" in remote.requests[0]
    assert any("ls-remote" in line or "fetch" in line for line in remote.command_lines)
    places = "\n".join([*remote.command_lines, str(caught.value), caught.value.body])
    assert TOKEN not in places
    assert BASIC not in places
    stored = everything_in(tmp_path)
    assert TOKEN.encode() not in stored
    assert BASIC.encode() not in stored


async def test_without_a_token_nothing_is_sent(tmp_path: Path) -> None:
    async with serving(Remote("404 Not Found")) as remote:
        with pytest.raises(Refused):
            await Git(tmp_path).branches(remote.url, "main")
    assert "Authorization" not in remote.requests[0]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("401 Unauthorized", AuthFailed),
        ("403 Forbidden", Refused),
        ("404 Not Found", Refused),
        ("429 Too Many Requests", Transient),
        ("502 Bad Gateway", Transient),
    ],
)
async def test_what_the_remote_answers_is_told_apart(
    tmp_path: Path, status: str, error: type[Exception]
) -> None:
    async with serving(Remote(status)) as remote:
        with pytest.raises(error):
            await Git(tmp_path).branches(remote.url, "main", TOKEN)


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 No", "308 No"])
@pytest.mark.parametrize("verb", ["fetch", "ls-remote", "push"])
async def test_a_renamed_repository_is_a_conflict_and_gets_no_token(
    tmp_path: Path, status: str, verb: str
) -> None:
    git = Git(tmp_path)
    async with serving(Remote("200 OK")) as elsewhere:
        location = f"location: {elsewhere.url}/info/refs?service=git-upload-pack\r\n"
        async with serving(Remote(status, location)) as remote:
            with pytest.raises(Conflict, match="renamed or moved; nothing was written"):
                await git.mirror(remote.url, "acme-shop", TOKEN)
            mirror = git.mirror_path("acme-shop")
            with pytest.raises(Conflict, match="renamed or moved; nothing was written"):
                await speak(git, verb, mirror, remote.url)
    assert elsewhere.requests == []


async def speak(git: Git, verb: str, mirror: Path, url: str) -> None:
    match verb:
        case "fetch":
            await git.fetch(mirror, url, ["main"], TOKEN)
        case "push":
            await git.push(mirror, url, "main", "a" * 40, expected=None, token=TOKEN)
        case "ls-remote":
            await git.branches(url, "main", TOKEN)


async def test_nobody_there_is_transient_for_a_fetch_and_for_a_push(tmp_path: Path) -> None:
    git = Git(tmp_path)
    async with serving(Remote("200 OK")) as remote:
        url = remote.url
    with pytest.raises(Transient):
        await git.mirror(url, "acme-shop")
    mirror = git.mirror_path("acme-shop")
    made = await run(
        ["commit-tree", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"],
        git_dir=mirror,
        env={
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@x.test",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@x.test",
        },
    )
    with pytest.raises(Transient):
        await git.push(mirror, url, "main", made.text, expected=None)


async def test_a_push_without_a_readable_answer_is_uncertain(tmp_path: Path) -> None:
    git = Git(tmp_path)
    async with serving(Remote("500 Internal Server Error")) as remote:
        with pytest.raises(Transient):
            await git.mirror(remote.url, "acme-shop")
        with pytest.raises(Uncertain):
            await git.push(
                git.mirror_path("acme-shop"), remote.url, "main", "a" * 40, expected=None
            )


async def test_a_cancelled_call_ends_git_and_its_helpers(tmp_path: Path) -> None:
    async with silence() as (url, arrived):
        call = asyncio.create_task(Git(tmp_path).branches(url, "main", TOKEN))
        async with asyncio.timeout(10):
            await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await gone(url)


@pytest.mark.parametrize("turns", range(3, 14))
async def test_a_call_that_is_cancelled_while_git_starts_ends_git_and_its_helpers(
    tmp_path: Path, turns: int
) -> None:
    """So many turns of the event loop after it has begun, on a machine that is slow just then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.git"
        call = asyncio.create_task(Git(tmp_path).branches(url, "main", TOKEN))
        for _ in range(turns):
            await asyncio.sleep(0)
        connection, _ = server.accept()  # the loop stands still, git does not
        with connection:
            assert connection.recv(4096).startswith(b"GET /x.git/info/refs")
            call.cancel()
            async with asyncio.timeout(20):
                with pytest.raises(asyncio.CancelledError):
                    await call
            await gone(url)


async def test_the_deadline_ends_git_and_its_helpers() -> None:
    async with silence() as (url, _):
        with pytest.raises(Deadline, match="longer than"):
            await run(["ls-remote", url], remote=url, timeout_s=0.5)
        await gone(url)


@contextlib.asynccontextmanager
async def silence() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A server that never answers, and the event that somebody has asked."""
    arrived = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()  # until git is gone
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x.git", arrived


async def gone(text: str) -> None:
    """Return when no process names this any more: the killed take a moment to be reaped."""
    async with asyncio.timeout(20):
        while processes_with(text):  # noqa: ASYNC110 - a process ends without an event of ours
            await asyncio.sleep(0.02)


def processes_with(text: str) -> list[str]:
    return [line for line in command_lines() if text in line]
