"""The SQLite driver: one writer with group commit, a few readers, migrations, backup.

Callers hand in plain functions over a `Tx`. Those that arrive while a commit is on its way to
the disk share the next one: one `BEGIN IMMEDIATE … COMMIT` on the connection's own thread. Where
one of them fails, all are run again with a savepoint for each, so that an error undoes only the
work of its own. A caller hears back after the commit has reached the disk (`synchronous=FULL`),
never before.
"""

import asyncio
import itertools
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from bot.errors import StoreError
from bot.tasks.batches import Batches
from bot.tasks.schema import MIGRATIONS, statements
from bot.tasks.sqlite_tx import SqliteTx
from bot.tasks.store import Tx

STORE_FILE = "chimera.db"  #: the store's name in the data directory
OWNER_ONLY = 0o600  #: it holds what people and agents have said, and a key of ours
BUSY_S = 5.0  #: how long another process may hold the lock before we say no
READERS = 2  #: an open reader holds up WAL checkpoints, so there are few and they are brief
CACHE_KIB = 32_768  #: taken as needed; holds the claim's indexes of a million queued tasks

T = TypeVar("T")


class SqliteStore:
    """An open store. Make one with `await SqliteStore.open(path)`."""

    def __init__(self, path: Path, connections: Sequence["_Connection"]) -> None:
        self.path = path
        self._writer, *self._readers = connections
        self._turn = itertools.cycle(self._readers)
        self._batches = Batches(self._commit)
        self._closed = False

    @classmethod
    async def open(cls, path: Path | str) -> "SqliteStore":
        """Open, check and migrate a store; it is made if there is none.

        Raises StoreError when the file is broken, newer than this program, or unusable.
        """
        path = Path(path)
        connections: list[_Connection] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.touch(OWNER_ONLY)  # SQLite gives its other files the mode of this one
            connections.append(await _Connection.open(path))
            await connections[0].call(_prepare, path)
            for _ in range(READERS):
                connections.append(await _Connection.open(path, read_only=True))
        except BaseException as error:
            for connection in connections:
                await connection.close()
            if isinstance(error, (sqlite3.Error, OSError)):
                raise _store_error(path, error) from error
            raise
        return cls(path, connections)

    async def write(self, work: Callable[[Tx], T]) -> T:
        self._check_open()
        return await self._batches.add(work)

    async def read(self, work: Callable[[Tx], T]) -> T:
        self._check_open()
        try:
            return await next(self._turn).call(_snapshot, work)
        except sqlite3.Error as error:
            raise _store_error(self.path, error) from error

    async def backup(self, target: Path | str) -> None:
        """Copy the whole store, while it is in use, into a new file that can be opened."""
        self._check_open()
        try:
            await next(self._turn).call(_copy, Path(target))
        except (sqlite3.Error, OSError) as error:
            raise _store_error(Path(target), error) from error

    async def close(self) -> None:
        """Finish what was promised, then close every connection."""
        self._closed = True
        await self._batches.finish()
        for connection in (*self._readers, self._writer):
            await connection.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path}: the store is closed")

    async def _commit(self, works: Sequence[Callable[[Tx], Any]]) -> list[Any]:
        try:
            results = await self._writer.call(_commit, works)
        except sqlite3.Error as error:
            raise _store_error(self.path, error) from error
        return [self._told(result) for result in results]

    def _told(self, result: Any) -> Any:
        """What a caller hears; a conflict with what is stored is its own, not the store's."""
        own = isinstance(result, sqlite3.Error) and not isinstance(result, sqlite3.IntegrityError)
        return _store_error(self.path, result) if own else result


class _Connection:
    """An aiosqlite connection, and its thread to run whole functions on.

    aiosqlite offers one statement a hop, and a batch wants one hop. Its `_execute` is the only
    private name that we lean on; every test of the store notices if it goes.
    """

    def __init__(self, connection: aiosqlite.Connection, raw: sqlite3.Connection) -> None:
        self._connection = connection
        self._raw = raw

    @classmethod
    async def open(cls, path: Path, *, read_only: bool = False) -> "_Connection":
        # Opened first and handed over: where opening fails, aiosqlite leaves its thread behind.
        raw = await asyncio.to_thread(_connect, path, read_only=read_only)
        return cls(await aiosqlite.Connection(lambda: raw, iter_chunk_size=64), raw)

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        run: Callable[..., Any] = self._connection._execute
        result: T = await run(function, self._raw, *args)
        return result

    async def close(self) -> None:
        await self._connection.close()


def check(path: Path | str) -> list[str]:
    """What is wrong with a store, in SQLite's words; empty when all is well.

    Slower than the check at open: it also compares every index with its table.
    """
    try:
        with closing(_connect(Path(path), read_only=True)) as raw:
            found = [str(row[0]) for row in raw.execute("PRAGMA integrity_check").fetchall()]
            orphans = raw.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        return [str(error)]
    return [text for text in found if text != "ok"] + [
        f"{row[0]}: row {row[1]} refers to nothing" for row in orphans
    ]


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    raw = sqlite3.connect(
        path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        if read_only:
            raw.execute("PRAGMA query_only=ON")
    except sqlite3.Error:
        raw.close()
        raise
    return raw


def _prepare(raw: sqlite3.Connection, path: Path) -> None:
    """Check what is there and bring it to the newest schema, all or nothing."""
    answer = str(raw.execute("PRAGMA quick_check(1)").fetchall()[0][0])
    if answer != "ok":
        raise sqlite3.DatabaseError(f"malformed: {answer}")
    raw.execute("BEGIN IMMEDIATE")  # first, so that two processes do not both migrate
    try:
        _migrate(raw, path)
        raw.execute("COMMIT")
    except BaseException:
        _roll_back(raw)
        raise


def _migrate(raw: sqlite3.Connection, path: Path) -> None:
    version = int(raw.execute("PRAGMA user_version").fetchall()[0][0])
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path}: made by a newer Chimera (schema {version}; this one knows "
            f"{len(MIGRATIONS)}). Upgrade Chimera, or restore a backup from before."
        )
    for migration in MIGRATIONS[version:]:
        for statement in statements(migration):
            raw.execute(statement)
    raw.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _commit(raw: sqlite3.Connection, works: Sequence[Callable[[Tx], Any]]) -> list[Any]:
    """Run every work in one transaction; what each returned or raised, in order."""
    raw.execute("BEGIN IMMEDIATE")
    try:
        results = _results(raw, works)
        raw.execute("COMMIT")
    except BaseException:
        _roll_back(raw)
        raise
    return results


def _results(raw: sqlite3.Connection, works: Sequence[Callable[[Tx], Any]]) -> list[Any]:
    tx = SqliteTx(raw)
    try:
        return [work(tx) for work in works]
    except Exception:
        if not raw.in_transaction:  # a full disk ends the whole transaction: nobody is served
            raise
    raw.execute("ROLLBACK")  # errors are rare; only then does each work cost two more statements
    raw.execute("BEGIN IMMEDIATE")
    return [_one(raw, work) for work in works]


def _one(raw: sqlite3.Connection, work: Callable[[Tx], Any]) -> Any:
    raw.execute("SAVEPOINT caller")
    try:
        result = work(SqliteTx(raw))
    except Exception as error:
        if not raw.in_transaction:
            raise
        raw.execute("ROLLBACK TO caller")
        result = error
    raw.execute("RELEASE caller")
    return result


def _snapshot(raw: sqlite3.Connection, work: Callable[[Tx], T]) -> T:
    raw.execute("BEGIN")
    try:
        return work(SqliteTx(raw))
    finally:
        _roll_back(raw)


def _roll_back(raw: sqlite3.Connection) -> None:
    if raw.in_transaction:
        with suppress(sqlite3.Error):
            raw.execute("ROLLBACK")


def backup(path: Path | str, target: Path | str) -> None:
    """Copy a store as it is, without bringing it to this version: what is done before an upgrade.

    Also while a server writes to it. Raises StoreError.
    """
    try:
        with closing(_connect(Path(path), read_only=True)) as raw:
            _copy(raw, Path(target))
    except (sqlite3.Error, OSError) as error:
        raise _store_error(Path(target), error) from error


def _copy(raw: sqlite3.Connection, target: Path) -> None:
    """The whole copy under its name, or nothing: one that was cut short looks like none."""
    if target.exists():
        raise OSError("there is a file already, and a backup never overwrites one")
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        part.touch(OWNER_ONLY)
        with closing(sqlite3.connect(part)) as copy:
            raw.backup(copy)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        os.link(part, target)
    finally:
        part.unlink(missing_ok=True)


def _store_error(path: Path, error: Exception) -> StoreError:
    text = str(error)
    if "malformed" in text or "not a database" in text:
        hint = "The file is broken: restore the newest one made by `chimera db backup`."
    elif "locked" in text or "busy" in text:
        hint = f"Another process has held it for {BUSY_S:g} s; only one server may use it."
    elif "full" in text:
        hint = "Free space on its disk; nothing was acknowledged in the meantime."
    else:
        hint = "Nothing was changed. Check the path, its rights and its disk."
    return StoreError(f"{path}: {text}. {hint}")
