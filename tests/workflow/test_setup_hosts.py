"""`setup` installs from the package index that is listed, with pip, and reaches nothing else."""

import asyncio
import os
import socket
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.agents.cage import Cage
from bot.config.repo import Cage as CageConfig
from bot.config.repo import Checks, RepoConfig
from bot.workflow.trial import Bench

WHEEL = "greeting-1.0-py3-none-any.whl"
HOST = "127.0.0.2"  #: not the cage's own loopback: it goes through the proxy


@dataclass
class Index:
    """A package index with one package, on the host's loopback; it keeps what it was asked."""

    wheel: bytes
    port: int = 0
    asked: list[str] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
        self.asked.append(path)
        link = f'<a href="/{WHEEL}">{WHEEL}</a>'.encode()
        found: Mapping[str, tuple[str, bytes]] = {
            "/simple/greeting/": ("text/html", link),
            f"/{WHEEL}": ("application/octet-stream", self.wheel),
        }
        kind, body = found.get(path, ("text/plain", b""))
        status = "200 OK" if body else "404 Not Found"
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[Index]:
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        wheel.writestr("greeting.py", "HELLO = 'from the index'\n")
        about = "greeting-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    made = Index((tmp_path / WHEEL).read_bytes())
    async with await asyncio.start_server(made.answer, HOST, 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


@pytest.fixture
async def bench() -> Callable[..., Bench]:
    cage = await Cage.open()

    def make(*lines: str, hosts: tuple[str, ...] = (), test: str = "true") -> Bench:
        cage_config = CageConfig(setup_hosts=hosts)
        config = RepoConfig(setup=lines, cage=cage_config, checks=Checks(test=test))
        return Bench(cage, config, lambda: 0.0, 120.0)

    return make


def install(index: Index) -> str:
    at = f"http://{HOST}:{index.port}/simple/"
    flags = f"--index-url {at} --trusted-host {HOST} --no-cache-dir --retries 0 --target vendor"
    return f"python -m pip install -q --disable-pip-version-check {flags} greeting"


async def test_pip_installs_from_the_listed_index(
    bench: Callable[..., Bench], index: Index, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    made = bench(install(index), hosts=(f"{HOST}:{index.port}",))
    assert await made.setup(checkout) is None
    assert index.asked == ["/simple/greeting/", f"/{WHEEL}"]
    assert "from the index" in (checkout / "vendor" / "greeting.py").read_text()


@pytest.mark.parametrize("hosts", [(), ("pypi.example.test",), (f"{HOST}:1", HOST)])
async def test_an_index_that_is_not_listed_is_not_reached(
    bench: Callable[..., Bench], index: Index, tmp_path: Path, hosts: tuple[str, ...]
) -> None:
    trouble = await bench(install(index), hosts=hosts).setup(tmp_path)
    assert trouble is not None
    assert trouble.endswith("`cage.setup_hosts` in chimera.yml lists no host.") is (hosts == ())
    assert index.asked == []


async def test_a_listed_index_opens_nothing_beside_it(
    bench: Callable[..., Bench], index: Index, tmp_path: Path
) -> None:
    with socket.create_server((HOST, 0)) as other:
        other.setblocking(False)
        address = f"http://{HOST}:{other.getsockname()[1]}/"
        line = f"python -c \"import urllib.request as u; u.urlopen('{address}', timeout=5)\""
        trouble = await bench(line, hosts=(f"{HOST}:{index.port}",)).setup(tmp_path)
        with pytest.raises(BlockingIOError):
            other.accept()
    assert trouble is not None
    assert "403" in trouble


async def test_the_first_line_that_fails_ends_it_and_is_named(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    made = bench("echo one > a", "echo no >&2; exit 3", "echo three > c")
    trouble = await made.setup(tmp_path)
    assert str(trouble).startswith("$ echo no >&2; exit 3\nno")
    assert sorted(os.listdir(tmp_path)) == ["a"]


async def test_the_tests_that_follow_have_no_network(
    bench: Callable[..., Bench], index: Index, tmp_path: Path
) -> None:
    made = bench("echo ready", hosts=(f"{HOST}:{index.port}",), test=install(index))
    assert await made.setup(tmp_path) is None
    trial = await made.checks(tmp_path, "a" * 40)
    assert not trial.proof.green
    assert index.asked == []
