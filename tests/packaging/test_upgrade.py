"""An older store is brought forward with what it holds, and a backup brings a broken one back."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain import Status, Task
from bot.tasks.queue import TaskQueue
from bot.tasks.schema import MIGRATIONS, statements
from bot.tasks.sqlite import STORE_FILE, SqliteStore, check
from tests.tasks.making import claimed, finish, keep_submitting, wish

NEWEST = len(MIGRATIONS)
CHIMERA_S = 60
SOME: dict[str, str | int | float] = {"TEXT": "", "INTEGER": 1, "REAL": 1.0}


def older(path: Path, version: int) -> None:
    """A store as the program of that version left it, with one task in the queue."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for migration in MIGRATIONS[:version]:
            for statement in statements(migration):
                raw.execute(statement)
        raw.execute(f"PRAGMA user_version = {version}")
        columns = raw.execute("PRAGMA table_info(task)").fetchall()
        needed = {name: SOME[kind] for _, name, kind, needed, default, _ in columns
                  if needed and default is None}  # fmt: skip
        row = needed | {"id": "chimera-old", "status": "QUEUED", "phase": "E2E_TEST_GENERATION",
                        "facts_json": "{}", "spend_json": "{}", "title": "Add logout"}  # fmt: skip
        names = ", ".join(row)
        raw.execute(
            f"INSERT INTO task ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values())
        )


def chimera(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "CHIMERA" not in name}
    return subprocess.run(
        [sys.executable, "-m", "bot", *words, "--data-dir", str(data)],
        env=clean, capture_output=True, text=True, timeout=CHIMERA_S, check=False,
    )  # fmt: skip


async def tasks_of(path: Path) -> list[Task]:
    store = await SqliteStore.open(path)
    try:
        return list((await TaskQueue(store, time.time).page(limit=500)).tasks)
    finally:
        await store.close()


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
async def test_a_store_of_every_earlier_version_opens_with_what_it_held(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / STORE_FILE
    older(path, version)
    [task] = await tasks_of(path)
    assert (task.id, task.title, task.status) == ("chimera-old", "Add logout", Status.QUEUED)
    assert check(path) == []


async def test_a_broken_store_goes_on_from_its_backup(tmp_path: Path) -> None:
    data, saved = tmp_path / "data", tmp_path / "backup.db"
    data.mkdir()
    store = await SqliteStore.open(data / STORE_FILE)
    queue = TaskQueue(store, time.time)
    for issue in range(1, 40):
        await queue.submit(wish(issue))
    done = await finish(queue, await claimed(queue))
    writing = asyncio.create_task(keep_submitting(queue))
    backup = await asyncio.to_thread(chimera, data, "db", "backup", str(saved))
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await store.close()
    assert backup.returncode == 0, backup.stderr

    (data / STORE_FILE).write_bytes(b"\0" * 4096 + (data / STORE_FILE).read_bytes()[4096:])
    broken = await asyncio.to_thread(chimera, data, "db", "check", "--json")
    assert broken.returncode == 1
    for left in data.glob(f"{STORE_FILE}*"):
        left.unlink()
    (data / STORE_FILE).write_bytes(saved.read_bytes())

    checked = await asyncio.to_thread(chimera, data, "db", "check", "--json")
    assert json.loads(checked.stdout)["ok"] is True
    found = {task.id: task for task in await tasks_of(data / STORE_FILE)}
    assert len(found) >= 39
    assert found[done.id].status is Status.COMPLETED
