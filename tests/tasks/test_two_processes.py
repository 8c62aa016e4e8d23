"""Two processes on one store: what one of them leaves behind, the other one takes up."""

import asyncio
from pathlib import Path

from bot.domain import Task
from bot.tasks.pool import LOOK_EVERY_S, ExecutorPool
from bot.tasks.queue import TaskQueue
from tests.faults.boot import Boot
from tests.faults.clock import SimLoop
from tests.faults.store import open_store
from tests.tasks.making import wish


def test_a_pool_finds_what_another_process_has_queued_without_a_ring(tmp_path: Path) -> None:
    loop = SimLoop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_found(tmp_path / "chimera.db", loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _found(path: Path, loop: SimLoop) -> None:
    here, there = (open_store(path, Boot(number), lambda: None) for number in (1, 2))
    claimed: list[str] = []

    async def advance(task: Task) -> Task:
        claimed.append(task.id)
        return await asyncio.Future()

    pool = ExecutorPool(TaskQueue(here, loop.wall), advance)
    pool.start()
    await asyncio.sleep(1.0)
    task, _ = await TaskQueue(there, loop.wall).submit(wish(1))
    await asyncio.sleep(LOOK_EVERY_S)
    assert claimed == [task.id]
    await pool.drain(0.0)
    for store in (here, there):
        await store.close()
