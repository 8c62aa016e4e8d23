"""The figures of the capacity page come from stores that are whole."""

import time
from pathlib import Path

from bot.domain import Status
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore, check
from tests.packaging.capacity import LIVE, grown, measured
from tests.tasks.making import claimed, finish, wish


async def test_a_grown_store_is_sound_and_holds_what_it_says(tmp_path: Path) -> None:
    source, target = tmp_path / "one.db", tmp_path / "many.db"
    store = await SqliteStore.open(source)
    queue = TaskQueue(store, time.time)
    await queue.submit(wish(1))
    await finish(queue, await claimed(queue))
    await store.close()

    grown(source, target, 2 * LIVE)
    assert check(target) == []
    found = await measured(target)
    assert min(found.values()) > 0
    store = await SqliteStore.open(target)
    counts = await TaskQueue(store, time.time).counts()
    await store.close()
    assert counts[Status.COMPLETED] == 2 * LIVE - 1
    assert counts[Status.WAITING] == 1
