"""Where is mine? How often the comment is edited, and that every reason it gives is true."""

from dataclasses import replace

import pytest

from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, Status, Task, Wait, WaitFor
from bot.facts import Spend
from tests.conversation.conftest import OpenDesk
from tests.conversation.desk import CREATE, EDIT, Desk

CODE = Phase.CODE_IMPLEMENTATION


def line(task: Task, n: int, at: float, outcome: Outcome = Outcome.AGAIN) -> JournalLine:
    """One recorded turn that took half a second."""
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=task.phase,
        cursor=task.cursor,
        outcome=outcome,
        summary=f"turn {n}",
        cause=Cause.NOT_GREEN,
        started_at=at,
        seconds=0.5,
        spend=Spend(requests=1, input_tokens=10, cost_usd=0.01),
    )


async def at_work(desk: Desk) -> Task:
    """A task that has been claimed and is at its code, shown."""
    issue = await desk.issue()
    await desk.task(issue)
    claimed = await desk.house.queue.claim("a-test")
    assert claimed is not None
    await desk.passes(30)
    return claimed


async def progress(desk: Desk, task: Task, n: int) -> Task:
    """One more turn of the same agent, recorded as the executor does it."""
    at = desk.clock()
    said = line(replace(task, cursor=Cursor(phase=CODE)), n, at)
    after = replace(task, cursor=Cursor(phase=CODE, turn=n), spend=task.spend + said.spend)
    return await desk.house.queue.record(task, said, after, keep=True, picture_in=10.0)


async def park(desk: Desk, task: Task, wait: Wait) -> Task:
    """The step ends with a wait."""
    at = desk.clock()
    after = replace(task, status=Status.WAITING, wait=replace(wait, since=at))
    said = line(task, 0, at, Outcome.WAIT)
    return await desk.house.queue.record(task, replace(said, summary=wait.reason), after)


# ── counts ───────────────────────────────────────────────────────────────────────────────────


async def test_sixty_events_in_thirty_seconds_are_at_most_four_edits_and_the_last_is_shown(
    desk: Desk,
) -> None:
    task = await at_work(desk)
    before = desk.count(EDIT)
    for n in range(1, 61):
        task = await progress(desk, task, n)
        await desk.passes(0.5)
    assert desk.count(EDIT) - before <= 4
    await desk.passes(10)
    assert desk.count(EDIT) - before <= 5, "and one more for what came last"
    assert "$0.60" in desk.ours(task.issue)[0]
    shown = desk.ours(task.issue)[0]
    await desk.passes(600)
    assert desk.ours(task.issue) == [shown], "nothing is left over"


async def test_a_task_has_one_comment_of_ours_from_the_queue_to_its_end(desk: Desk) -> None:
    task = await at_work(desk)
    for text in ("/chimera status", "/chimera help", "/chimera nonsense", "/chimera approve"):
        await desk.comment(task.issue, text)
        await desk.passes(15)
    await desk.comment(task.issue, "/chimera pause")
    await desk.comment(task.issue, "/chimera cancel")
    await desk.passes(60)
    assert len(desk.ours(task.issue)) == 1
    assert desk.count(CREATE) == 1 + 6, "ours, and the six of the person"


async def test_a_change_that_a_person_waits_for_is_shown_at_once(desk: Desk) -> None:
    task = await at_work(desk)
    task = await progress(desk, task, 1)
    await desk.passes(10)  # an edit has just been made
    await park(desk, task, Wait(on=WaitFor.DECISION, reason="A choice has to be made"))
    await desk.paint()
    assert "A choice has to be made" in desk.ours(task.issue)[0]


# ── reasons ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (
            Wait(on=WaitFor.RATE_LIMIT, reason="GitHub rate limit", until=None),
            "GitHub rate limit",
        ),
        (
            Wait(on=WaitFor.RUN, reason="Actions run 88 has been queued for 6m 00s", key="run:1/8"),
            "Actions run 88 has been queued for 6m 00s",
        ),
        (Wait(on=WaitFor.RETRY, reason="502 Bad Gateway", until=None), "502 Bad Gateway"),
        (Wait(on=WaitFor.MERGE_QUEUE, reason="#12 is in the merge queue"), "merge queue"),
    ],
    ids=lambda value: value.on.value if isinstance(value, Wait) else "",
)
async def test_within_a_minute_a_parked_task_says_what_it_waits_for(
    desk: Desk, wait: Wait, said: str
) -> None:
    task = await at_work(desk)
    timed = wait.on in (WaitFor.RATE_LIMIT, WaitFor.RETRY)
    wait = replace(wait, until=desk.clock() + 1200) if timed else wait
    await park(desk, task, wait)
    await desk.passes(60)
    text = desk.ours(task.issue)[0]
    assert said in text
    assert not timed or "until 12:20 UTC" in text


async def test_who_is_next_moves_up_when_the_one_before_has_begun(desk_with: OpenDesk) -> None:
    desk = await desk_with(config={"limits": {"concurrent": 1}})
    issues = [await desk.issue() for _ in range(3)]
    for issue in issues:
        await desk.owner.label(desk.repository, issue, "chimera")
        await desk.read()
        await desk.paint()
    assert ["1st" in desk.ours(issues[0])[0], "3rd" in desk.ours(issues[2])[0]] == [True, True]
    first = await desk.house.queue.claim("a-test")
    assert first is not None
    assert first.issue == issues[0]
    await desk.passes(60)
    assert "1st in the queue" in desk.ours(issues[1])[0]
    assert "2nd in the queue" in desk.ours(issues[2])[0]
    assert "the repository limit of 1 is reached" in desk.ours(issues[1])[0]


async def test_a_hold_is_named_to_everyone_who_waits_because_of_it(desk: Desk) -> None:
    issue = await desk.issue()
    await desk.task(issue)
    await desk.comment(issue, "/chimera hold the shop is closed", "maintain")
    await desk.passes(60)
    text = desk.ours(issue)[0]
    assert "maintain-only" in text
    assert "the shop is closed" in text
    assert await desk.house.queue.claim("a-test") is None
    await desk.comment(issue, "/chimera unhold", "maintain")
    await desk.passes(60)
    assert "the shop is closed" not in desk.ours(issue)[0]
    assert await desk.house.queue.claim("a-test") is not None


async def test_there_is_no_estimate_without_a_history(desk: Desk) -> None:
    task = await at_work(desk)
    await desk.passes(60)
    assert "Usually" not in desk.ours(task.issue)[0]


async def test_with_a_history_there_is_one(desk: Desk) -> None:
    queue = desk.house.queue
    for _ in range(5):
        await desk.task(await desk.issue())
        task = await queue.claim("a-test")
        assert task is not None
        for phase in list(Phase)[:6]:
            here = replace(task, cursor=Cursor(phase=phase))
            said = replace(line(here, 1, desk.clock(), Outcome.PASS), seconds=60.0)
            ended = phase is Phase.PRODUCTION_DEPLOYMENT
            status = Status.COMPLETED if ended else Status.RUNNING
            cursor = Cursor(phase=Phase.COMPLETE) if ended else Cursor(phase=phase)
            after = replace(task, cursor=cursor, status=status)
            task = await queue.record(task, said, after, keep=not ended)
    task = await at_work(desk)
    await desk.passes(60)
    assert "Usually 6 more minutes" in desk.ours(task.issue)[0]
