"""The pool's size follows the queue and the machine: a look every few seconds."""

from pathlib import Path

import psutil

from bot import log
from bot.tasks.base import Clock
from bot.tasks.confines import memory_in_use
from bot.tasks.lag import Lag
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.scaling import Decision, Demand, Pressure, Range, decide

LOOK_EVERY_S = 5.0

_log = log.get("tasks.scaler")


class Scaler:
    """Resizes a pool within its range; the last decision is there to be shown."""

    def __init__(
        self, queue: TaskQueue, pool: ExecutorPool, allowed: Range, folder: Path, now: Clock
    ) -> None:
        self.allowed = allowed
        self.decision = Decision(slots=pool.slots, reason="as at the start")
        self.lag = Lag()
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
        pressure = pressure_of(self._folder, lag_s=self.lag.take())
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


def pressure_of(folder: Path, *, lag_s: float) -> Pressure:
    """The machine as it is now; `folder` is where checkouts are made."""
    return Pressure(
        cpu=psutil.cpu_percent() / 100,  # since the look before
        memory=max(psutil.virtual_memory().percent / 100, memory_in_use()),
        lag_s=lag_s,
        disk_free_mb=psutil.disk_usage(str(folder)).free / 1_048_576,
    )
