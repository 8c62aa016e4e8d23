"""What people do to the place of a task while it works, and the state in which each of it ends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import Cause, Outcome, Phase, Status, StepResult, Task, WaitFor
from bot.errors import AuthFailed, Conflict, Refused
from bot.workflow.executor import ChimeraExecutor
from bot.workflow.ground import Ground, verdict_on
from bot.workflow.phases.step import Ctx, Meter
from bot.workflow.trouble import Triage
from tests.conversation.desk import Desk, open_desk
from tests.conversation.states import states

Act = Callable[[Desk, Task], Awaitable[None]]
NOT_ACCESSIBLE = Refused("Resource not accessible by integration", status=403)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def task_in(desk: Desk, state: str) -> Task:
    """A task in this state, whose pull request is a real one."""
    sha = await desk.owner.push(desk.repository, "chimera/1-a-wish", {"a.txt": "a\n"}, "Mine")
    issue = await desk.issue()
    pull = await desk.owner.open_pull(desk.repository, "chimera/1-a-wish", "Mine")
    await desk.read()
    change = states(sha)[state]
    return await desk.task(issue, lambda task: _with_pull(change(task), int(pull["number"])))


def _with_pull(task: Task, pull: int) -> Task:
    return replace(task, facts=replace(task.facts, pull=pull))


def triage(desk: Desk) -> Triage:
    contexts = desk.house.contexts
    return Triage(
        queue=desk.house.queue,
        now=desk.clock,
        breakers=contexts.breakers,
        survey=contexts.survey,
    )


async def nothing(_desk: Desk, _task: Task) -> None:
    return


async def suspended(desk: Desk, _task: Task) -> None:
    desk.hub.suspend(desk.installation)


async def uninstalled(desk: Desk, _task: Task) -> None:
    desk.hub.uninstall(desk.installation)


async def deselected(desk: Desk, _task: Task) -> None:
    desk.hub.set_installed_repositories(desk.installation, [])


async def archived(desk: Desk, _task: Task) -> None:
    desk.hub.configure(desk.repository, archived=True)


async def deleted(desk: Desk, _task: Task) -> None:
    desk.hub.delete_repository(desk.repository)


async def moved_away(desk: Desk, _task: Task) -> None:
    desk.hub.add_user("bea")
    desk.hub.transfer_repository(desk.repository, "bea")


async def pull_locked(desk: Desk, task: Task) -> None:
    await desk.owner.lock(desk.repository, task.facts.pull)


async def closed(desk: Desk, task: Task) -> None:
    await desk.owner.close(desk.repository, task.issue)


async def issue_deleted(desk: Desk, task: Task) -> None:
    desk.hub.delete_issue(desk.repository, task.issue)


async def issue_transferred(desk: Desk, task: Task) -> None:
    other = desk.hub.create_repository("ada", "other", {"a.txt": "a\n"})
    desk.hub.set_installed_repositories(desk.installation, [desk.repository, other])
    desk.hub.transfer_issue(desk.repository, task.issue, other)


PLACES = [
    (nothing, Ground.SOUND, None),
    (suspended, Ground.SUSPENDED, WaitFor.ACCESS),
    (archived, Ground.ARCHIVED, WaitFor.ACCESS),
    (pull_locked, Ground.LOCKED, WaitFor.ACCESS),
    (uninstalled, Ground.OUT, Status.CANCELLED),
    (deselected, Ground.OUT, Status.CANCELLED),
    (deleted, Ground.OUT, Status.CANCELLED),
    (moved_away, Ground.OUT, Status.CANCELLED),
    (closed, Ground.CLOSED, Status.CANCELLED),
    (issue_deleted, Ground.GONE, Status.CANCELLED),
    (issue_transferred, Ground.GONE, Status.CANCELLED),
]


# ── what GitHub says of the place, where a step is refused ───────────────────────────────────


@pytest.mark.parametrize(("act", "ground", "ends"), PLACES)
async def test_the_place_is_read_off_github_and_says_how_the_task_ends(
    desk: Desk, act: Act, ground: Ground, ends: WaitFor | Status | None
) -> None:
    task = await task_in(desk, "run")
    await act(desk, task)
    found = await desk.house.contexts.survey.look(task)
    assert found.ground is ground
    verdict = verdict_on(found, task)
    if ends is None:
        assert verdict is None
        return
    assert verdict is not None
    if ends is WaitFor.ACCESS:
        assert (verdict.outcome, verdict.cause) == (Outcome.WAIT, Cause.PERMISSION)
        assert verdict.wait is not None
        assert (verdict.wait.on, bool(verdict.wait.key)) == (WaitFor.ACCESS, True)
    else:
        assert (verdict.outcome, verdict.cause) == (Outcome.FAIL, Cause.PERSON)


@pytest.mark.parametrize("error", [NOT_ACCESSIBLE, AuthFailed("401"), Conflict("moved")])
async def test_a_refused_step_asks_for_the_place_before_it_is_tried_again(
    desk: Desk, error: Exception
) -> None:
    task = await task_in(desk, "run")
    desk.hub.suspend(desk.installation)
    result = await triage(desk).answer(task, error)
    assert _wait(result) == (WaitFor.ACCESS, f"installation:{desk.installation}")
    assert "suspended" in result.verdict.summary


async def test_a_refusal_on_sound_ground_is_tried_again_and_then_waits_for_a_person(
    desk: Desk,
) -> None:
    task = await task_in(desk, "run")
    first = await triage(desk).answer(task, NOT_ACCESSIBLE)
    assert _wait(first)[0] is WaitFor.RETRY
    last = await triage(desk).answer(replace(task, tries=2), NOT_ACCESSIBLE)
    assert _wait(last) == (WaitFor.ACCESS, f"permission:{desk.installation}")
    assert last.verdict.cause is Cause.PERMISSION
    assert "not accessible" in last.verdict.summary
    last = await triage(desk).answer(replace(task, tries=2), AuthFailed("401"))
    assert _wait(last) == (WaitFor.ACCESS, f"installation:{desk.installation}")
    assert last.verdict.cause is Cause.AUTH


async def test_a_new_name_is_followed_and_the_step_is_done_again_at_once(desk: Desk) -> None:
    task = await task_in(desk, "run")
    desk.hub.rename_repository(desk.repository, "market")
    result = await triage(desk).answer(task, Conflict("renamed or moved"))
    assert _wait(result)[0] is WaitFor.RETRY
    assert result.verdict.wait is not None
    assert result.verdict.wait.until == desk.clock()
    now = await desk.now(task)
    assert now.repo is not None
    assert now.repo.full_name == "ada/market"


def _wait(result: StepResult) -> tuple[WaitFor, str]:
    assert result.verdict.wait is not None, result.verdict
    return result.verdict.wait.on, result.verdict.wait.key


@pytest.mark.parametrize(("act", "ends"), [(closed, Status.CANCELLED), (suspended, Status.WAITING)])
async def test_a_step_that_is_refused_where_its_place_has_gone_ends_or_parks_the_task(
    desk: Desk, act: Act, ends: Status
) -> None:
    task = await desk.task(await desk.issue())
    desk.hub.webhooks.drop = 1.0
    await act(desk, task)

    async def refused(_task: Task, _meter: Meter) -> Ctx:
        raise NOT_ACCESSIBLE

    executor = ChimeraExecutor(
        queue=desk.house.queue, context_for=refused, now=desk.clock, triage=triage(desk)
    )
    claimed = await desk.house.queue.claim("a-test")
    assert claimed is not None
    after = await executor.advance(claimed)
    assert (after.status, after.tries, after.phase) == (ends, 0, task.phase)
    [line] = await desk.house.queue.journal(task.id)
    assert line.summary == after.summary


# ── what the deliveries say ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (uninstalled, "App uninstalled"),
        (deselected, "App removed from ada/shop"),
        (deleted, "repository deleted"),
        (moved_away, "repository transferred"),
        (closed, "closed"),
        (issue_deleted, "deleted"),
        (issue_transferred, "transferred"),
    ],
)
async def test_who_takes_the_place_away_ends_the_task(desk: Desk, act: Act, said: str) -> None:
    task = await task_in(desk, "approval")
    await act(desk, task)
    await desk.read()
    now = await desk.now(task)
    assert (now.status, now.cause) == (Status.CANCELLED, Cause.PERSON)
    assert said in now.summary
    assert "ada" in now.summary


@pytest.mark.parametrize(
    ("act", "undo"),
    [
        (suspended, lambda desk, _: desk.hub.unsuspend(desk.installation)),
        (archived, lambda desk, _: desk.hub.configure(desk.repository, archived=False)),
    ],
)
async def test_what_is_closed_for_a_time_goes_on_by_itself_when_it_is_opened(
    desk: Desk, act: Act, undo: Callable[[Desk, Task], None]
) -> None:
    task = await shut_out(desk, act)
    undo(desk, task)
    await desk.read()
    assert (await desk.now(task)).status is Status.QUEUED


async def test_an_unlocked_pull_request_wakes_its_task(desk: Desk) -> None:
    task = await shut_out(desk, pull_locked)
    path = f"/repos/{desk.repository.full_name}/issues/{task.facts.pull}/lock"
    await desk.owner.ask("DELETE", path)
    await desk.read()
    assert (await desk.now(task)).status is Status.QUEUED


async def test_a_rename_changes_every_task_of_the_repository(desk: Desk) -> None:
    task = await task_in(desk, "approval")
    desk.hub.rename_repository(desk.repository, "market")
    await desk.read()
    now = await desk.now(task)
    assert now.status is Status.WAITING
    assert now.repo is not None
    assert (now.repo.full_name, now.repo.id) == ("ada/market", desk.repository.id)


async def test_an_issue_that_the_merge_has_closed_does_not_end_the_task(desk: Desk) -> None:
    task = await task_in(desk, "approval")
    await desk.owner.merge(desk.repository, task.facts.pull)
    await desk.owner.close(desk.repository, task.issue)
    await desk.read()
    assert (await desk.now(task)).status is not Status.CANCELLED
    assert task.phase is Phase.PRODUCTION_DEPLOYMENT


async def shut_out(desk: Desk, act: Act) -> Task:
    """A task that waits until it is let in again."""
    task = await task_in(desk, "run")
    await act(desk, task)
    await desk.read()
    result = await triage(desk).answer(task, NOT_ACCESSIBLE)
    wait = result.verdict.wait
    assert wait is not None
    assert wait.on is WaitFor.ACCESS
    return await desk.house.queue.change(
        task.id, lambda now: replace(now, status=Status.WAITING, wait=wait)
    )


# ── what is shown there ──────────────────────────────────────────────────────────────────────


async def test_a_locked_issue_takes_no_comment_and_its_label_still_tells_the_truth(
    desk: Desk,
) -> None:
    issue = await desk.issue()
    await desk.owner.lock(desk.repository, issue)
    new = Task(id="", title="A wish", feature="A wish", repo=desk.ref, issue=issue)
    task, _ = await desk.house.queue.submit(new)
    look_again = await desk.house.contexts.painter.paint(task)
    assert look_again is not None, "the label is put off, and comes before the comment's refusal"
    desk.clock.at += 30
    with pytest.raises(Refused, match="locked"):
        await desk.house.contexts.painter.paint(task)
    assert desk.labels(issue) == {"chimera:queued"}
    await desk.house.contexts.painter.paint_now(task)  # a merge that wants it shown goes on
    path = f"/repos/{desk.repository.full_name}/issues/{issue}/lock"
    await desk.owner.ask("DELETE", path)
    desk.clock.at += 900
    await desk.house.contexts.painter.paint(task)
    assert len(desk.ours(issue)) == 1, "and is told in words as soon as it is unlocked"


async def test_a_step_that_wants_its_checks_shown_hears_that_they_are_refused(desk: Desk) -> None:
    task = await task_in(desk, "run")
    ended = await desk.house.queue.change(task.id, lambda now: replace(now, status=Status.FAILED))
    desk.hub.faults.add("*", "/check-runs", status=422)
    with pytest.raises(Refused, match="check-runs"):
        await desk.house.contexts.painter.paint_now(ended)


@pytest.mark.parametrize(("act", "again"), [(uninstalled, False), (suspended, True)])
async def test_a_place_that_nobody_can_write_to_is_not_asked_again_and_again(
    desk: Desk, act: Act, again: bool
) -> None:
    task = await task_in(desk, "approval")
    await act(desk, task)
    await desk.read()
    at = await desk.house.contexts.painter.paint(await desk.now(task))
    if (await desk.now(task)).status is Status.CANCELLED:
        assert at is None, "it is not ours any more"
    else:
        await desk.house.queue.change(task.id, lambda now: replace(now, title="Another"))
        desk.clock.at += 30
        at = await desk.house.contexts.painter.paint(await desk.now(task))
        assert at == desk.clock() + 3600
    assert (at is not None) is again
