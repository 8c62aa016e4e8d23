"""The pool's size as a decision, as a property over histories, and on a real pool."""

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import Task
from bot.tasks.queue import TaskQueue
from bot.tasks.scaler import Scaler, pressure_of
from bot.tasks.scaling import REST_S, Decision, Demand, Pressure, Range, decide

from .making import Clock, finish, wish
from .test_pool import running

RANGE = Range(least=3, most=10)
NOW = 1_800_000_000.0
QUEUED = Demand(depth=9, longest_wait_s=5.0, active=5)
AT_FIVE = Decision(slots=5, reason="")
CALM = Pressure(cpu=0.3, memory=0.4, lag_s=0.0)


@pytest.mark.parametrize(
    ("demand", "pressure", "slots", "reason"),
    [
        (QUEUED, CALM, 6, "9 tasks wait and the machine has room"),
        (replace(QUEUED, depth=1), CALM, 6, "1 task waits and the machine has room"),
        (replace(QUEUED, longest_wait_s=90.0), CALM, 7, "9 tasks wait and the machine has room"),
        (replace(QUEUED, active=4), CALM, 5, "more than are needed now"),
        (QUEUED, replace(CALM, cpu=0.8), 5, "9 tasks wait, but the processors are 80% busy"),
        (QUEUED, replace(CALM, memory=0.8), 5, "9 tasks wait, but memory is 80% full"),
        (QUEUED, replace(CALM, lag_s=0.2), 5, "9 tasks wait, but the event loop is 0.2 s late"),
        (QUEUED, replace(CALM, cpu=0.97), 4, "the processors are 97% busy, 9 tasks wait"),
        (QUEUED, replace(CALM, memory=0.95), 4, "memory is 95% full, 9 tasks wait"),
        (QUEUED, replace(CALM, lag_s=0.7), 4, "the event loop is 0.7 s late, 9 tasks wait"),
        (QUEUED, replace(CALM, disk_free_mb=300), 4, "300 MB of disk are free, 9 tasks wait"),
        (Demand(active=5), CALM, 5, "as many as are needed"),
        (Demand(active=0), CALM, 5, "more than are needed now"),
    ],
)
def test_the_number_follows_the_queue_and_the_machine_in_words(
    demand: Demand, pressure: Pressure, slots: int, reason: str
) -> None:
    made = decide(AT_FIVE, RANGE, demand, pressure, NOW)
    assert (made.slots, made.reason) == (slots, reason)


def test_at_both_ends_the_words_say_so() -> None:
    most = decide(Decision(slots=10, reason=""), RANGE, replace(QUEUED, active=10), CALM, NOW)
    assert (most.slots, most.reason) == (10, "9 tasks wait; 10 slots are the most")
    short = replace(CALM, memory=0.95)
    least = decide(Decision(slots=3, reason=""), RANGE, Demand(), short, NOW)
    assert (least.slots, least.reason) == (3, "memory is 95% full; 3 slots are the fewest")
    alone = Range(least=1, most=3)
    one = decide(replace(least, slots=1), alone, Demand(), replace(CALM, memory=0.95), NOW)
    assert one.reason == "memory is 95% full; 1 slot is the fewest"


def test_a_shortage_that_has_just_passed_does_not_make_the_number_swing() -> None:
    short = decide(AT_FIVE, RANGE, QUEUED, replace(CALM, cpu=0.99), NOW)
    soon = decide(short, RANGE, replace(QUEUED, active=4), CALM, NOW + 5)
    assert soon.slots == short.slots
    later = decide(soon, RANGE, replace(QUEUED, active=4), CALM, NOW + REST_S + 1)
    assert later.slots == short.slots + 1


def test_slots_that_nobody_needs_go_one_by_one() -> None:
    made, sizes = Decision(slots=6, reason=""), []
    for look in range(60):
        made = decide(made, RANGE, Demand(), CALM, NOW + look * 5.0)
        sizes.append(made.slots)
    assert sizes[-1] == RANGE.least
    assert all(0 <= a - b <= 1 for a, b in itertools.pairwise(sizes))
    assert sizes.count(6) * 5.0 >= REST_S


looks = st.tuples(
    st.builds(
        Demand,
        depth=st.integers(0, 50),
        longest_wait_s=st.floats(0, 1000),
        active=st.integers(0, 12),
    ),
    st.builds(Pressure, cpu=st.floats(0, 1), memory=st.floats(0, 1), lag_s=st.floats(0, 2)),
)


@given(st.lists(looks, max_size=60))
def test_it_never_leaves_its_range_and_never_jumps(history: list[tuple[Demand, Pressure]]) -> None:
    made = Decision(slots=5, reason="")
    for look, (demand, pressure) in enumerate(history):
        after = decide(made, RANGE, demand, pressure, NOW + look * 5.0)
        assert RANGE.least <= after.slots <= RANGE.most
        assert abs(after.slots - made.slots) <= 2
        assert after.reason
        made = after


async def test_a_real_pool_grows_with_its_queue_and_stops_nothing_when_it_shrinks(
    queue: TaskQueue, clock: Clock, tmp_path: Path
) -> None:
    go_on = asyncio.Event()

    async def advance(task: Task) -> Task:
        await go_on.wait()
        return await finish(queue, task)

    for n in range(8):
        await queue.submit(wish(n + 1, of=n))
    async with running(queue, advance, slots=3) as pool:
        async with asyncio.timeout(20):
            while pool.active < 3:  # noqa: ASYNC110 - claims have no event of ours
                await asyncio.sleep(0.01)
        scaler = Scaler(queue, pool, Range(least=3, most=10), tmp_path, clock)
        scaler.decision = decide(scaler.decision, scaler.allowed, await scaler.demand(), CALM, NOW)
        pool.resize(scaler.decision.slots)
        assert pool.slots == 4
        async with asyncio.timeout(20):
            while pool.active < 4:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        pool.resize(3)
        assert pool.active == 4, "what runs is not touched"
        assert (await pool.get_metrics())["utilisation"] == 1.0
        await scaler.look()
        assert scaler.decision.reason
        go_on.set()


async def test_a_lane_that_is_full_is_no_reason_for_a_slot(queue: TaskQueue) -> None:
    for n in range(5):
        await queue.submit(wish(n + 1, of=1))
    assert await queue.next_wait() is not None
    await queue.claim_some("host/boot", 5)
    assert await queue.next_wait() is None


def test_the_machine_can_be_read(tmp_path: Path) -> None:
    seen = pressure_of(tmp_path, lag_s=0.2)
    assert seen.lag_s == 0.2
    assert 0 <= seen.cpu <= 1
    assert 0 < seen.memory < 1
    assert seen.disk_free_mb > 0
