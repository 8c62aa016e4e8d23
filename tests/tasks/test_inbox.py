import asyncio

import pytest

from bot.errors import NotFound
from bot.tasks.inbox import AT_ONCE, MAX_TRIES, InboxState, NewDelivery
from bot.tasks.queue import TaskQueue

from .making import Clock, wish


async def test_ten_thousand_copies_of_a_delivery_are_one(queue: TaskQueue) -> None:
    accepted = await asyncio.gather(
        *(queue.accept("guid", "issues", "labeled", "{}") for _ in range(10_000))
    )
    assert sum(accepted) == 1
    assert len(await queue.pending()) == 1
    assert await queue.known("guid")
    assert not await queue.known("other")


async def test_a_guid_that_is_twice_among_many_is_new_where_it_came_first(
    queue: TaskQueue,
) -> None:
    await queue.accept("known", "issues", "labeled", "{}")
    guids = ["known", "twice", *(f"guid{n}" for n in range(2 * AT_ONCE)), "twice", "known"]
    are_new = await queue.accept_all(
        [
            NewDelivery(delivery_id=guid, event_name="issues", action="labeled", payload_text="{}")
            for guid in guids
        ]
    )
    assert are_new == [False, *([True] * (1 + 2 * AT_ONCE)), False, False]
    assert [row.delivery_id for row in await queue.pending(500)] == guids[:-2]


async def test_deliveries_are_read_in_the_order_they_came(queue: TaskQueue) -> None:
    for n in range(5):
        await queue.accept(f"guid{n}", "issues", "labeled", f'{{"n": {n}}}')
    assert [row.delivery_id for row in await queue.pending(3)] == ["guid0", "guid1", "guid2"]


async def test_a_delivery_is_done_together_with_what_it_asked_for(queue: TaskQueue) -> None:
    await queue.accept("guid", "issues", "labeled", "{}")
    (row,) = await queue.pending()
    task, _ = await queue.submit(wish(1), inbox_id=row.id)
    assert await queue.pending() == []
    (kept,) = await queue.deliveries()
    assert (kept.state, kept.note) == (InboxState.DONE, f"task {task.id}")


async def test_a_delivery_that_breaks_is_tried_again_and_then_kept(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.accept("guid", "issues", "labeled", "{}")
    for tries in range(MAX_TRIES):
        (row,) = await queue.pending()
        assert row.tries == tries
        await queue.inbox_failed(row.id, "GitHub is down", clock.at + 5)
        assert await queue.pending() == []
        clock.goes_on(5)
    assert await queue.pending() == []
    (kept,) = await queue.deliveries(state=InboxState.FAILED)
    assert kept.error == "GitHub is down"
    await queue.replay("guid")
    assert [row.tries for row in await queue.pending()] == [0]


async def test_replaying_what_never_came_is_refused(queue: TaskQueue) -> None:
    with pytest.raises(NotFound, match="guid"):
        await queue.replay("guid")


async def test_old_deliveries_are_forgotten_but_not_failed_ones(
    queue: TaskQueue, clock: Clock
) -> None:
    for name in ("done", "failed"):
        await queue.accept(name, "issues", "labeled", "{}")
    done, failed = await queue.pending()
    await queue.inbox_done(done.id, "nothing to do")
    for _ in range(MAX_TRIES):
        await queue.inbox_failed(failed.id, "broken", clock.at)
    clock.goes_on(31 * 86_400)
    await queue.purge()
    assert [row.delivery_id for row in await queue.deliveries()] == ["failed"]
