"""ExecutorPool: a bounded number of slots, each of which takes one task forward step by step.

The pool is woken: a bell rings when a task has become claimable, and a slot that has become free
looks once more. It looks of itself only for what another process has queued. One workflow's
error never touches another: it is logged, the claim is given back, and the queue decides how often
that may happen.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypedDict

from structlog.contextvars import bound_contextvars

from bot import log
from bot.domain import Status, Task
from bot.errors import ChimeraError, LeaseLost
from bot.tasks.base import ids
from bot.tasks.claims import owner_name
from bot.tasks.queue import TaskQueue

DEFAULT_SLOTS = 5
RETRY_S = 2.0  #: before a step that broke in our own code runs again; the queue counts the tries
LOOK_EVERY_S = 20.0  #: for tasks that another process on this store has queued
STOP_S = 10.0  #: for a cancelled step to clean up behind itself
STORE_RETRY_S = 1.0  #: before the next look at a store that could not be read

Advance = Callable[[Task], Awaitable[Task]]
Claim = tuple[str, int]  #: a task's id and the fence under which it was claimed

_log = log.get("tasks.pool")


class PoolMetrics(TypedDict):
    """The pool at this moment, and since it was made."""

    slots: int
    slots_min: int  #: the fewest and the most that there may be
    slots_max: int
    scaling: str  #: why there are as many as there are; empty where the number is fixed
    active: int
    utilisation: float  #: active ÷ slots, at most 1: what runs above fewer slots goes on
    queue_depth: int
    draining: bool
    total_workflows_processed: int  #: taken to an end here
    succeeded: int
    failed: int
    cancelled: int
    dead: int
    steps: int  #: recorded here
    claims: int
    crashes: int  #: steps that raised what nobody expected


class ExecutorPool:
    """`advance(task)` runs ONE step and returns the recorded task.

    While that is still RUNNING the slot goes on with it under the same claim.
    """

    def __init__(
        self,
        queue: TaskQueue,
        advance: Advance,
        *,
        name: str = "chimera",
        boot_id: str = "",
        slots: int = DEFAULT_SLOTS,
    ) -> None:
        self.name = name  #: lasts over restarts, so that a start knows what it held before
        self.boot_id = boot_id or secrets.token_hex(4)
        self.slots = slots
        self.bounds = (slots, slots)  #: of `resize`, as its caller keeps them
        self.why = ""
        self.dispatches = True  #: by itself, when its bell rings; else only when told to `take`
        self._queue = queue
        self._advance = advance
        self._running: dict[Claim, _Slot] = {}  #: a lost claim may end after its successor began
        self._dispatcher: asyncio.Task[None] | None = None
        self._draining = False
        self._ended = dict.fromkeys((s for s in Status if s.ended), 0)
        self._steps = self._claims = self._crashes = 0

    def start(self) -> None:
        """Begin to claim. Needs a running event loop."""
        self._draining = False
        if self.dispatches:
            self._dispatcher = asyncio.create_task(self._dispatch(), name="pool dispatcher")
        self.nudge()

    def nudge(self) -> None:
        """Look for work now."""
        self._queue.bells.work.set()

    def resize(self, slots: int, why: str = "") -> None:
        """Change the number of slots; what runs above it is not touched."""
        grown, self.slots, self.why = slots > self.slots, slots, why
        if grown:
            self.nudge()

    @property
    def active(self) -> int:
        """How many slots are taken."""
        return len(self._running)

    def running(self) -> list[Claim]:
        """The claims (task id, fence) that are really being worked on here."""
        return list(self._running)

    def cancel(self, task_id: str) -> bool:
        """Stop a task's step if it runs here; the queue then ends or requeues the task."""
        found = [slot for claim, slot in self._running.items() if claim[0] == task_id]
        for slot in found:
            slot.stop()
        return bool(found)

    def drop(self, claims: Iterable[Claim]) -> None:
        """Stop steps whose leases were lost; whatever they would write is refused anyway."""
        for claim in claims:
            if (slot := self._running.get(claim)) is not None:
                slot.stop()
                _log.warning("lease lost, step stopped", task=claim[0])

    async def drain(self, grace_s: float) -> None:
        """Stop claiming, let running steps end, then stop and release what is left.

        A slot does not begin another step meanwhile: what it holds is released after the step,
        and what had to be stopped resumes at the same step.
        """
        self._draining = True
        self.nudge()
        if self._dispatcher is not None:
            await self._dispatcher
        await self._wait_for_slots(grace_s)
        for slot in list(self._running.values()):
            slot.stop()
        await self._wait_for_slots(STOP_S)
        if self._running:
            _log.error("steps did not stop", tasks=sorted(task_id for task_id, _ in self._running))

    async def get_metrics(self) -> PoolMetrics:
        """Counts since the pool was made, and the depth of the queue now."""
        ended = self._ended
        return PoolMetrics(
            slots=self.slots,
            slots_min=self.bounds[0],
            slots_max=self.bounds[1],
            scaling=self.why,
            active=self.active,
            utilisation=min(1.0, self.active / self.slots) if self.slots else 0.0,
            queue_depth=await self._queue.depth(),
            draining=self._draining,
            total_workflows_processed=sum(ended.values()),
            succeeded=ended[Status.COMPLETED],
            failed=ended[Status.FAILED],
            cancelled=ended[Status.CANCELLED],
            dead=ended[Status.DEAD],
            steps=self._steps,
            claims=self._claims,
            crashes=self._crashes,
        )

    async def take(self, pass_on: Callable[[], Awaitable[None]]) -> None:
        """Fill the free slots once. Where there may be more tasks than slots, `pass_on` is awaited,
        and this returns when a slot is free again; the work goes on, whoever cancels this.
        """
        free = self.slots - self.active
        if self._draining or free <= 0:
            return
        tasks = await self._queue.claim_some(owner_name(self.name, self.boot_id), free)
        for task in tasks:
            self._begin(task)
        if len(tasks) == free:
            await pass_on()
            await self._slot_free()

    async def _slot_free(self) -> None:
        while self.active >= self.slots:
            workers = [slot.worker for slot in self._running.values() if slot.worker is not None]
            await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)  # for whoever waits for the same worker

    async def _wait_for_slots(self, timeout_s: float) -> None:
        workers = [slot.worker for slot in self._running.values() if slot.worker is not None]
        if workers:
            await asyncio.wait(workers, timeout=timeout_s)

    async def _called(self) -> None:
        """The bell, or a while without one: who queued a task may have ended before it rang."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._queue.bells.work.wait()
        self._queue.bells.work.clear()

    async def _dispatch(self) -> None:
        while not self._draining:
            await self._called()
            try:
                await self._fill()
            except ChimeraError as error:
                _log.error("nothing could be claimed", error=str(error))
                asyncio.get_running_loop().call_later(STORE_RETRY_S, self.nudge)

    async def _fill(self) -> None:
        """Claim until the slots or the claimable tasks are used up."""
        while not self._draining and (free := self.slots - self.active) > 0:
            tasks = await self._queue.claim_some(owner_name(self.name, self.boot_id), free)
            for task in tasks:
                self._begin(task)
            if len(tasks) < free:
                return

    def _begin(self, task: Task) -> asyncio.Task[None]:
        self._claims += 1
        slot = self._running[task.id, task.fence] = _Slot(task=task)
        slot.worker = asyncio.create_task(self._work(slot), name=f"slot {task.id}")
        return slot.worker

    async def _work(self, slot: "_Slot") -> None:
        task = slot.task
        with bound_contextvars(**ids(task)):
            try:
                task = await self._take_steps(slot)
            except LeaseLost as lost:
                _log.warning("lease lost", reason=str(lost))
            except Exception:
                self._crashes += 1
                _log.exception("step crashed")
                task = await self._release(task, crashed=True)
            finally:
                del self._running[slot.task.id, slot.task.fence]
                self.nudge()
            if task.status.ended:
                self._ended[task.status] += 1

    async def _take_steps(self, slot: "_Slot") -> Task:
        """Go on until the claim is given up; the task as it was stored last."""
        task = slot.task
        while task.status is Status.RUNNING:
            if slot.stopped or self._draining:
                return await self._release(task)
            slot.step = asyncio.ensure_future(self._advance(task))
            await asyncio.wait((slot.step,))
            if slot.step.cancelled():
                return await self._release(task)
            task = slot.step.result()
            self._steps += 1
        return task

    async def _release(self, task: Task, *, crashed: bool = False) -> Task:
        delay_s = RETRY_S if crashed else 0.0
        try:
            released = await self._queue.release(
                task.id, task.fence, crashed=crashed, delay_s=delay_s
            )
        except ChimeraError as error:  # the lease runs out by itself, and another claim follows
            _log.error("claim could not be released", error=str(error))
            return task
        return task if released is None else released


@dataclass(slots=True)
class _Slot:
    """A claim at work. The worker outlives its step, so that nothing interrupts the release."""

    task: Task
    worker: asyncio.Task[None] | None = None
    step: asyncio.Future[Task] | None = None
    stopped: bool = False

    def stop(self) -> None:
        self.stopped = True
        if self.step is not None:
            self.step.cancel()
