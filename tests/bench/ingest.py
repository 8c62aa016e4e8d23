"""ingest: durable, deduplicated deliveries per second of processor, as the real app takes them."""

import socket
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from pydantic import SecretStr

from bot import log
from bot.app import create_app
from bot.config.choices import CageKind
from bot.config.settings import Settings
from bot.door import Door, keep_what_is_loaded, serving, web_settings
from tests.bench import senders, wire
from tests.bench.meter import Meter
from tests.bench.model import Bench, Cell, Figure, Reading, Readings

CALLERS = (10, 50)  #: connections: a trickle, and a burst as a busy organisation sends one
WARM_UP = 3  #: times the count, before Probot is measured warm
WORKS = {
    "chimera": "tests.bench.ingest:chimera",
    "aiosqlite": "tests.bench.ingest_anchors:aiosqlite_each",
    "gidgethub": "tests.bench.ingest_anchors:gidgethub_only",
}


def bench(*, quick: bool) -> Bench:
    count = 50 if quick else 2000
    return Bench(
        name="ingest",
        about="signed deliveries of 8 KB on ten and on fifty connections, one in ten sent twice",
        cells=[cell for callers in CALLERS for cell in _cells(count, callers)],
        figures=[figure for callers in CALLERS for figure in _figures(count, callers)],
    )


def _cells(count: int, callers: int) -> list[Cell]:
    args = {"count": count, "callers": callers}
    return [
        *(Cell(name=f"{name} {callers}", work=work, args=args) for name, work in WORKS.items()),
        Cell(
            name=f"probot {callers}",
            work="tests.bench.probot:deliveries",
            args={**args, "warm_up": WARM_UP * count},
        ),
    ]


def _figures(count: int, callers: int) -> list[Figure]:
    at, ours, probot = f"at {callers}:", f"chimera {callers}", f"probot {callers}"
    return [
        Figure(
            name=f"{at} processor per delivery",
            unit="µs",
            of=lambda r: r[ours]["cpu_us"],
        ),
        Figure(name=f"{at} deliveries stored", unit="/s", of=lambda r: r[ours]["per_s"]),
        Figure(
            name=f"{at} stored once each",
            unit="of sent",
            of=lambda r: r[ours]["stored"] / r[ours]["wanted"],
            at_least=1.0,
            at_most=1.0,
            exact=True,
        ),
        _against(
            f"{at} per CPU-second against a connection a request (aiosqlite, same durability)",
            lambda r: r[ours]["per_cpu_s"] / r[f"aiosqlite {callers}"]["per_cpu_s"],
            at_least=5.0,
        ),
        _against(
            f"{at} per CPU-second against gidgethub + aiohttp, which stores nothing",
            lambda r: r[ours]["per_cpu_s"] / r[f"gidgethub {callers}"]["per_cpu_s"],
            at_least=1.0,
        ),
        _against(
            f"{at} per CPU-second against Probot, as fresh as ours, which stores nothing",
            lambda r: r[ours]["per_cpu_s"] / r[probot]["cold_per_cpu_s"],
            at_least=1.2,
        ),
        _against(
            f"{at} the same against Probot after {WARM_UP * count:,} deliveries",
            lambda r: r[ours]["per_cpu_s"] / r[probot]["warm_per_cpu_s"],
            at_least=1.2,
        ),
    ]


def _against(name: str, of: Callable[[Readings], float], *, at_least: float) -> Figure:
    return Figure(name=name, unit="×", of=of, at_least=at_least)


async def chimera(count: int, callers: int) -> Reading:
    """The app behind its door, its log written to a file; nobody reads the inbox meanwhile."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w") as lines:
        log.set_up(stream=lines)
        settings = settings_in(Path(folder))
        async with create_app(settings) as house:
            door = Door(house.queue, web_settings(settings))
            door.open(house)
            keep_what_is_loaded()
            with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:
                async with serving(door, listener, take=door.receiver.take):
                    reading = await bombarded(listener.getsockname()[1], count, callers)
            stored = await house.queue.deliveries(limit=2 * count)
    return {**reading, "stored": len(stored), "wanted": count}


def settings_in(folder: Path) -> Settings:
    """A server without GitHub and without a cage: what a bench of its doors needs."""
    return Settings(
        data_dir=folder / "data",
        webhook_secret=SecretStr(wire.SECRET),
        cage=CageKind.NONE,
        worker_name="bench",
        max_concurrent=5,  # fixed: a bench says itself how many slots there are
    )


async def bombarded(port: int, count: int, callers: int) -> Reading:
    """What it costs this process to answer the senders, which are another one."""
    meter = Meter()
    with meter.running():
        total = await senders.delivered(port, count, callers)
    return meter.reading(total)
