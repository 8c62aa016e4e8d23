"""What the numbers are made of: what waits, what the journal gains, how the queue moves."""

from dataclasses import replace

import pytest

from bot.domain import Cause, Outcome, Phase, Status, Wait, WaitFor
from bot.facts import Spend
from bot.tasks.inbox import InboxState
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.tasks.statistics import spread
from bot.tasks.store import Store
from bot.tasks.tally import BUCKETS_S, PAGE, Kind, Tally
from bot.tasks.trend import KEPT_S, QUEUE_DEPTH, Trends
from bot.workflow.pace import MIN_HISTORY, work_from

from .making import Clock, claimed, line, parked, repo, wish

CODE = Phase.CODE_IMPLEMENTATION


@pytest.mark.parametrize(
    ("n", "ranks"),
    [(1, (1, 1, 1, 1)), (2, (1, 2, 2, 2)), (4, (2, 4, 4, 4)), (100, (50, 90, 95, 99))],
)
def test_a_percentile_is_the_smallest_that_so_many_do_not_exceed(
    n: int, ranks: tuple[int, ...]
) -> None:
    made = spread(float(second) for second in range(n, 0, -1))
    assert made is not None
    assert (made.p50_s, made.p90_s, made.p95_s, made.p99_s) == ranks


async def test_what_waits_is_told_by_kind_and_by_the_age_of_its_first(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    wait = Wait(on=WaitFor.APPROVAL, reason="a person is asked", since=clock())
    await queue.record(task, line(task), replace(task, status=Status.WAITING, wait=wait))
    clock.goes_on(60)
    await queue.submit(wish(2))
    await queue.accept("guid", "issues", "labeled", "{}")
    clock.goes_on(30)
    found = await queue.backlog()
    approval = found.waits[WaitFor.APPROVAL]
    assert (approval.n, approval.oldest_s) == (1, 90.0)
    assert set(found.waits) == set(WaitFor)
    assert sum(pile.n for pile in found.waits.values()) == 1
    assert (found.queued.n, found.queued.oldest_s) == (1, 30.0)
    assert found.deliveries[InboxState.NEW].oldest_s == 30.0
    assert found.deliveries[InboxState.FAILED].n == 0


async def test_a_wait_without_a_beginning_counts_from_the_row_s_last_change(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.record(task, line(task), parked(task, "run:7"))
    clock.goes_on(5)
    assert (await queue.backlog()).waits[WaitFor.RUN].oldest_s == 5.0


async def test_the_tally_counts_each_recorded_step_once_from_where_it_began(
    queue: TaskQueue,
) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.change(task.id, lambda t: t, line=line(task))
    tally = Tally(queue)
    assert (await tally.counted()).steps == {}, "what was before is not counted"
    step = replace(line(task, seconds=7.0), phase=CODE, spend=Spend(input_tokens=5, cost_usd=0.25))
    retry = replace(step, outcome=Outcome.WAIT, cause=Cause.TRANSIENT, seconds=9000.0)
    for one in (step, step, retry):
        await queue.change(task.id, lambda t: t, line=one)
    counted = await tally.counted()
    assert counted is await tally.counted(), "nothing new, nothing counted twice"
    assert counted.steps[Kind(CODE, Outcome.PASS, None)] == 2
    assert counted.retries() == {(CODE, Cause.TRANSIENT): 1}
    assert counted.spend[CODE].cost_usd == 0.75
    assert counted.seconds[CODE].sum_s == 9014.0
    assert counted.seconds[CODE].counts[BUCKETS_S.index(10.0)] == 2, "5 < 7 <= 10"
    assert counted.seconds[CODE].counts[-1] == 1, "longer than the longest bound"


async def test_the_tally_reads_on_over_pages(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    tally = Tally(queue)
    await tally.counted()
    for _ in range(3):
        await queue.change(task.id, lambda t: t, line=line(task))
    head = await queue.journal_head()
    assert len(await queue.recorded_after(head - 3, 2)) == 2
    assert len(await queue.recorded_after(head - 3, PAGE)) == 3
    assert sum((await tally.counted()).steps.values()) == 3


async def test_a_queue_that_grows_has_a_trend_that_says_by_how_much(
    store: Store, clock: Clock
) -> None:
    trends = Trends(Lasting(store, clock), clock)
    await trends.take(QUEUE_DEPTH, 4)
    assert await trends.of(QUEUE_DEPTH) is None, "one sample is no trend"
    for depth in (6, 8, 10):
        clock.goes_on(600)
        await trends.take(QUEUE_DEPTH, depth)
    found = await trends.of(QUEUE_DEPTH)
    assert found is not None
    assert (found.samples, found.mean, found.peak) == (4, 7.0, 10.0)
    assert round(found.per_hour, 6) == 12.0
    clock.goes_on(KEPT_S + 1)
    await trends.take(QUEUE_DEPTH, 0)
    assert len(await Lasting(store, clock).samples(QUEUE_DEPTH, 0.0)) == 1, "yesterday's are gone"


async def ended_after(queue: TaskQueue, clock: Clock, issue: int, of: int, seconds: float) -> None:
    """A task that worked so long, waited for a day, and was completed."""
    await queue.submit(wish(issue, of=of))
    task = await claimed(queue)
    await queue.record(task, line(task, seconds=seconds), parked(task, "an answer"))
    clock.goes_on(86_400)
    await queue.wake("an answer")
    task = await claimed(queue)
    await queue.record(task, line(task, seconds=0.0), replace(task, status=Status.COMPLETED))


async def test_the_pace_is_that_of_one_repository_and_counts_no_waits(
    queue: TaskQueue, clock: Clock
) -> None:
    for issue in range(1, MIN_HISTORY + 1):
        await ended_after(queue, clock, issue, 1, 10.0)
    await ended_after(queue, clock, 1, 2, 900.0)
    pace = await queue.pace_of(repo(1))
    assert work_from(Phase.E2E_TEST_GENERATION, pace) == (10.0, 10.0)
    assert work_from(CODE, pace) is None, "nothing is known of what comes after"
    assert work_from(Phase.FAILED, pace) is None
    little = await queue.pace_of(repo(2))
    assert little[Phase.E2E_TEST_GENERATION].p50_s == 900.0
    assert work_from(Phase.E2E_TEST_GENERATION, little) is None, "one task is no history"
    assert await queue.pace_of(None) == {}
