from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.tasks.ledger import Ledger
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore

from .making import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "chimera.db")
    yield opened
    await opened.close()


@pytest.fixture
def queue(store: SqliteStore, clock: Clock) -> TaskQueue:
    return TaskQueue(store, clock)


@pytest.fixture
def ledger(store: SqliteStore, clock: Clock) -> Ledger:
    return Ledger(store, clock)
