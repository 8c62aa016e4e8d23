"""Submitting, recording, parking, waking, and what people change meanwhile."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain import Cause, Cursor, Outcome, Phase, Status, Task
from bot.errors import InputError, LeaseLost, NotFound, WrongState
from bot.facts import Approval, Facts, Finding, Proof, Spend
from bot.tasks.queue import TaskQueue

from .making import Clock, claimed, finish, line, parked, repo, wish


async def test_an_issue_has_one_live_task_however_often_it_is_asked_for(queue: TaskQueue) -> None:
    answers = await asyncio.gather(*(queue.submit(wish(1)) for _ in range(50)))
    assert sum(created for _, created in answers) == 1
    assert len({task.id for task, _ in answers}) == 1


async def test_a_finished_task_is_followed_only_for_a_newer_label_event(queue: TaskQueue) -> None:
    first, _ = await queue.submit(wish(1), label_event_id="9")
    await finish(queue, await claimed(queue))
    assert await queue.submit(wish(1), label_event_id="9") == (await queue.get(first.id), False)
    second, created = await queue.submit(wish(1), label_event_id="10")
    assert created
    assert second.id != first.id
    assert (await queue.find(1, 1)) == second


async def test_ids_are_given_and_sort_by_time(queue: TaskQueue, clock: Clock) -> None:
    ids = []
    for n in range(1, 5):
        ids.append((await queue.submit(wish(n)))[0].id)
        clock.goes_on(0.002)
    assert ids == sorted(ids)
    assert all(task_id.startswith("chimera-") and len(task_id) == 34 for task_id in ids)
    mine, _ = await queue.submit(replace(wish(9), id="chimera-mine"))
    assert mine.id == "chimera-mine"


async def test_an_idempotency_key_stands_for_one_request(queue: TaskQueue) -> None:
    first, made = await queue.submit(wish(), idempotency_key="k", request_hash="h")
    again, made_again = await queue.submit(wish(), idempotency_key="k", request_hash="h")
    assert (made, made_again) == (True, False)
    assert first == again
    with pytest.raises(InputError, match="another request"):
        await queue.submit(wish(), idempotency_key="k", request_hash="other")


async def test_a_look_that_finds_the_same_wait_is_no_new_line_of_the_journal(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    said = ("a run is going on", "a run is going on", "it is queued", "a run is going on")
    for words in said:
        task = await claimed(queue)
        told = replace(line(task, outcome=Outcome.WAIT), summary=words)
        await queue.record(task, told, parked(task, "run:1", until=clock() + 60))
        clock.goes_on(61)
        await queue.wake_due()
    lines = await queue.journal(task.id)
    assert [one.summary for one in lines] == [said[0], said[2], said[3]]
    assert [one.n for one in lines] == [1, 2, 3]


async def test_a_wait_that_has_cost_something_is_always_a_line(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    for _ in range(2):
        task = await claimed(queue)
        told = replace(line(task, outcome=Outcome.WAIT), spend=Spend(requests=1))
        await queue.record(task, told, parked(task, "run:1"))
        await queue.wake("run:1")
    assert len(await queue.journal(task.id)) == 2


async def test_a_task_comes_back_from_the_store_as_it_was_recorded(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    proof = Proof(command="pytest", sha="abc", exit_code=1, failed=2, log="ünï\ncode")
    facts = Facts(
        branch="chimera/1-x",
        pull=12,
        red=proof,
        green=(proof, proof),
        findings=(Finding(path="a.py", line=3, severity="nit", body="?"),),
        approval=Approval(by="ann", sha="abc", at=1.5),
    )
    after = replace(
        task,
        facts=facts,
        cursor=Cursor(phase=Phase.GUARDIAN_REVIEW, round=2, turn=3, attempt=4),
        spend=Spend(requests=1, input_tokens=2, output_tokens=3, cost_usd=0.0),
        tries=1,
        cause=Cause.CI,
        summary="red",
        issue=1,
    )
    stored = await queue.record(task, line(task), parked(after, "run:1", until=9e9))
    assert await queue.get(task.id) == stored
    assert stored == replace(parked(after, "run:1", until=9e9), updated_at=stored.updated_at)
    assert await queue.find_by_pull(1, 12) == stored
    assert await queue.find_by_branch(1, "chimera/1-x") == stored
    assert await queue.live_of_repo(1) == [stored]


async def test_hostile_text_never_makes_a_task_unreadable(queue: TaskQueue) -> None:
    await queue.submit(replace(wish(1), feature="\ud800 \x00 '; DROP TABLE task"))
    task = await claimed(queue)
    await queue.record(task, line(task), parked(replace(task, facts=Facts(feedback=("\udfff",)))))
    assert (await queue.get(task.id)).facts.feedback == ("?",)


async def test_a_record_is_all_or_nothing(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    impossible = replace(task, status=Status.COMPLETED, issue=2**70)
    with pytest.raises(InputError):
        await queue.record(task, line(task), impossible)
    assert await queue.journal(task.id) == []
    assert await queue.get(task.id) == task


async def test_journal_lines_are_numbered_within_their_task(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    for _ in range(3):
        task = await queue.record(task, line(task), task, keep=True)
    assert [entry.n for entry in await queue.journal(task.id)] == [1, 2, 3]
    assert task.status is Status.RUNNING


async def test_keeping_a_claim_renews_its_lease(queue: TaskQueue, clock: Clock) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    for _ in range(3):
        clock.goes_on(50)
        task = await queue.record(task, line(task), task, keep=True)
    assert await queue.requeue_lost() == []


async def test_a_task_that_goes_on_without_the_claim_is_queued(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    assert (await queue.record(task, line(task), task)).status is Status.QUEUED
    assert (await claimed(queue)).fence == task.fence + 1


async def test_a_wake_that_comes_before_the_park_is_seen_by_it(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    assert await queue.wake("run:1") == []
    stored = await queue.record(task, line(task), parked(task, "run:1"))
    assert stored.status is Status.QUEUED


async def test_a_signal_wakes_a_task_once(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.record(task, line(task), parked(task, "run:1"))
    assert await queue.wake("run:1") == [task.id]
    assert await queue.wake("run:1") == []
    for _ in range(2):  # the second signal came while it was queued: one more look, no third
        task = await claimed(queue)
        stored = await queue.record(task, line(task), parked(task, "run:1"))
        if stored.status is Status.WAITING:
            break
    assert stored.status is Status.WAITING
    assert await queue.claim("host/boot") is None


async def test_every_task_with_the_key_wakes_and_no_other(queue: TaskQueue) -> None:
    ids = []
    for n, key in ((1, "a"), (2, "a"), (3, "b")):
        await queue.submit(wish(n, of=n))
        task = await claimed(queue)
        ids.append(task.id)
        await queue.record(task, line(task), parked(task, key))
    assert await queue.wake("a") == ids[:2]
    assert await queue.wake("") == []


async def test_a_signal_that_nobody_wanted_is_forgotten_after_a_day(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1))
    await queue.wake("run:1")
    clock.goes_on(86_401)
    task = await claimed(queue)
    assert (await queue.record(task, line(task), parked(task, "run:1"))).status is Status.WAITING


async def test_racing_wakes_and_parks_lose_nothing(queue: TaskQueue) -> None:
    for n in range(1, 21):
        await queue.submit(wish(n, of=n))
    tasks = [await claimed(queue) for _ in range(20)]

    async def park(task: Task) -> None:
        await queue.record(task, line(task), parked(task, task.id))

    await asyncio.gather(*(f(t) for t in tasks for f in (park, lambda t: queue.wake(t.id))))
    assert {(await queue.get(task.id)).status for task in tasks} == {Status.QUEUED}


async def test_a_deadline_wakes_a_parked_task(queue: TaskQueue, clock: Clock) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.record(task, line(task), parked(task, "run:1", until=clock.at + 60))
    assert await queue.next_due() == clock.at + 60
    clock.goes_on(59)
    assert await queue.wake_due() == []
    clock.goes_on(1)
    assert await queue.wake_due() == [task.id]
    again = await claimed(queue)
    assert again.wait is not None, "a step can see what it has waited for"


async def test_a_cancelled_queued_or_parked_task_ends_at_once(queue: TaskQueue) -> None:
    queued, _ = await queue.submit(wish(1))
    ended = await queue.cancel(queued.id, "ann")
    assert (ended.status, ended.cause, ended.cancel_by) == (
        Status.CANCELLED,
        Cause.PERSON,
        "ann",
    )
    assert [entry.by for entry in await queue.journal(queued.id)] == ["ann"]
    with pytest.raises(WrongState, match="CANCELLED"):
        await queue.cancel(queued.id, "bob")
    with pytest.raises(NotFound):
        await queue.cancel("chimera-none", "bob")


async def test_a_running_task_is_cancelled_with_its_next_record(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    asked = await queue.cancel(task.id, "ann")
    assert (asked.status, asked.cancel_by) == (Status.RUNNING, "ann")
    stored = await queue.record(task, line(task), task, keep=True)
    assert stored.status is Status.CANCELLED
    (said,) = await queue.journal(task.id)
    assert said.by == "ann"
    assert "ann" in said.summary


async def test_a_task_that_ends_by_itself_is_not_called_cancelled(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.cancel(task.id, "ann")
    assert (await finish(queue, task)).status is Status.COMPLETED


@pytest.mark.parametrize("crashed", [False, True])
async def test_a_cancelled_task_whose_worker_lets_go_has_ended(
    queue: TaskQueue, crashed: bool
) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.cancel(task.id, "ann")
    released = await queue.release(task.id, task.fence, crashed=crashed)
    assert released is not None
    assert released.status is Status.CANCELLED


async def test_a_person_who_pauses_a_running_task_takes_its_lease(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    paused = await queue.change(task.id, parked, expect=(Status.RUNNING,))
    assert (paused.status, paused.fence) == (Status.WAITING, task.fence + 1)
    with pytest.raises(LeaseLost):
        await finish(queue, task)


async def test_what_people_change_while_a_step_runs_is_kept(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    approval = Approval(by="ann", sha="abc", at=1.0)

    def approve(now: Task) -> Task:
        return replace(now, priority=9, budget_usd=7.0, facts=replace(now.facts, approval=approval))

    await queue.change(task.id, approve)
    after = replace(task, facts=replace(task.facts, head_sha="abc"), title="new title")
    stored = await queue.record(task, line(task), after, keep=True)
    assert (stored.priority, stored.budget_usd, stored.title) == (9, 7.0, "new title")
    assert (stored.facts.head_sha, stored.facts.approval) == ("abc", approval)


async def test_a_command_in_the_wrong_state_changes_nothing(queue: TaskQueue) -> None:
    await queue.accept("guid", "issue_comment", "created", "{}")
    (row,) = await queue.pending()
    task, _ = await queue.submit(wish(1))
    with pytest.raises(WrongState, match="WAITING"):
        await queue.change(
            task.id, lambda t: t, line=line(task), inbox_id=row.id, expect=(Status.WAITING,)
        )
    assert await queue.journal(task.id) == []
    assert [r.id for r in await queue.pending()] == [row.id]


async def test_a_priority_moves_a_task_in_the_queue(queue: TaskQueue) -> None:
    first, _ = await queue.submit(wish(1, of=1))
    second, _ = await queue.submit(wish(2, of=2))
    assert await queue.position(second.id) == 2
    await queue.change(second.id, lambda task: replace(task, priority=9))
    assert (await queue.position(second.id), await queue.position(first.id)) == (1, 2)
    assert (await claimed(queue)).id == second.id
    assert await queue.position(second.id) is None


async def test_a_retried_task_starts_at_the_end_of_the_queue(
    queue: TaskQueue, clock: Clock
) -> None:
    await queue.submit(wish(1, of=1))
    task = await claimed(queue)
    failed = replace(task, status=Status.FAILED, cause=Cause.GATE)
    assert (await queue.record(task, line(task), failed)).finished_at == clock.at
    clock.goes_on(10)
    other, _ = await queue.submit(wish(2, of=2))
    clock.goes_on(10)
    again = await queue.change(task.id, lambda t: replace(t, status=Status.QUEUED))
    assert again.finished_at is None
    assert (await claimed(queue)).id == other.id


async def test_a_cancelled_task_that_is_retried_is_not_cancelled_again(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.cancel(task.id, "ann")
    await queue.release(task.id, task.fence)
    await queue.change(task.id, lambda t: replace(t, status=Status.QUEUED))
    assert (await finish(queue, await claimed(queue))).status is Status.COMPLETED


async def test_a_retry_next_to_a_newer_live_task_is_refused(queue: TaskQueue) -> None:
    old, _ = await queue.submit(wish(1), label_event_id="1")
    await finish(queue, await claimed(queue))
    await queue.submit(wish(1), label_event_id="2")
    with pytest.raises(WrongState, match="live task"):
        await queue.change(old.id, lambda t: replace(t, status=Status.QUEUED))
    assert (await queue.get(old.id)).status is Status.COMPLETED


async def test_pages_go_through_everything_once(queue: TaskQueue) -> None:
    ids = [(await queue.submit(wish(n, of=n % 2 + 1)))[0].id for n in range(1, 8)]
    seen: list[str] = []
    cursor = None
    while True:
        page = await queue.page(limit=3, cursor=cursor)
        seen += [task.id for task in page.tasks]
        if (cursor := page.cursor) is None:
            break
    assert seen == ids[::-1]
    mine = await queue.page(repo="Octo/SHOP1", status=[Status.QUEUED, Status.DEAD])
    assert {task.repo for task in mine.tasks} == {repo(1)}
    assert len(mine.tasks) == 3
    assert (await queue.page(phase=Phase.COMPLETE)).tasks == ()
    with pytest.raises(InputError, match="cursor"):
        await queue.page(cursor="1; DROP TABLE task")


async def test_counts_and_history_are_those_of_the_rows(queue: TaskQueue, clock: Clock) -> None:
    for n in range(1, 5):
        await queue.submit(wish(n, of=n))
    for status, seconds in ((Status.COMPLETED, 10.0), (Status.COMPLETED, 30.0)):
        task = await claimed(queue)
        clock.goes_on(seconds)
        await queue.record(task, line(task, seconds=seconds), replace(task, status=status))
    task = await claimed(queue)
    dead = replace(task, status=Status.DEAD, cause=Cause.TIMEOUT)
    await queue.record(task, line(task, outcome=Outcome.FAIL), dead)
    counts = await queue.counts()
    assert (counts[Status.QUEUED], counts[Status.COMPLETED], counts[Status.DEAD]) == (1, 2, 1)
    assert await queue.depth() == 1
    history = await queue.history()
    assert history.success_rate == pytest.approx(2 / 3)
    assert history.whole is not None
    assert (history.whole.n, history.whole.p99_s) == (2, 30.0)
    assert history.phases[Phase.E2E_TEST_GENERATION].n == 3
    assert [(f.cause, f.n) for f in history.failures] == [(Cause.TIMEOUT, 1)]


async def test_a_failure_is_counted_in_the_phase_where_it_happened(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    coding = replace(task, cursor=Cursor(phase=Phase.CODE_IMPLEMENTATION))
    ended = replace(
        coding, status=Status.FAILED, cause=Cause.NOT_GREEN, cursor=Cursor(phase=Phase.FAILED)
    )
    await queue.record(task, line(coding, outcome=Outcome.FAIL), ended)
    failures = (await queue.history()).failures
    assert [(f.phase, f.cause) for f in failures] == [(Phase.CODE_IMPLEMENTATION, Cause.NOT_GREEN)]


async def test_the_pool_is_called_before_a_wake_is_on_disk_and_claims_in_the_same_commit(
    queue: TaskQueue,
) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    await queue.record(task, line(task), parked(task, "run:1"))
    queue.bells.work.clear()
    waking = asyncio.create_task(queue.wake("run:1"))
    await asyncio.sleep(0)
    assert queue.bells.work.is_set()
    assert not waking.done()
    again = await claimed(queue)
    assert (again.id, again.fence) == (task.id, task.fence + 1)
    assert await waking == [task.id]


async def test_what_a_save_leaves_out_is_what_has_not_changed(queue: TaskQueue) -> None:
    await queue.submit(wish(1))
    task = await claimed(queue)
    facts = replace(task.facts, branch="chimera/1", pull=4, feedback=("again",))
    after = replace(task, facts=facts, title="renamed", tries=2)
    stored = await queue.record(task, line(task), after, keep=True)
    assert await queue.get(task.id) == stored
    emptied = replace(stored, facts=replace(facts, feedback=(), pull=0), tries=0)
    stored = await queue.record(stored, line(task), emptied, keep=True)
    assert await queue.get(task.id) == stored
    assert (stored.facts.branch, stored.facts.pull, stored.facts.feedback) == ("chimera/1", 0, ())
