import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.domain import Cause, Status, Task
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore

from .making import Clock, claimed, finish, line, parked, until, until_stored, wish

Advance = Callable[[Task], Awaitable[Task]]


@asynccontextmanager
async def running(
    queue: TaskQueue, advance: Advance, *, slots: int = 5
) -> AsyncIterator[ExecutorPool]:
    pool = ExecutorPool(queue, advance, slots=slots)
    pool.start()
    try:
        yield pool
    finally:
        await pool.drain(5)
        assert pool.active == 0


async def all_ended(queue: TaskQueue) -> bool:
    return not any(n for status, n in (await queue.counts()).items() if not status.ended)


async def wait_for_all(queue: TaskQueue) -> None:
    await until_stored(lambda: all_ended(queue))


async def test_slots_are_used_and_never_exceeded(queue: TaskQueue) -> None:
    active = most = 0
    all_busy = asyncio.Event()

    async def advance(task: Task) -> Task:
        nonlocal active, most
        active += 1
        most = max(most, active)
        if active == 4:
            all_busy.set()
        await all_busy.wait()
        await asyncio.sleep(0.005)
        active -= 1
        return await finish(queue, task)

    async with running(queue, advance, slots=4) as pool:
        for n in range(40):
            await queue.submit(wish(n + 1, of=n))
        await wait_for_all(queue)
        await until(lambda: pool.active == 0)
        metrics = await pool.get_metrics()
    assert most == 4
    assert metrics["total_workflows_processed"] == metrics["succeeded"] == 40
    assert (metrics["active"], metrics["utilisation"], metrics["queue_depth"]) == (0, 0.0, 0)


async def test_a_repository_limit_leaves_slots_to_others(queue: TaskQueue) -> None:
    most: dict[int, int] = {}
    active: dict[int, int] = {}
    all_busy = asyncio.Event()

    async def advance(task: Task) -> Task:
        assert task.repo is not None
        number = task.repo.id
        active[number] = active.get(number, 0) + 1
        most[number] = max(most.get(number, 0), active[number])
        if sum(active.values()) == 4:
            all_busy.set()
        await all_busy.wait()
        await asyncio.sleep(0.005)
        active[number] -= 1
        return await finish(queue, task)

    for n in range(20):
        await queue.submit(wish(n + 1, of=n % 2 + 1))
    async with running(queue, advance, slots=10):
        await wait_for_all(queue)
    assert most == {1: 2, 2: 2}


async def test_an_idle_pool_does_not_ask_the_store(sqlite: SqliteStore, clock: Clock) -> None:
    async def advance(task: Task) -> Task:
        return await finish(counting, task)

    async def writes() -> int:
        rows = await sqlite.write(lambda tx: tx.all("SELECT total_changes() AS n"))
        return int(rows[0]["n"])

    looked = 0

    class Counting(TaskQueue):
        async def claim_some(self, owner: str, at_most: int) -> list[Task]:
            nonlocal looked
            looked += 1
            return await super().claim_some(owner, at_most)

    counting = Counting(sqlite, clock)
    async with running(counting, advance) as pool:
        await until(lambda: looked == 1)
        before = await writes()
        await asyncio.sleep(0.3)  # the point is that nothing happens in this time
        assert looked == 1
        assert await writes() == before
        await counting.submit(wish(1))
        await wait_for_all(counting)
        await until(lambda: pool.active == 0)
        assert looked <= 8, "a few bells for one task (how many fall together varies), no polling"


async def test_a_claim_goes_on_from_step_to_step(queue: TaskQueue) -> None:
    fences: list[int] = []

    async def advance(task: Task) -> Task:
        fences.append(task.fence)
        after = replace(task, tries=task.tries + 1)
        if after.tries == 3:
            after = replace(after, status=Status.COMPLETED)
        return await queue.record(task, line(task), after, keep=True)

    await queue.submit(wish(1))
    async with running(queue, advance) as pool:
        await wait_for_all(queue)
        await until(lambda: pool.active == 0)
        assert (await pool.get_metrics())["steps"] == 3
    assert fences == [1, 1, 1]


async def test_a_parked_task_holds_no_slot(queue: TaskQueue) -> None:
    seen: list[str] = []

    async def advance(task: Task) -> Task:
        seen.append(task.id)
        if seen.count(task.id) == 1:
            return await queue.record(task, line(task), parked(task, f"run:{task.id}"))
        return await finish(queue, task)

    tasks = [(await queue.submit(wish(n, of=n)))[0] for n in range(1, 9)]
    async with running(queue, advance, slots=1) as pool:
        await until(lambda: len(seen) == 8 and pool.active == 0)
        for task in tasks:
            await queue.wake(f"run:{task.id}")
        await wait_for_all(queue)
    assert len(seen) == 16


async def test_one_broken_workflow_does_not_touch_the_others(
    queue: TaskQueue, clock: Clock
) -> None:
    bad, _ = await queue.submit(wish(1, of=1))

    async def advance(task: Task) -> Task:
        if task.id == bad.id:
            raise RuntimeError("a bug of ours")
        return await finish(queue, task)

    for n in range(2, 12):
        await queue.submit(wish(n, of=n))
    async with running(queue, advance, slots=2) as pool:
        await until(lambda: pool._ended[Status.COMPLETED] == 10)
        for _ in range(2):
            await until(lambda: pool.active == 0)
            clock.goes_on(60)
            pool.nudge()
            await until(lambda: pool.active == 1 or pool._ended[Status.DEAD] == 1)
        await until(lambda: pool._ended[Status.DEAD] == 1)
        assert (await pool.get_metrics())["crashes"] == 3
    dead = await queue.get(bad.id)
    assert (dead.status, dead.cause) == (Status.DEAD, Cause.POISON)


async def test_cancelling_stops_the_running_step(queue: TaskQueue) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def advance(task: Task) -> Task:
        started.set()
        try:
            await asyncio.Event().wait()
            return task
        finally:
            stopped.set()

    task, _ = await queue.submit(wish(1))
    async with running(queue, advance) as pool:
        await started.wait()
        await queue.cancel(task.id, "ann")
        assert pool.cancel(task.id)
        await stopped.wait()
        await until(lambda: pool.active == 0)
        assert not pool.cancel(task.id)
        assert (await pool.get_metrics())["cancelled"] == 1
    assert (await queue.get(task.id)).status is Status.CANCELLED


async def test_draining_lets_a_step_end_and_stops_between_steps(queue: TaskQueue) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    async def advance(task: Task) -> Task:
        started.set()
        await may_end.wait()
        return await queue.record(task, line(task), task, keep=True)

    for n in (1, 2):
        await queue.submit(wish(n, of=n))
    pool = ExecutorPool(queue, advance, slots=1)
    pool.start()
    await started.wait()
    draining = asyncio.create_task(pool.drain(5))
    await asyncio.sleep(0)
    may_end.set()
    await draining
    counts = await queue.counts()
    assert (counts[Status.QUEUED], counts[Status.RUNNING]) == (2, 0)
    assert (await pool.get_metrics())["steps"] == 1


async def test_draining_stops_what_takes_too_long_without_blame(queue: TaskQueue) -> None:
    started = asyncio.Event()

    async def advance(task: Task) -> Task:
        started.set()
        await asyncio.Event().wait()
        return task

    await queue.submit(wish(1))
    for _ in range(4):  # more often than a poisonous step may
        started.clear()
        pool = ExecutorPool(queue, advance)
        pool.start()
        await started.wait()
        await pool.drain(0.01)
    assert (await claimed(queue)).status is Status.RUNNING


async def test_a_step_that_lost_its_lease_is_dropped(queue: TaskQueue, clock: Clock) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def advance(task: Task) -> Task:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return task

    task, _ = await queue.submit(wish(1))
    async with running(queue, advance, slots=1) as pool:
        await started.wait()
        ((task_id, fence),) = pool.running()
        assert task_id == task.id
        pool.drop([(task_id, fence - 1)])
        assert await queue.heartbeat([(task_id, fence)]) == {task_id}
        assert not stopped.is_set(), "an older claim's loss is not this one's"
        clock.goes_on(61)
        pool.resize(0)
        await queue.requeue_lost()
        pool.drop([(task_id, fence)])
        await until(lambda: pool.active == 0)
    assert (await claimed(queue)).fence == fence + 1


async def test_a_pool_can_grow_while_it_works(queue: TaskQueue) -> None:
    may_end = asyncio.Event()

    async def advance(task: Task) -> Task:
        await may_end.wait()
        return await finish(queue, task)

    for n in range(6):
        await queue.submit(wish(n + 1, of=n))
    async with running(queue, advance, slots=2) as pool:
        await until(lambda: pool.active == 2)
        pool.resize(5)
        await until(lambda: pool.active == 5)
        may_end.set()
        await wait_for_all(queue)
