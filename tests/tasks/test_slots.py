"""What is remembered of a pool's size."""

from bot.domain import Task
from bot.tasks.lasting import Lasting
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.slots import CHANGES, Slots
from bot.tasks.store import Store
from bot.tasks.trend import KEPT_S, SAMPLE_EVERY_S

from .making import Clock


def slots_of(store: Store, name: str = "here") -> tuple[Slots, ExecutorPool, Clock]:
    clock = Clock()

    async def never(task: Task) -> Task:
        raise AssertionError(task.id)

    pool = ExecutorPool(TaskQueue(store, clock), never, name=name)
    return Slots(pool, Lasting(store, clock), clock), pool, clock


async def test_a_change_is_kept_at_once_and_what_stays_the_same_now_and_then(store: Store) -> None:
    slots, pool, clock = slots_of(store)
    start = clock.at
    for second in range(0, int(SAMPLE_EVERY_S) + 1, 5):
        clock.at = start + second
        if second == 20:
            pool.resize(6, "1 task waits and the machine has room")
        await slots.look()
    assert await slots.had() == [(start, 5), (start + 20, 6)]
    clock.at = start + 20 + SAMPLE_EVERY_S
    await slots.look()
    assert await slots.had() == [(start, 5), (start + 20, 6), (clock.at, 6)]
    assert [value for _, value in await slots.used()] == [0, 0, 0]
    [change] = slots.changes
    assert (change.at, change.before, change.slots) == (start + 20, 5, 6)
    assert change.why == "1 task waits and the machine has room"


async def test_the_last_changes_are_remembered_the_newest_first(store: Store) -> None:
    slots, pool, clock = slots_of(store)
    for n in range(CHANGES + 3):
        clock.at += 5
        pool.resize(10 + n, str(n))
        await slots.look()
    assert [change.why for change in slots.changes] == [str(n) for n in range(CHANGES + 2, 2, -1)]


async def test_machines_on_one_store_have_histories_of_their_own_and_of_one_day(
    store: Store,
) -> None:
    here, _, clock = slots_of(store)
    there, other, _ = slots_of(store, "there")
    await here.look()
    other.resize(9, "more")
    await there.look()
    assert ([n for _, n in await here.had()], [n for _, n in await there.had()]) == ([5], [9])
    clock.at += KEPT_S + 1
    assert await here.had() == []
