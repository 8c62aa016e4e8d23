"""Who goes first: priority, waiting time and length, and that nobody waits for ever."""

import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.domain import Status, Task
from bot.tasks.estimates import LONGEST_S, SIZES
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.tasks.rows import AGING_S, order_key
from bot.tasks.store import Store

from .making import Clock, claimed, finish, line, repo, wish

HOUR_S = 3600.0


async def worked(queue: TaskQueue, task: Task, seconds: float) -> None:
    """Take a task through to its end, in so many seconds of work."""
    await queue.submit(task)
    running = await claimed(queue)
    step = await queue.record(running, line(running, seconds=seconds), running, keep=True)
    await finish(queue, step)


async def a_long_one_after_both_kinds(queue: TaskQueue) -> Task:
    """A repository that has done a long and a short task, and a long one in its queue."""
    long_text = "x" * (SIZES[0] + 1)
    await worked(queue, replace(wish(1), feature=long_text), 1200.0)
    await worked(queue, wish(2), 60.0)
    long, _ = await queue.submit(replace(wish(3), feature=long_text))
    return long


async def test_a_short_task_goes_before_a_long_one_that_came_a_little_earlier(
    queue: TaskQueue, clock: Clock
) -> None:
    long = await a_long_one_after_both_kinds(queue)
    clock.goes_on(300)
    short, _ = await queue.submit(wish(4))
    assert [(await claimed(queue)).id for _ in range(2)] == [short.id, long.id]


async def test_a_long_task_lets_nobody_pass_who_came_much_later(
    queue: TaskQueue, clock: Clock
) -> None:
    long = await a_long_one_after_both_kinds(queue)
    clock.goes_on(1300)
    await queue.submit(wish(4))
    assert (await claimed(queue)).id == long.id


async def test_in_one_repository_nothing_less_urgent_passes_a_long_queue(
    queue: TaskQueue,
) -> None:
    urgent = [(await queue.submit(wish(n, priority=6)))[0].id for n in range(1, 9)]
    later, _ = await queue.submit(wish(9, priority=5))
    sooner, _ = await queue.submit(wish(10, priority=7))
    order = []
    for _ in range(10):
        running = await claimed(queue)
        order.append(running.id)
        await finish(queue, running)
    assert order == [sooner.id, *urgent, later.id]


async def test_without_a_history_the_order_is_that_of_coming(
    queue: TaskQueue, clock: Clock
) -> None:
    first, _ = await queue.submit(replace(wish(1), feature="x" * 9_000))
    clock.goes_on(1)
    await queue.submit(wish(2))
    assert (await claimed(queue)).id == first.id


async def test_one_repository_s_history_says_nothing_of_another(
    queue: TaskQueue, clock: Clock
) -> None:
    await worked(queue, wish(1, of=1), 3000.0)
    fresh, _ = await queue.submit(wish(1, of=2))
    clock.goes_on(1)
    await queue.submit(wish(2, of=1))
    assert (await claimed(queue)).repo == fresh.repo == repo(2)


@given(
    priority=st.integers(1, 10),
    estimate_s=st.floats(0, LONGEST_S),
    came_later_s=st.floats(0, 30 * 24 * HOUR_S),
)
def test_whoever_waits_long_enough_goes_first(
    priority: int, estimate_s: float, came_later_s: float
) -> None:
    least = order_key(0.0, 1, LONGEST_S)
    other = order_key(came_later_s, priority, estimate_s)
    if came_later_s > 10 * AGING_S + LONGEST_S:
        assert least < other, "the least of all goes before whatever comes half a day later"


async def test_a_long_queue_of_one_repository_lets_the_only_task_of_another_through(
    queue: TaskQueue, store: Store, clock: Clock
) -> None:
    await Lasting(store, clock).limit_lane(repo(1), 200)
    await asyncio.gather(*(queue.submit(wish(n + 1, of=1)) for n in range(200)))
    running = await queue.claim_some("host/boot", 5)
    clock.goes_on(60)
    alone, _ = await queue.submit(wish(1, of=2))
    await finish(queue, running[0])
    assert (await claimed(queue)).id == alone.id


async def test_repositories_take_turns(queue: TaskQueue, store: Store, clock: Clock) -> None:
    for of in (1, 2):
        await Lasting(store, clock).limit_lane(repo(of), 10)
        for issue in range(1, 6):
            await queue.submit(wish(issue, of=of))
    claims = await queue.claim_some("host/boot", 10)
    turns = [(task.issue, task.repo.id) for task in claims if task.repo]
    assert turns == [(issue, of) for issue in range(1, 6) for of in (1, 2)]


async def test_what_has_been_worked_off_puts_nobody_back(queue: TaskQueue, clock: Clock) -> None:
    for issue in range(1, 11):
        await worked(queue, wish(issue), 0.0)
    first, _ = await queue.submit(wish(11))
    clock.goes_on(1)
    await queue.submit(wish(1, of=2))
    assert (await claimed(queue)).id == first.id


async def test_an_urgent_task_stands_behind_no_lesser_one_of_its_repository(
    queue: TaskQueue, clock: Clock
) -> None:
    for issue in range(1, 51):
        await queue.submit(wish(issue, priority=3))
    clock.goes_on(60)
    urgent, _ = await queue.submit(wish(51, priority=4))
    assert (await claimed(queue)).id == urgent.id


async def test_a_task_that_a_person_revives_takes_its_turn_again(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    ended = await finish(queue, await claimed(queue))
    await queue.submit(wish(2))
    await queue.change(ended.id, lambda task: replace(task, status=Status.QUEUED))
    clock.goes_on(1)
    other, _ = await queue.submit(wish(1, of=2))
    assert [(await claimed(queue)).issue for _ in range(2)] == [2, other.issue]
