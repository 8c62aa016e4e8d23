import asyncio
from dataclasses import replace

import pytest

from bot.domain import Task
from bot.effects import Effect, EffectKind, EffectState
from bot.errors import LeaseLost, NotFound, RateLimited, WrongState
from bot.tasks.ledger import DAY_S, MOST_WORDS, Ledger, Place
from bot.tasks.queue import TaskQueue

from .making import Clock, claimed, wish


@pytest.fixture
async def task(queue: TaskQueue) -> Task:
    await queue.submit(wish(1))
    return await claimed(queue)


async def intend(ledger: Ledger, task: Task, *, fence: int | None) -> Effect:
    return await ledger.intend("pull:1", task.id, EffectKind.PULL, fence, "hash")


async def test_an_intent_is_written_once(ledger: Ledger, task: Task, clock: Clock) -> None:
    first = await intend(ledger, task, fence=task.fence)
    clock.goes_on(5)
    assert await intend(ledger, task, fence=task.fence) == first
    assert (first.state, first.intent_at) == (EffectState.INTENDED, clock.at - 5)
    assert await ledger.of_task(task.id) == [first]


async def test_only_one_caller_may_send(ledger: Ledger, task: Task) -> None:
    await intend(ledger, task, fence=None)
    answers = await asyncio.gather(
        *(ledger.sent("pull:1", None) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(answer, Effect) for answer in answers) == 1
    assert sum(isinstance(answer, WrongState) for answer in answers) == 9


async def test_an_older_claim_neither_intends_nor_sends(
    ledger: Ledger, queue: TaskQueue, task: Task, clock: Clock
) -> None:
    await intend(ledger, task, fence=task.fence)
    clock.goes_on(61)
    await queue.requeue_lost()
    with pytest.raises(LeaseLost):
        await ledger.sent("pull:1", task.fence)
    with pytest.raises(LeaseLost):
        await ledger.intend("review:1", task.id, EffectKind.REVIEW, task.fence, "hash")
    assert await ledger.get("review:1") is None
    newer = await claimed(queue)
    assert (await ledger.sent("pull:1", newer.fence)).fence == newer.fence


async def test_an_effect_goes_through_its_states(ledger: Ledger, task: Task, clock: Clock) -> None:
    await intend(ledger, task, fence=task.fence)
    await ledger.sent("pull:1", task.fence)
    unsure = await ledger.uncertain("pull:1", "502")
    assert (unsure.state, unsure.error) == (EffectState.UNCERTAIN, "502")
    clock.goes_on(60)
    anew = await ledger.forget("pull:1")
    assert (anew.state, anew.intent_at) == (EffectState.INTENDED, clock.at)
    await ledger.sent("pull:1", task.fence)
    done = await ledger.confirm("pull:1", "12", "https://hub/pull/12")
    assert (done.state, done.remote_id, done.error) == (EffectState.CONFIRMED, "12", "")


async def test_what_is_confirmed_stays_confirmed(ledger: Ledger, task: Task) -> None:
    await intend(ledger, task, fence=None)
    await ledger.confirm("pull:1", "12")
    for move in (ledger.fail("pull:1", "no"), ledger.forget("pull:1")):
        with pytest.raises(WrongState):
            await move
    with pytest.raises(WrongState):
        await ledger.uncertain("pull:1", "?")
    with pytest.raises(NotFound):
        await ledger.confirm("pull:2", "13")


async def test_a_refusal_is_kept_with_its_reason(ledger: Ledger, task: Task) -> None:
    await intend(ledger, task, fence=None)
    await ledger.sent("pull:1", None)
    failed = await ledger.fail("pull:1", "422 no commits")
    assert (failed.state, failed.error) == (EffectState.FAILED, "422 no commits")


# ── how much may be said, and what was made ──────────────────────────────────────────────────

HERE = Place(installation_id=5, repo_id=7, issue=12)


async def say(
    ledger: Ledger, n: int, *, place: Place = HERE, kind: EffectKind | None = None
) -> str:
    """One more comment of ours, sent; its key."""
    key = f"a-task/{place.issue}/{n}"
    kind = kind or EffectKind.THREAD_REPLY
    await ledger.intend(key, "a-task", kind, None, "hash", place=place)
    await ledger.sent(key, None)
    return key


async def test_an_issue_hears_of_us_twenty_times_a_day_and_no_more(
    ledger: Ledger, clock: Clock
) -> None:
    began = clock.at
    for n in range(MOST_WORDS):
        await say(ledger, n)
        clock.goes_on(60)
    with pytest.raises(RateLimited, match="our own limit") as caught:
        await say(ledger, MOST_WORDS)
    assert caught.value.retry_at == began + DAY_S
    await say(ledger, 99, kind=EffectKind.LABEL_ADD)  # no notification
    await say(ledger, 99, place=replace(HERE, issue=13))
    clock.at = began + DAY_S + 1
    await ledger.sent(f"a-task/12/{MOST_WORDS}", None)


async def test_a_comment_that_is_sent_again_counts_once(ledger: Ledger) -> None:
    key = await say(ledger, 0)
    for _ in range(MOST_WORDS):
        await ledger.forget(key)
        await ledger.sent(key, None)
    await say(ledger, 1)


async def test_what_was_created_is_known_by_installation_and_time(
    ledger: Ledger, clock: Clock
) -> None:
    first = clock.at
    await say(ledger, 1)
    clock.goes_on(10)
    await say(ledger, 2, kind=EffectKind.LABEL_REMOVE)
    await say(ledger, 3, place=replace(HERE, installation_id=6))
    await ledger.intend("a-task/never-sent", "a-task", EffectKind.PULL, None, "hash", place=HERE)
    assert await ledger.made_since(0.0) == {5: [first], 6: [clock.at]}
    assert await ledger.made_since(first) == {6: [clock.at]}
