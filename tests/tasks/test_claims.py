"""Order, limits, fences and leases."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from bot.domain import Cause, Status
from bot.errors import LeaseLost
from bot.tasks.base import Bells
from bot.tasks.claims import CLAIM_FRONT, CLAIM_LANES
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.tasks.store import Store

from .making import Clock, claimed, finish, line, repo, wish


async def test_higher_priority_goes_first_until_the_other_has_waited_long_enough(
    queue: TaskQueue, clock: Clock
) -> None:
    low, _ = await queue.submit(wish(1, of=1, priority=3))
    clock.goes_on(3599)
    high, _ = await queue.submit(wish(2, of=2, priority=4))
    clock.goes_on(2)
    late, _ = await queue.submit(wish(3, of=3, priority=4))
    assert [(await claimed(queue)).id for _ in range(3)] == [high.id, low.id, late.id]


async def test_equal_tasks_go_in_the_order_they_came(queue: TaskQueue) -> None:
    ids = [(await queue.submit(wish(n, of=n)))[0].id for n in range(1, 6)]
    assert [(await claimed(queue)).id for _ in ids] == ids


async def test_a_repository_never_has_more_than_its_limit(queue: TaskQueue) -> None:
    for n in range(30):
        await queue.submit(wish(n + 1, of=n % 3 + 1))
    for _ in range(5):
        tasks = await asyncio.gather(*(queue.claim("host/boot") for _ in range(12)))
        running = [task for task in tasks if task is not None]
        assert Counter(task.repo for task in running) == {repo(n): 2 for n in (1, 2, 3)}
        await asyncio.gather(*(finish(queue, task) for task in running))
    assert await queue.claim("host/boot") is None


async def test_a_thousand_tasks_of_one_repository_do_not_hold_up_another(
    queue: TaskQueue,
) -> None:
    await asyncio.gather(*(queue.submit(wish(n + 1, of=1, priority=10)) for n in range(1000)))
    alone, _ = await queue.submit(wish(1, of=2, priority=1))
    first = [await claimed(queue) for _ in range(3)]
    assert [task.repo for task in first] == [repo(1), repo(1), repo(2)]
    assert first[2].id == alone.id
    assert await queue.claim("host/boot") is None


async def test_local_tasks_share_no_limit_and_limits_can_be_set(
    queue: TaskQueue, store: Store, clock: Clock
) -> None:
    lasting = Lasting(store, clock)
    for n in range(4):
        await queue.submit(wish(of=None))
        await queue.submit(wish(n + 1, of=7))
    await lasting.limit_lane(repo(7), 1)
    tasks = [task for _ in range(8) if (task := await queue.claim("host/boot"))]
    assert Counter(task.repo for task in tasks) == {None: 4, repo(7): 1}


async def test_a_held_repository_starts_nothing(
    queue: TaskQueue, store: Store, clock: Clock
) -> None:
    lasting = Lasting(store, clock)
    await queue.submit(wish(1))
    await lasting.hold(repo(), "ann", "release day")
    assert await queue.claim("host/boot") is None
    assert [(hold.by, hold.reason) for hold in await lasting.holds()] == [("ann", "release day")]
    await lasting.unhold(repo())
    await claimed(queue)
    assert await lasting.holds() == []


@pytest.mark.parametrize("sql", [CLAIM_FRONT, CLAIM_LANES])
async def test_a_claim_reads_indexes_and_never_a_table(sqlite: SqliteStore, sql: str) -> None:
    rows = await sqlite.read(
        lambda tx: tx.all(f"EXPLAIN QUERY PLAN {sql}", {"lane_limit": 2, "front": 16})
    )
    plan = [row["detail"] for row in rows]
    touching = [step for step in plan if " t" in step or "task" in step or "busy" in step]
    assert any("task_front" in step or "task_lane" in step for step in touching)
    assert not [step for step in plan if "SCAN task" in step and "USING" not in step]
    assert not [step for step in plan if step.startswith(("SCAN t ", "SCAN busy", "SCAN first"))]


async def test_a_step_that_lost_its_lease_writes_nothing(queue: TaskQueue, clock: Clock) -> None:
    await queue.submit(wish(1))
    first = await claimed(queue)
    clock.goes_on(queue.limits.lease_s + 1)
    (lost,) = await queue.requeue_lost()
    assert lost.status is Status.QUEUED
    with pytest.raises(LeaseLost):
        await finish(queue, first)
    second = await claimed(queue)
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLost):
        await finish(queue, first)
    assert await queue.journal(first.id) == []
    assert (await finish(queue, second)).status is Status.COMPLETED


async def test_a_heartbeat_keeps_only_the_claims_that_it_names(
    queue: TaskQueue, clock: Clock
) -> None:
    for n in (1, 2):
        await queue.submit(wish(n))
    kept, silent = await claimed(queue), await claimed(queue)
    clock.goes_on(40)
    assert await queue.heartbeat([(kept.id, kept.fence), (silent.id, silent.fence + 1)]) == {
        kept.id
    }
    clock.goes_on(40)
    assert [task.id for task in await queue.requeue_lost()] == [silent.id]


async def test_a_step_that_was_just_recorded_has_lost_no_claim(queue: TaskQueue) -> None:
    """Its slot is still there for a moment, and would be stopped as if another had taken over."""
    await queue.submit(wish(1))
    task = await claimed(queue)
    await finish(queue, task)
    assert await queue.heartbeat([(task.id, task.fence)]) == {task.id}


async def test_a_claim_whose_lease_ran_out_is_lost_whoever_has_it_now(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    clock.goes_on(61)
    await queue.requeue_lost()
    assert await queue.heartbeat([(task.id, task.fence)]) == set()
    await claimed(queue)
    assert await queue.heartbeat([(task.id, task.fence)]) == set()


async def test_a_start_takes_back_what_its_earlier_boot_held(queue: TaskQueue) -> None:
    for n in range(1, 4):
        await queue.submit(wish(n, of=n))
    mine = await claimed(queue, "host/1")
    await claimed(queue, "host-2/1")
    now = await claimed(queue, "host/2")
    assert [task.id for task in await queue.release_boot("host", "2")] == [mine.id]
    assert (await claimed(queue, "host/2")).id == mine.id
    assert (await queue.get(now.id)).status is Status.RUNNING


async def test_a_step_that_ends_the_process_three_times_is_dead(
    queue: TaskQueue, clock: Clock
) -> None:
    task, _ = await queue.submit(wish(1))
    for _ in range(2):
        await claimed(queue)
        clock.goes_on(61)
        assert (await queue.requeue_lost())[0].status is Status.QUEUED
    await claimed(queue, "host/1")
    (dead,) = await queue.release_boot("host", "2")
    assert (dead.status, dead.cause) == (Status.DEAD, Cause.POISON)
    assert dead.finished_at == clock.at
    (said,) = await queue.journal(task.id)
    assert said.cause is Cause.POISON
    assert await queue.claim("host/2") is None


async def test_a_recorded_step_clears_the_count_of_lost_leases(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    for _ in range(4):
        await claimed(queue)
        clock.goes_on(61)
        await queue.requeue_lost()
        task = await claimed(queue)
        await queue.record(task, line(task), replace(task, status=Status.QUEUED))
    assert (await claimed(queue)).status is Status.RUNNING


async def test_a_delayed_task_is_not_claimed_before_its_time(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.release(task.id, task.fence, delay_s=30)
    assert await queue.claim("host/boot") is None
    assert await queue.next_due() == clock.at + 30
    clock.goes_on(30)
    assert (await claimed(queue)).id == task.id


async def test_bells_ring_for_new_work(queue: TaskQueue) -> None:
    assert isinstance(queue.bells, Bells)
    assert not queue.bells.work.is_set()
    await queue.submit(wish(1))
    assert queue.bells.work.is_set()


async def test_many_are_claimed_in_one_commit_as_one_after_the_other_would_be(
    queue: TaskQueue,
) -> None:
    for issue in range(1, 5):
        await queue.submit(wish(issue, of=1))
    await queue.submit(wish(1, of=2, priority=1))
    claims = await queue.claim_some("host/boot", 9)
    assert [(task.repo.id, task.issue) for task in claims if task.repo] == [(1, 1), (1, 2), (2, 1)]
    assert all(task.status is Status.RUNNING and task.fence == 1 for task in claims)
    assert await queue.claim_some("host/boot", 1) == []
