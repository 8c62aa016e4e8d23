"""The driver: durable, isolated, honest about trouble."""

import asyncio
import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from bot.errors import InputError, StoreError
from bot.tasks import sqlite
from bot.tasks.queue import TaskQueue
from bot.tasks.schema import MIGRATIONS
from bot.tasks.sqlite import SqliteStore, backup, check
from bot.tasks.store import Tx

from .making import Clock, wish

PUT = "INSERT INTO kv (key, value, at) VALUES (:key, :value, 0)"
ALL = "SELECT key FROM kv ORDER BY key"


@pytest.fixture
def store(sqlite: SqliteStore) -> SqliteStore:
    """What only this driver promises is tried on it alone."""
    return sqlite


async def put(store: SqliteStore, key: str) -> None:
    await store.write(lambda tx: tx.run(PUT, {"key": key, "value": ""}))


async def keys(store: SqliteStore) -> list[str]:
    return await store.read(lambda tx: [row["key"] for row in tx.all(ALL)])


async def test_one_callers_error_undoes_only_its_own_work(store: SqliteStore) -> None:
    def broken(tx: Tx) -> None:
        tx.run(PUT, {"key": "bad", "value": ""})
        raise ValueError("no")

    answers = await asyncio.gather(
        put(store, "a"), store.write(broken), put(store, "b"), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [type(None), ValueError, type(None)]
    assert await keys(store) == ["a", "b"]


async def test_concurrent_callers_share_a_commit(store: SqliteStore) -> None:
    running: list[int] = []

    def work(tx: Tx) -> int:
        row = tx.one("SELECT count(*) AS n FROM kv")
        running.append(0 if row is None else row["n"])
        return tx.run(PUT, {"key": str(len(running)), "value": ""})

    def others_see() -> int:
        with closing(sqlite3.connect(store.path)) as other:
            return int(other.execute("SELECT count(*) FROM kv").fetchone()[0])

    seen: list[int] = []

    def looking(tx: Tx) -> int:
        seen.append(others_see())
        return work(tx)

    await asyncio.gather(*(store.write(looking) for _ in range(20)))
    assert running == list(range(20))
    assert set(seen) == {0}, "all twenty were in one transaction, which nobody saw half-way"
    assert others_see() == 20


async def test_a_write_is_on_disk_when_it_is_acknowledged(store: SqliteStore) -> None:
    await put(store, "a")
    with closing(sqlite3.connect(store.path)) as other:
        assert other.execute("SELECT key FROM kv").fetchall() == [("a",)]
    rows = await store.write(lambda tx: tx.all("PRAGMA synchronous"))
    assert rows[0]["synchronous"] == 2, "2 is FULL"


async def test_cancelling_a_caller_leaves_nothing_half_done(store: SqliteStore) -> None:
    caller = asyncio.create_task(put(store, "a"))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await put(store, "b")
    assert await keys(store) == ["a", "b"]


async def test_readers_cannot_write(store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="readonly"):
        await store.read(lambda tx: tx.run(PUT, {"key": "a", "value": ""}))


async def test_a_locked_store_is_not_acknowledged_and_recovers(store: SqliteStore) -> None:
    await store.write(lambda tx: tx.all("PRAGMA busy_timeout = 50"))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            await put(store, "a")
        other.execute("ROLLBACK")
    await put(store, "b")
    assert await keys(store) == ["b"]


async def test_a_full_disk_is_not_acknowledged_and_recovers(store: SqliteStore) -> None:
    rows = await store.write(lambda tx: tx.all("PRAGMA page_count"))
    await store.write(lambda tx: tx.all(f"PRAGMA max_page_count = {rows[0]['page_count']}"))
    big = {"key": "big", "value": "x" * 100_000}
    with pytest.raises(StoreError, match="Free space"):
        await store.write(lambda tx: tx.run(PUT, big))
    await store.write(lambda tx: tx.all("PRAGMA max_page_count = 100000"))
    await put(store, "b")
    assert await keys(store) == ["b"]


async def test_a_newer_store_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "chimera.db"
    await (await SqliteStore.open(path)).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match="newer Chimera"):
        await SqliteStore.open(path)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS) + 1


async def test_a_broken_store_is_refused_with_a_hint(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "chimera.db"
    store = await SqliteStore.open(path)
    queue = TaskQueue(store, clock)
    await asyncio.gather(*(queue.submit(wish(n)) for n in range(1, 200)))
    await store.close()
    blob = bytearray(path.read_bytes())
    blob[8192 : len(blob) // 2] = b"\xa5" * (len(blob) // 2 - 8192)
    path.write_bytes(blob)
    with pytest.raises(StoreError, match="restore"):
        await SqliteStore.open(path)
    assert check(path)


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chimera.db"
    path.write_text("this is not a database, but long enough to be looked at" * 20)
    with pytest.raises(StoreError, match="not a database"):
        await SqliteStore.open(path)


async def test_a_migration_that_was_interrupted_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "chimera.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("CREATE TABLE task (id TEXT)")
    store = await SqliteStore.open(path)
    await put(store, "a")
    await store.close()
    assert check(path) == []


async def test_two_processes_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "chimera.db"
    stores = await asyncio.gather(*(SqliteStore.open(path) for _ in range(4)))
    for number, store in enumerate(stores):
        await put(store, str(number))
    assert await keys(stores[0]) == ["0", "1", "2", "3"]
    for store in stores:
        await store.close()


async def test_a_backup_is_taken_while_the_store_is_written(
    store: SqliteStore, tmp_path: Path
) -> None:
    await put(store, "a")
    target = tmp_path / "backup.db"
    await asyncio.gather(store.backup(target), *(put(store, f"b{n}") for n in range(50)))
    assert check(target) == []
    copy = await SqliteStore.open(target)
    assert "a" in await keys(copy)
    await copy.close()
    with pytest.raises(StoreError, match="never overwrites"):
        await store.backup(target)


async def test_what_is_stored_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        store = await SqliteStore.open(tmp_path / "chimera.db")
        await store.write(lambda tx: tx.run("DELETE FROM task"))
        await store.backup(tmp_path / "copy.db")
        modes = _modes(tmp_path)
        await store.close()
    finally:
        os.umask(old)
    assert modes.keys() > {"chimera.db", "chimera.db-wal", "copy.db"}
    assert set(modes.values()) == {0o600}, modes


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


def test_a_backup_leaves_an_older_store_at_its_version(tmp_path: Path) -> None:
    path, target = tmp_path / "chimera.db", tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE kept (x)")
        old.execute("PRAGMA user_version = 1")
    backup(path, target)
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (1,)
        assert copy.execute("SELECT name FROM sqlite_master").fetchall() == [("kept",)]


def test_a_backup_that_is_cut_short_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "chimera.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError):
        backup(tmp_path / "chimera.db", tmp_path / "backup.db")
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == []


async def test_text_and_numbers_that_sqlite_cannot_hold(store: SqliteStore) -> None:
    await put(store, "lone \ud800 surrogate")
    assert await keys(store) == ["lone ? surrogate"]
    with pytest.raises(InputError, match="64 bits"):
        await store.write(lambda tx: tx.all("SELECT :n", {"n": 2**80}))


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "chimera.db")
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await put(store, "a")


async def test_the_log_of_writes_stays_small_while_people_read(store: SqliteStore) -> None:
    async def reading() -> None:
        for _ in range(100):
            await keys(store)

    async def writing() -> None:
        for n in range(1000):
            row = {"key": str(n), "value": "x" * 4000}
            await store.write(partial(Tx.run, sql=PUT, params=row))

    await asyncio.gather(reading(), writing())
    wal = store.path.with_name(store.path.name + "-wal")
    assert wal.stat().st_size < 12_000_000
    assert sqlite.READERS <= 4


async def test_works_run_in_the_order_in_which_they_were_handed_in(store: SqliteStore) -> None:
    def after(tx: Tx) -> list[str]:
        return [row["key"] for row in tx.all(ALL)]

    _, seen = await asyncio.gather(put(store, "a"), store.write(after))
    assert seen == ["a"]


async def test_after_anothers_error_a_work_counts_once(store: SqliteStore) -> None:
    def adding(tx: Tx) -> int:
        sql = (
            "INSERT INTO kv (key, value, at) VALUES ('n', 1, 0) "
            "ON CONFLICT (key) DO UPDATE SET value = value + 1"
        )
        return tx.run(sql)

    def broken(tx: Tx) -> None:
        raise ValueError("no")

    await asyncio.gather(
        store.write(adding), store.write(broken), store.write(adding), return_exceptions=True
    )
    rows = await store.read(lambda tx: tx.all("SELECT value FROM kv"))
    assert [row["value"] for row in rows] == ["2"]
