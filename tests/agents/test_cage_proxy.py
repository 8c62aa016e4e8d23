"""Ways out of the cage: to the place that was allowed, and to no other."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.agents.cage import Cage
from bot.agents.cage_proxy import proxied, reach
from bot.errors import ConfigError

GET = "import urllib.request as u; print(u.urlopen('{}', timeout=5).read().decode())"


@pytest.fixture
async def servers() -> AsyncIterator[tuple[int, int]]:
    """Two HTTP servers on the host's loopback; each says its port and what it was asked."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:  # who was refused has hung up
            writer.close()
            return
        port = writer.get_extra_info("sockname")[1]
        hosts = sum(line.lower().startswith("host:") for line in head.splitlines())
        body = f"port {port} got {head.splitlines()[0]} for {hosts} host"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as one,
        await asyncio.start_server(answer, "127.0.0.1", 0) as two,
    ):
        yield one.sockets[0].getsockname()[1], two.sockets[0].getsockname()[1]


async def test_a_test_uses_the_address_of_a_local_staging_as_it_stands(
    cage: Cage, checkout: Path, servers: tuple[int, int]
) -> None:
    one, two = servers
    async with reach(f"http://localhost:{one}/") as out:
        ran = await cage.run(
            f'''python -c "{GET.format(f"http://localhost:{one}/shop?a=1")}"
            python -c "{GET.format(f"http://127.0.0.1:{two}/")}"''',
            workspace=checkout,
            network=out.ways,
            env=out.env,
        )
    assert f"port {one} got GET /shop?a=1 HTTP/1.1 for 1 host" in ran.text
    assert f"port {two}" not in ran.text
    assert "Connection refused" in ran.text


async def test_who_is_not_caged_reaches_a_local_staging_without_a_way_of_ours(
    checkout: Path, servers: tuple[int, int]
) -> None:
    one, _ = servers
    async with reach(f"http://127.0.0.1:{one}/", caged=False) as out:
        ran = await (await Cage.open("none")).run(
            f'python -c "{GET.format(f"http://127.0.0.1:{one}/")}"',
            workspace=checkout,
            network=out.ways,
            env=out.env,
        )
    assert f"port {one} got GET / HTTP/1.1" in ran.text


async def test_a_proxy_opens_what_is_listed_and_refuses_the_rest(
    cage: Cage, checkout: Path, servers: tuple[int, int]
) -> None:
    one, two = servers
    async with proxied(frozenset({("127.0.0.1", one)})) as out:
        env = {**out.env, "no_proxy": "", "NO_PROXY": ""}
        ran = await cage.run(
            f'''python -c "{GET.format(f"http://127.0.0.1:{one}/p?q=1")}"
            python -c "{GET.format(f"http://127.0.0.1:{two}/")}"
            python -c "{GET.format("https://example.com/")}"''',
            workspace=checkout,
            network=out.ways,
            env=env,
        )
    assert f"port {one} got GET /p?q=1 HTTP/1.1 for 1 host" in ran.text
    assert f"port {two}" not in ran.text
    assert "HTTP Error 403" in ran.text
    assert "Tunnel connection failed: 403" in ran.text


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n", b"200"),
        (b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", b"403"),
        (b"CONNECT 127.0.0.1.evil.test:{port} HTTP/1.1\r\n\r\n", b"403"),
        (b"GET http://127.0.0.1:1@evil.test:{port}/ HTTP/1.1\r\n\r\n", b"403"),
        (b"GET http://evil.test/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", b"403"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", b"400"),
        (b"GET file:///etc/passwd HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT nonsense HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"GET http://127.0.0.1:99999999/ HTTP/1.1\r\n\r\n", b"400"),
        (b"A" * 100_000, b"400"),
    ],
)
async def test_each_request_is_judged_by_where_it_really_leads(
    servers: tuple[int, int], request_: bytes, status: bytes
) -> None:
    one, _ = servers
    async with proxied(frozenset({("127.0.0.1", one)})) as out:
        reader, writer = await asyncio.open_unix_connection(out.ways[0].socket)
        writer.write(request_.replace(b"{port}", str(one).encode()))
        said = await asyncio.wait_for(reader.read(100), 5)
        writer.close()
    assert said.split(b" ")[1] == status


async def test_a_way_out_is_gone_with_its_block(servers: tuple[int, int]) -> None:
    async with proxied(frozenset({("127.0.0.1", servers[0])})) as out:
        path = out.ways[0].socket
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(f"CONNECT 127.0.0.1:{servers[0]} HTTP/1.1\r\n\r\n".encode())
        assert b"200" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    assert not path.parent.exists()
    assert len(os.fsencode(path)) < 108


@pytest.mark.parametrize("url", ["ftp://x/", "file:///etc/passwd", "staging", "http://"])
async def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        async with reach(url):
            pass
