import pytest

from bot.errors import NotFound
from bot.tasks.pictures import PAINT_LEASE_S
from bot.tasks.queue import TaskQueue

from .making import Clock, claimed, line, wish


async def test_many_changes_make_one_picture(queue: TaskQueue, clock: Clock) -> None:
    task, _ = await queue.submit(wish(1))
    for _ in range(5):
        await queue.change(task.id, lambda t: t, picture_in=10)
    (due,) = await queue.pictures_due()
    assert due.task.id == task.id
    await queue.picture_done(due, None)
    assert await queue.pictures_due() == []
    assert await queue.next_picture() is None


async def test_a_change_settles_unless_a_person_waits_for_it(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    (first,) = await queue.pictures_due()
    await queue.picture_done(first, None)
    task = await claimed(queue)
    assert await queue.next_picture() == clock.at + queue.limits.settle_s
    assert await queue.pictures_due() == []
    await queue.record(task, line(task), task, keep=True, picture_in=0)
    assert len(await queue.pictures_due()) == 1


async def test_a_change_while_it_is_painted_makes_it_due_again(
    queue: TaskQueue, clock: Clock
) -> None:
    task, _ = await queue.submit(wish(1))
    (due,) = await queue.pictures_due()
    await queue.change(task.id, lambda t: t)
    assert await queue.pictures_due() == [], "one painter at a time"
    await queue.picture_done(due, clock.at + 3600)
    assert len(await queue.pictures_due()) == 1


async def test_a_painter_that_ended_is_replaced_and_cannot_close_the_picture(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    (late,) = await queue.pictures_due()
    clock.goes_on(PAINT_LEASE_S)
    (second,) = await queue.pictures_due()
    assert second.fence == late.fence + 1
    await queue.picture_done(late, None)
    assert await queue.next_picture() == clock.at + PAINT_LEASE_S
    await queue.picture_done(second, None)
    assert await queue.next_picture() is None


async def test_a_picture_that_failed_comes_back_with_its_count(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    (due,) = await queue.pictures_due()
    await queue.picture_failed(due, clock.at + 5)
    assert await queue.pictures_due() == []
    clock.goes_on(5)
    (again,) = await queue.pictures_due()
    assert again.tries == 1


async def test_what_was_painted_is_remembered(queue: TaskQueue) -> None:
    task, _ = await queue.submit(wish(1))
    assert await queue.picture(task.id) == "{}"
    assert await queue.save_picture(task.id, '{"comment": 7}', was="{}")
    assert await queue.picture(task.id) == '{"comment": 7}'
    with pytest.raises(NotFound):
        await queue.picture("chimera-none")
