"""The sweep: whatever GitHub has told nobody is made good, and little is asked for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.domain import Status, Task, WaitFor
from bot.workflow.comparing import BUDGET, IDLE_EVERY, MISSED_READS, SETTLED_S
from bot.workflow.reconcile import Reconciler
from tests.conversation.desk import Desk, open_desk
from tests.workflow.test_ground import (
    archived,
    closed,
    deselected,
    issue_deleted,
    shut_out,
    suspended,
    task_in,
    uninstalled,
)

Act = Callable[[Desk, Task], Awaitable[None]]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


def reconciler(desk: Desk) -> Reconciler:
    assert desk.house.reconciler is not None
    return desk.house.reconciler


def deaf(desk: Desk) -> None:
    """From now on no delivery arrives."""
    desk.hub.webhooks.drop = 1.0


async def labelled(desk: Desk, number: int = 1) -> list[int]:
    """Issues that somebody has labelled, which nobody told us."""
    deaf(desk)
    issues = [await desk.issue() for _ in range(number)]
    for issue in issues:
        await desk.owner.label(desk.repository, issue, "chimera")
    return issues


async def label_removed(desk: Desk, task: Task) -> None:
    await desk.owner.label(desk.repository, task.issue, "chimera")
    desk.clock.at += SETTLED_S
    await desk.owner.unlabel(desk.repository, task.issue, "chimera")


async def pull_closed(desk: Desk, task: Task) -> None:
    await desk.owner.label(desk.repository, task.issue, "chimera")
    await desk.owner.close(desk.repository, task.facts.pull)


@pytest.mark.parametrize(
    "act",
    [closed, issue_deleted, uninstalled, deselected, label_removed, pull_closed],
)
async def test_a_task_whose_place_has_ended_ends_though_nobody_said_so(
    desk: Desk, act: Act
) -> None:
    task = await task_in(desk, "approval")
    deaf(desk)
    await act(desk, task)
    desk.clock.at += SETTLED_S
    await reconciler(desk).compare()
    now = await desk.now(task)
    assert now.status is Status.CANCELLED, now.summary


async def test_a_task_whose_place_is_sound_goes_on_and_is_asked_for_little(desk: Desk) -> None:
    task = await task_in(desk, "approval")
    await desk.owner.label(desk.repository, task.issue, "chimera")
    await desk.read()
    desk.clock.at += SETTLED_S
    await reconciler(desk).compare()
    before = len(desk.hub.calls)
    await reconciler(desk).compare()
    asked = desk.hub.calls[before:]
    assert (await desk.now(task)).wait == task.wait
    assert [call.status for call in asked if "/issues" in call.route or "/pulls" in call.route] == [
        304,
        304,
    ]


async def test_a_merge_that_nobody_told_us_of_wakes_its_task(desk: Desk) -> None:
    task = await task_in(desk, "approval")
    await desk.owner.label(desk.repository, task.issue, "chimera")
    await desk.read()
    key = f"pull:{desk.repository.id}/{task.facts.pull}"
    deaf(desk)
    await desk.owner.merge(desk.repository, task.facts.pull)
    desk.clock.at += SETTLED_S
    await reconciler(desk).compare()
    assert await desk.house.queue.wake(key) == [], "the key was rung, and the task is as it was"
    rows = await desk.house.queue._store.read(
        lambda tx: tx.all("SELECT key FROM signal WHERE key = :key", {"key": key})
    )
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("act", "undo"),
    [
        (suspended, lambda desk: desk.hub.unsuspend(desk.installation)),
        (archived, lambda desk: desk.hub.configure(desk.repository, archived=False)),
    ],
)
async def test_what_was_opened_again_wakes_its_tasks_though_nobody_said_so(
    desk: Desk, act: Act, undo: Callable[[Desk], None]
) -> None:
    task = await shut_out(desk, act)
    assert task.wait is not None
    assert task.wait.on is WaitFor.ACCESS
    deaf(desk)
    desk.clock.at += SETTLED_S
    await reconciler(desk).compare()
    assert (await desk.now(task)).status is Status.WAITING, "it is still closed"
    undo(desk)
    await reconciler(desk).compare()
    assert (await desk.now(task)).status is Status.QUEUED


async def test_many_missed_issues_are_started_in_helpings_and_the_next_round_is_asked_for(
    desk: Desk,
) -> None:
    helping = BUDGET // MISSED_READS
    issues = await labelled(desk, helping + 2)
    desk.clock.at += 900
    rounds = 0
    while not all([await desk.latest(issue) for issue in issues]):
        await reconciler(desk).compare()
        rounds += 1
        assert rounds <= 2
    assert rounds == 2


async def test_what_was_labelled_a_moment_ago_is_left_to_its_delivery_for_a_minute(
    desk: Desk,
) -> None:
    (issue,) = await labelled(desk, 1)
    wanted: list[float] = []
    sweep = replace(reconciler(desk), again=wanted.append)
    before = len(desk.hub.calls)
    await sweep.compare()
    assert await desk.latest(issue) is None
    assert not [call for call in desk.hub.calls[before:] if call.path.endswith("/events")]
    assert wanted == [SETTLED_S], "and not a quarter of an hour"
    await desk.owner.comment(desk.repository, issue, "Any news?")  # changed again meanwhile
    await sweep.compare()
    assert await desk.latest(issue) is not None
    assert wanted == [SETTLED_S]


async def test_a_round_that_the_sweep_asks_for_comes_at_its_time(desk: Desk) -> None:
    [compare] = [sweep for sweep in desk.house.daemon._sweeps if sweep.name == "compare"]
    reconciler(desk).again(0.01)
    assert not compare.bell.is_set()
    async with asyncio.timeout(5):
        await compare.bell.wait()


async def test_an_idle_repository_costs_one_free_question_a_round(desk: Desk) -> None:
    for _ in range(IDLE_EVERY + 1):  # until pull requests were looked at, too
        await reconciler(desk).compare()
    for rounds in range(1, IDLE_EVERY):
        before = len(desk.hub.calls)
        await reconciler(desk).compare()
        routes = [c for c in desk.hub.calls[before:] if c.path.startswith("/repos/ada/shop")]
        if rounds % IDLE_EVERY:
            assert len([c for c in routes if c.status == 304]) >= 1
            assert [c.route for c in routes if c.status != 304 and c.kind == "api"] == []


async def test_a_branch_of_ours_without_a_task_is_named_once_and_left_alone(desk: Desk) -> None:
    sha = await desk.owner.push(desk.repository, "chimera/9-lost", {"a.txt": "a\n"}, "Lost")
    await desk.read()
    with capture_logs() as logged:
        for _ in range(2 * IDLE_EVERY):
            desk.clock.at += 900
            await reconciler(desk).compare()
    said = [line for line in logged if line["event"] == "branch_without_task"]
    assert [line["branch"] for line in said] == ["chimera/9-lost"]
    found = await desk.owner.ask(
        "GET", f"/repos/{desk.repository.full_name}/git/ref/heads/chimera/9-lost"
    )
    assert found["object"]["sha"] == sha


async def test_an_issue_whose_history_lags_behind_its_label_is_looked_into_again(
    desk: Desk,
) -> None:
    deaf(desk)
    issue = await desk.issue()
    await desk.owner.label(desk.repository, issue, "chimera")
    held, desk.row(issue).events = desk.row(issue).events, []
    await reconciler(desk).compare()
    assert await desk.latest(issue) is None
    desk.row(issue).events = held
    await reconciler(desk).compare()
    assert await desk.latest(issue) is not None
