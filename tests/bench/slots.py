"""slots: ten tasks of 0.3 s through the real pool; what the pool takes away from its slots."""

import asyncio
import os
import tempfile
import time
from math import ceil
from pathlib import Path

from bot.domain import Task
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from tests.bench import making
from tests.bench.model import Bench, Cell, Figure, Reading

TASKS = 10
TASK_S = 0.3
BOUNDS = {5: 0.98, 10: 0.96}  #: efficiency by slots


def bench() -> Bench:
    return Bench(
        name="slots",
        about="ten tasks of 0.3 s; the ideal is the larger of waves × 0.3 s and CPU ÷ cores",
        cells=[Cell(name=str(n), work="tests.bench.slots:pool", args={"slots": n}) for n in BOUNDS],
        figures=[figure for n, bound in BOUNDS.items() for figure in _figures(str(n), bound)],
    )


def _figures(slots: str, efficiency: float) -> list[Figure]:
    return [
        Figure(
            name=f"efficiency at {slots} slots",
            of=lambda r: r[slots]["efficiency"],
            at_least=efficiency,
        ),
        Figure(
            name=f"never more than {slots} at once",
            of=lambda r: r[slots]["most"],
            at_most=float(slots),
            exact=True,
        ),
        Figure(
            name=f"completed at {slots} slots",
            of=lambda r: r[slots]["completed"],
            at_least=TASKS,
            exact=True,
        ),
    ]


async def pool(slots: int) -> Reading:
    """From the start of the pool to the record of the last task."""
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder) / "chimera.db")
        queue = TaskQueue(store, time.time)
        for number in range(TASKS):
            await queue.submit(making.wish(number + 1, of=number + 1))
        steps = _Steps(queue)
        ours = ExecutorPool(queue, steps.advance, slots=slots)
        wall, cpu = time.perf_counter(), time.process_time()
        ours.start()
        await steps.all_done.wait()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        await ours.drain(5)
        await store.close()
    ideal = max(ceil(TASKS / slots) * TASK_S, cpu / (os.cpu_count() or 1))
    return {"efficiency": ideal / wall, "most": steps.most, "completed": steps.completed}


class _Steps:
    """A step that takes its time and no processor, and counts who else is at it."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self.active = self.most = self.completed = 0
        self.all_done = asyncio.Event()

    async def advance(self, task: Task) -> Task:
        self.active += 1
        self.most = max(self.most, self.active)
        begun = time.time()
        await asyncio.sleep(TASK_S)
        self.active -= 1
        after = await self._queue.record(task, making.step(task, begun), making.done(task))
        self.completed += 1
        if self.completed == TASKS:
            self.all_done.set()
        return after
