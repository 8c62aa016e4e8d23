"""What a store of a given size costs: `python -m tests.packaging.capacity [TASKS …] [--json]`.

A real workflow is run once (the demo), and its rows are copied as often as wanted, under other
names; then a server's own calls are timed on that store. The figures are this machine's.
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from bot.tasks.lasting import Lasting
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import STORE_FILE, SqliteStore
from bot.tasks.tally import Tally

SIZES = (1_000, 10_000)
LIVE = 100  #: every so-manieth task has not ended
_TABLES = ("journal", "effect", "transcript")


def demo_store(folder: Path) -> Path:
    """The store of one whole workflow."""
    argv = [sys.executable, "-m", "bot", "demo", "--json", "--dir", str(folder)]
    subprocess.run(argv, check=True, capture_output=True)
    return next(folder.rglob(STORE_FILE))


def grown(source: Path, target: Path, tasks: int) -> None:
    """A store with so many copies of the one task of `source`."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("PRAGMA synchronous = OFF")
        for number in range(1, tasks):
            _copy(new, f"chimera-{number:026d}", number, live=number % LIVE == 0)
        new.commit()


def _copy(raw: sqlite3.Connection, name: str, number: int, *, live: bool) -> None:
    status, wait = (
        ("WAITING", '{"on":"approval","reason":"waits"}') if live else ("COMPLETED", None)
    )
    values = {"id": name, "issue": number + 10, "status": status, "wait_json": wait,
              "finished_at": None if live else time.time() - number}  # fmt: skip
    _insert(raw, "task", {**values, "seq": None}, "1 = 1 ORDER BY seq LIMIT 1")
    first = "task_id = (SELECT id FROM task ORDER BY seq LIMIT 1)"
    for table in _TABLES:
        key = {"key": f"key || '{name}'"} if table == "effect" else {}
        _insert(raw, table, {"task_id": name}, first, key)


def _insert(
    raw: sqlite3.Connection, table: str, values: dict[str, Any], where: str,
    expressions: dict[str, str] | None = None,
) -> None:  # fmt: skip
    names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
    chosen = [
        (expressions or {}).get(name, f":{name}" if name in values else name) for name in names
    ]
    raw.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(chosen)} "
        f"FROM {table} WHERE {where}",
        values,
    )


async def measured(path: Path) -> dict[str, float]:
    """Sizes, and what the server's calls take, in the units of their names."""
    opened = time.perf_counter()
    store = await SqliteStore.open(path)
    opened = time.perf_counter() - opened
    try:
        queue = TaskQueue(store, time.time)
        pool = ExecutorPool(queue, _never)
        return {
            "open_ms": opened * 1e3,
            "scrape_ms": await _ms(lambda: _scrape(queue, pool, store)),
            "overview_page_ms": await _ms(lambda: queue.page(limit=60)),
            "claim_of_an_empty_queue_ms": await _ms(lambda: queue.claim("capacity/1")),
            "backup_ms": await _ms(lambda: store.backup(path.with_suffix(".backup"))),
        }
    finally:
        await store.close()


async def _scrape(queue: TaskQueue, pool: ExecutorPool, store: SqliteStore) -> None:
    """What `/metrics` reads."""
    await pool.get_metrics()
    await queue.counts()
    await queue.history()
    await queue.backlog()
    await Tally(queue).counted()
    await Lasting(store, time.time).breakers()


async def _never(_task: object) -> Any:
    raise AssertionError("nothing runs here")


async def _ms(call: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await call()
    return (time.perf_counter() - begun) * 1e3


def figures(sizes: Iterable[int]) -> list[dict[str, float]]:
    """One row for each number of tasks."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = demo_store(Path(folder) / "demo")
        for tasks in sizes:
            target = Path(folder) / f"{tasks}" / STORE_FILE
            target.parent.mkdir()
            grown(source, target, tasks)
            size = {"tasks": tasks, "store_mb": target.stat().st_size / 1e6}
            rows.append(size | asyncio.run(measured(target)))
    return rows


@click.command()
@click.argument("sizes", type=int, nargs=-1)
@click.option("--json", "as_json", is_flag=True)
def main(sizes: Sequence[int], as_json: bool) -> None:
    """Print the figures for stores with so many tasks."""
    rows = figures(sizes or SIZES)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for name in rows[0]:
        click.echo(f"{name:28}" + "".join(f"{row[name]:>14,.1f}" for row in rows))


if __name__ == "__main__":
    main()
