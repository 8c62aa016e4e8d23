"""ingest: durable, deduplicated deliveries per second of processor, as the real app takes them."""

import socket
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from pydantic import SecretStr

from bot import log
from bot.app import create_app
from bot.config.choices import CageKind
from bot.config.settings import Settings
from bot.door import Door, serving, web_settings
from tests.bench import senders, wire
from tests.bench.meter import Meter
from tests.bench.model import Bench, Cell, Figure, Reading

CALLERS = 10
WARM_UP = 3  #: times the count, before Probot is measured warm


def bench(*, quick: bool) -> Bench:
    count = 50 if quick else 2000
    args = {"count": count}
    names = ("chimera", "aiosqlite", "gidgethub")
    anchors = "tests.bench.ingest_anchors"
    works = ("tests.bench.ingest:chimera", f"{anchors}:aiosqlite_each", f"{anchors}:gidgethub_only")
    return Bench(
        name="ingest",
        about="signed deliveries of 8 KB from ten connections, one in ten sent twice",
        cells=[
            *(Cell(name=n, work=w, args=args) for n, w in zip(names, works, strict=True)),
            Cell(
                name="probot",
                work="tests.bench.probot:deliveries",
                args={"count": count, "warm_up": WARM_UP * count},
            ),
        ],
        figures=(
            Figure(name="processor per delivery", unit="µs", of=lambda r: r["chimera"]["cpu_us"]),
            Figure(name="deliveries stored", unit="/s", of=lambda r: r["chimera"]["per_s"]),
            Figure(
                name="stored once each",
                unit="of sent",
                of=lambda r: r["chimera"]["stored"] / r["chimera"]["wanted"],
                at_least=1.0,
                at_most=1.0,
                exact=True,
            ),
            Figure(
                name="per CPU-second against a connection a request (aiosqlite, same durability)",
                unit="×",
                of=lambda r: _ratio(r, "aiosqlite"),
                at_least=5.0,
            ),
            Figure(
                name="per CPU-second against gidgethub + aiohttp, which stores nothing",
                unit="×",
                of=lambda r: _ratio(r, "gidgethub"),
                at_least=1.0,
            ),
            Figure(
                name="per CPU-second against Probot, as fresh as ours, which stores nothing",
                unit="×",
                of=lambda r: r["chimera"]["per_cpu_s"] / r["probot"]["cold_per_cpu_s"],
                at_least=1.2,
            ),
            Figure(
                name=f"the same against Probot after {WARM_UP * count:,} deliveries",
                unit="×",
                of=lambda r: r["chimera"]["per_cpu_s"] / r["probot"]["warm_per_cpu_s"],
                at_least=1.2,
            ),
        ),
    )


async def chimera(count: int) -> Reading:
    """The app behind its door, its log written to a file; nobody reads the inbox meanwhile."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w") as lines:
        log.set_up(stream=lines)
        settings = settings_in(Path(folder))
        async with create_app(settings) as house:
            door = Door(house.queue, web_settings(settings))
            door.open(house)
            with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:
                async with serving(door, listener, take=door.receiver.take):
                    reading = await bombarded(listener.getsockname()[1], count)
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


async def bombarded(port: int, count: int) -> Reading:
    """What it costs this process to answer the senders, which are another one."""
    meter = Meter()
    with meter.running():
        total = await senders.delivered(port, count, CALLERS)
    return meter.reading(total)


def _ratio(readings: Mapping[str, Reading], anchor: str) -> float:
    return readings["chimera"]["per_cpu_s"] / readings[anchor]["per_cpu_s"]
