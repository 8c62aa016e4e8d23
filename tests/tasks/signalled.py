"""A daemon with one endless step, to be sent signals. Arguments: STORE GRACE_S."""

import asyncio
import sys
import time

from bot.domain import Task
from bot.tasks.daemon import ChimeraDaemon, install_signals
from bot.tasks.inbox import InboxRow
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore


async def endless(task: Task) -> Task:
    print("started", flush=True)
    await asyncio.Event().wait()
    return task


async def intake(row: InboxRow) -> None:
    raise AssertionError(f"nothing is delivered here, but {row.delivery_id} was")


async def paint(task: Task) -> float | None:
    return None


async def main(path: str, grace_s: float) -> None:
    store = await SqliteStore.open(path)
    queue = TaskQueue(store, time.time)
    pool = ExecutorPool(queue, endless)
    daemon = ChimeraDaemon(queue, pool, now=time.time, intake=intake, paint=paint, grace_s=grace_s)
    install_signals(daemon)
    await queue.submit(Task(id="chimera-1", feature="f", title="t"))
    await daemon.run()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
