"""The other end of a cage's way out: unix sockets that lead to exactly the places allowed.

A plain address on this machine's loopback is forwarded byte by byte, so a test uses its URL as it
stands. Everything else goes through an HTTP proxy (RFC 9110, 7.7 and 9.3.6) that opens listed
pairs of host and port and answers 403 to the rest.
"""

import asyncio
import contextlib
import ipaddress
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bot.agents.cage_policy import WayOut
from bot.errors import ConfigError

PROXY_PORT = 3128
_HEAD_LIMIT = 64 * 1024
_HEAD_S = 15.0
_CONNECT_S = 10.0
_CHUNK = 64 * 1024

Place = tuple[str, int]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a caged run is given to get out: ways for `Cage.run(network=…)` and variables."""

    ways: tuple[WayOut, ...]
    env: Mapping[str, str]


@contextlib.asynccontextmanager
async def reach(url: str, *, caged: bool = True) -> AsyncIterator[Reach]:
    """A way to `url`'s host and port and to nothing else. Raises ConfigError for other schemes.

    Who is not caged needs none; on this machine's loopback it would take the place's own port.
    """
    place, plain = _place_of(url)
    if not caged:
        yield Reach(ways=(), env={})
        return
    if plain and _is_loopback(place[0]):
        async with listening(_forwarder(place)) as socket:
            yield Reach(ways=(WayOut(port=place[1], socket=socket),), env={})
        return
    async with proxied(frozenset({place})) as found:
        yield found


@contextlib.asynccontextmanager
async def proxied(allowed: frozenset[Place]) -> AsyncIterator[Reach]:
    """A way through a proxy that opens `allowed` only (package indexes, a staging host)."""
    async with listening(_Proxy(allowed).serve) as socket:
        address = f"http://127.0.0.1:{PROXY_PORT}"
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
        own = "localhost,127.0.0.1"
        env = {**dict.fromkeys(names, address), "no_proxy": own, "NO_PROXY": own}
        yield Reach(ways=(WayOut(port=PROXY_PORT, socket=socket),), env=env)


@contextlib.asynccontextmanager
async def listening(serve: Serve, *, limit: int = _HEAD_LIMIT) -> AsyncIterator[Path]:
    """A unix socket, its path below 108 bytes, with `serve` behind it until the block ends.

    `limit` is the longest line, in bytes, that `serve` can read at once.
    """
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="chimera-")
    open_now: set[asyncio.Task[None]] = set()
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                if not over.is_set():  # it may have been accepted just before the end
                    await serve(reader, writer)
        except asyncio.CancelledError:
            if not over.is_set():  # at the end nobody is left who would want to know
                raise
        finally:
            open_now.discard(task)
            writer.close()

    path = Path(folder) / "s"
    server = await asyncio.start_unix_server(answer, path, limit=limit)
    try:
        yield path
    finally:
        over.set()
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def connect(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Opens `place` within a deadline. Raises OSError or TimeoutError."""
    async with asyncio.timeout(_CONNECT_S):
        return await asyncio.open_connection(*place)


async def splice(
    near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Copies both ways until both have ended, and closes the far end."""
    try:
        await asyncio.gather(_copy(near[0], far[1]), _copy(far[0], near[1]))
    finally:
        far[1].close()


def _forwarder(place: Place) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await splice((reader, writer), await connect(place))

    return serve


class _Proxy:
    """An HTTP proxy for a list of places."""

    def __init__(self, allowed: frozenset[Place]) -> None:
        self._allowed = allowed

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            method, target, rest = _request_of(head)
            place, path = _target_of(method, target)
        except (ValueError, asyncio.LimitOverrunError):
            await _say(writer, "400 Bad Request", "not a request to a proxy")
            return
        if place not in self._allowed:
            await _say(writer, "403 Forbidden", f"{place[0]}:{place[1]} is not allowed here")
            return
        try:
            far = await connect(place)
        except (OSError, TimeoutError):
            await _say(writer, "502 Bad Gateway", f"{place[0]}:{place[1]} does not answer")
            return
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far[1].write(_forwarded(method, place, path, rest))
        await splice((reader, writer), far)


def _request_of(head: bytes) -> tuple[str, str, list[str]]:
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    return method, target, [line for line in rest if line]


def _target_of(method: str, target: str) -> tuple[Place, str]:
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        return (host.strip("[]").lower(), int(port)), ""
    parts = urlsplit(target)
    if parts.scheme != "http" or parts.hostname is None:
        raise ValueError(target)
    path = parts.path or "/"
    return (parts.hostname, parts.port or 80), f"{path}?{parts.query}" if parts.query else path


def _forwarded(method: str, place: Place, path: str, headers: list[str]) -> bytes:
    """One request per connection, so that a later one is looked at too."""
    dropped = ("host:", "connection:", "proxy-", "keep-alive:")
    kept = [line for line in headers if not line.lower().startswith(dropped)]
    host = f"[{place[0]}]" if ":" in place[0] else place[0]
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{place[1]}", *kept, "Connection: close"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _say(writer: asyncio.StreamWriter, status: str, text: str) -> None:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _place_of(url: str) -> tuple[Place, bool]:
    parts = urlsplit(url)
    ports = {"http": 80, "https": 443}
    if parts.scheme not in ports or not parts.hostname:
        raise ConfigError(f"{url}: an http or https address with a host is needed")
    return (parts.hostname, parts.port or ports[parts.scheme]), parts.scheme == "http"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
