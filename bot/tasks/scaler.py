"""The pool's size follows the queue and the machine: a look every few seconds."""

import asyncio
import time
from pathlib import Path

import psutil

from bot import log
from bot.tasks.base import Clock
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.scaling import Decision, Demand, Pressure, Range, decide

LOOK_EVERY_S = 5.0
NAP_S = 0.02  #: slept to see how late the event loop wakes up

_log = log.get("tasks.scaler")


class Scaler:
    """Resizes a pool within its range; the last decision is there to be shown."""

    def __init__(
        self, queue: TaskQueue, pool: ExecutorPool, allowed: Range, folder: Path, now: Clock
    ) -> None:
        self.allowed = allowed
        self.decision = Decision(slots=pool.slots, reason="as at the start")
        self._queue = queue
        self._pool = pool
        self._folder = folder
        self._now = now
        pool.bounds = (allowed.least, allowed.most)

    async def look(self) -> None:
        """One look, and what follows from it."""
        if self.allowed.least == self.allowed.most:
            return
        before = self.decision
        demand = await self.demand()
        pressure = await pressure_of(self._folder)
        self.decision = decide(before, self.allowed, demand, pressure, self._now())
        if self.decision.slots != before.slots:
            _log.info(
                "pool resized",
                slots=self.decision.slots,
                before=before.slots,
                reason=self.decision.reason,
            )
        self._pool.resize(self.decision.slots, self.decision.reason)

    async def demand(self) -> Demand:
        """What the queue says now."""
        wait_s = await self._queue.next_wait()
        return Demand(
            depth=0 if wait_s is None else await self._queue.depth(),
            longest_wait_s=wait_s or 0.0,
            active=self._pool.active,
        )


async def pressure_of(folder: Path) -> Pressure:
    """The machine as it is now; `folder` is where checkouts are made."""
    asleep = time.perf_counter()
    await asyncio.sleep(NAP_S)
    lag_s = max(0.0, time.perf_counter() - asleep - NAP_S)
    return Pressure(
        cpu=psutil.cpu_percent() / 100,  # since the look before
        memory=psutil.virtual_memory().percent / 100,
        lag_s=lag_s,
        disk_free_mb=psutil.disk_usage(str(folder)).free / 1_048_576,
    )
