"""Which store a server works on: a file of this machine, or a database that many share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bot.errors import ConfigError
from bot.tasks.base import Bells, Clock
from bot.tasks.pool import ExecutorPool
from bot.tasks.sqlite import SqliteStore, backup
from bot.tasks.store import Store


class Company(Protocol):
    """Other machines on the same store, and this one's part among them."""

    @property
    def bells(self) -> Bells: ...

    @property
    def shared(self) -> bool:
        """Whether there may be others."""
        ...

    @property
    def leads(self) -> bool:
        """Whether this machine runs the loops that one has to run alone."""
        ...

    def joined(self, pool: ExecutorPool) -> AbstractAsyncContextManager[None]:
        """Take part, with this pool, until the block ends."""
        ...


class Alone:
    """No other machine: the pool looks for itself, and every loop runs here."""

    shared = False
    leads = True

    def __init__(self) -> None:
        self.bells = Bells()

    @contextlib.asynccontextmanager
    async def joined(self, pool: ExecutorPool) -> AsyncIterator[None]:
        del pool
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """An open store, the clock that its leases go by, and who else works on it."""

    store: Store
    now: Clock
    company: Company


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a store is. `url` goes before `path`; it may hold a password."""

    path: Path
    url: str = ""

    async def open(self) -> Store:
        """The store alone, for a command. Raises StoreError, ConfigError."""
        if not self.url:
            return await SqliteStore.open(self.path)
        with _packages():
            from bot.tasks.postgres import PostgresStore  # noqa: PLC0415 - an optional extra
        return await PostgresStore.open(self.url)

    async def stand(self, now: Clock) -> Footing:
        """What a server stands on; `now` is its own clock. Raises StoreError, ConfigError."""
        await asyncio.to_thread(_made, self.path.parent)
        if not self.url:
            return Footing(store=await SqliteStore.open(self.path), now=now, company=Alone())
        with _packages():
            from bot.tasks.cluster import Cluster  # noqa: PLC0415 - an optional extra
            from bot.tasks.postgres import PostgresStore  # noqa: PLC0415 - the same
        store = await PostgresStore.open(self.url)
        clock = await store.clock()
        return Footing(store=store, now=clock, company=Cluster(self.url, clock))

    async def backup(self, target: Path) -> None:
        """Copy the store as it is into a new file, also while a server uses it.

        Raises StoreError, ConfigError.
        """
        if not self.url:
            await asyncio.to_thread(backup, self.path, target)
            return
        with _packages():
            from bot.tasks.dump import dump  # noqa: PLC0415 - an optional extra
        await dump(self.url, target)

    def __str__(self) -> str:
        if not self.url:
            return str(self.path)
        with _packages():
            from bot.tasks.postgres import shown  # noqa: PLC0415 - an optional extra
        return shown(self.url)


def _made(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the data directory {directory} cannot be made: {error.strerror}. Choose another with "
            "--data-dir or CHIMERA_DATA_DIR"
        ) from error


@contextlib.contextmanager
def _packages() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigError(
            f"DATABASE_URL: PostgreSQL needs more packages ({error.name} is missing): "
            "pip install 'chimera-bot[postgres]'"
        ) from error
