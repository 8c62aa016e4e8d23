"""A row knows the delivery that made it, and the one that moved it last."""

from dataclasses import replace

from structlog.contextvars import bound_contextvars

from bot.domain import Status
from bot.tasks.base import ids
from bot.tasks.queue import TaskQueue

from .making import claimed, line, parked, wish

FIRST, SECOND = "72d3162e-cc78-11e3-81ab-4c9367dc0958", "0b989ba4-242f-11e5-81e1-c7b6966d2516"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_task_carries_the_delivery_that_made_it_through_its_steps(queue: TaskQueue) -> None:
    with bound_contextvars(delivery=FIRST, traceparent=TRACE):
        await queue.submit(wish(1))
    task = await claimed(queue)
    assert (task.delivery, task.traceparent) == (FIRST, TRACE)
    after = await queue.record(task, line(task), task, keep=True)
    assert ids(after) == {"task": task.id, "delivery": FIRST}


async def test_what_wakes_or_changes_a_task_is_what_moved_it_last(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    assert ids(task) == {"task": task.id}
    await queue.record(task, line(task), parked(task, "run:7"))
    with bound_contextvars(delivery=FIRST, traceparent=TRACE):
        await queue.wake("run:7")
    woken = await claimed(queue)
    assert (woken.delivery, woken.traceparent) == (FIRST, TRACE)
    with bound_contextvars(delivery=SECOND):
        await queue.change(task.id, lambda t: replace(t, priority=9))
    stored = await queue.record(woken, line(woken), woken, keep=True)
    assert (stored.delivery, stored.traceparent) == (SECOND, ""), "the step does not undo it"


async def test_a_cancelled_task_says_which_delivery_ended_it(queue: TaskQueue) -> None:
    with bound_contextvars(delivery=FIRST):
        task, _ = await queue.submit(wish(1))
    with bound_contextvars(delivery=SECOND):
        ended = await queue.cancel(task.id, "ada")
    assert (ended.status, ended.delivery) == (Status.CANCELLED, SECOND)


async def test_what_no_delivery_has_asked_for_keeps_the_last_one(queue: TaskQueue) -> None:
    with bound_contextvars(delivery=FIRST):
        task, _ = await queue.submit(wish(1))
    changed = await queue.change(task.id, lambda t: replace(t, priority=9))
    assert changed.delivery == FIRST
