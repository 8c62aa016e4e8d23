from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.tasks.ledger import Ledger
from bot.tasks.postgres import PostgresStore
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.tasks.store import Store
from tests.postgres import Server

from .making import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "chimera.db")
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """One suite, two drivers: what holds on one has to hold on the other."""
    opened: Store
    if request.param == "postgres":
        server: Server = request.getfixturevalue("postgres")
        url: str = request.getfixturevalue("common_database")
        server.emptied(url)
        opened = await PostgresStore.open(url)
    else:
        opened = await SqliteStore.open(tmp_path / "chimera.db")
    yield opened
    await opened.close()


@pytest.fixture
def queue(store: Store, clock: Clock) -> TaskQueue:
    return TaskQueue(store, clock)


@pytest.fixture
def ledger(store: Store, clock: Clock) -> Ledger:
    return Ledger(store, clock)
