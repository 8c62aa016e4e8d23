"""A painter that ends before it has saved what it did: the next one learns it from the ledger."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import Task
from bot.errors import StepError
from bot.workflow.report.checks import GUARDIAN, TASK
from tests.conversation.desk import Desk, open_desk
from tests.conversation.states import states

BRANCH = "chimera/1-a-wish"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def push(desk: Desk, text: str) -> str:
    return await desk.owner.push(desk.repository, BRANCH, {"a.txt": text}, "A step")


async def becomes(desk: Desk, task: Task, state: str, sha: str) -> None:
    """The task is in this state, with `sha` as the head of its pull request, and it is shown."""
    change = states(sha)[state]

    def with_pull(now: Task) -> Task:
        new = change(now)
        return replace(new, facts=replace(new.facts, pull=2))

    await desk.house.queue.change(task.id, with_pull)
    await desk.passes(120)


def spinning(desk: Desk, sha: str) -> list[str]:
    found = [check for check in desk.repository.checks.values() if check.head_sha == sha]
    assert TASK in {check.name for check in found}
    return [check.name for check in found if check.status != "completed"]


@pytest.mark.parametrize("saved", ["nothing", "an earlier state"])
async def test_what_a_lost_painter_left_spinning_ends_when_the_head_moves_on(
    desk: Desk, saved: str
) -> None:
    sha = await push(desk, "a\n")
    task = await desk.task(await desk.issue())
    await desk.owner.open_pull(desk.repository, BRANCH, "A wish")
    await desk.read()
    queue = desk.house.queue
    before = await queue.picture(task.id)
    if saved == "an earlier state":
        await becomes(desk, task, "approval", sha)  # reviewed: the guardian's check is complete
        assert GUARDIAN not in spinning(desk, sha)
        before = await queue.picture(task.id)
    await becomes(desk, task, "running", sha)  # and goes back: it waits for a review again
    assert spinning(desk, sha)
    assert await queue.save_picture(task.id, before, was=await queue.picture(task.id))
    await becomes(desk, task, "running", await push(desk, "b\n"))
    assert spinning(desk, sha) == []


async def test_an_update_whose_answer_was_lost_may_have_been_carried_out(desk: Desk) -> None:
    sha = await push(desk, "a\n")
    task = await desk.task(await desk.issue())
    await desk.owner.open_pull(desk.repository, BRANCH, "A wish")
    await desk.read()
    await becomes(desk, task, "completed", sha)  # a success, and without buttons
    desk.hub.faults.add("PATCH", "/check-runs/", status=502, apply=True)
    with pytest.raises(StepError):
        await becomes(desk, task, "running", sha)
    assert TASK in spinning(desk, sha)
    await becomes(desk, task, "running", await push(desk, "b\n"))
    assert spinning(desk, sha) == []


async def test_an_edit_whose_answer_was_lost_is_not_taken_for_the_text_before(desk: Desk) -> None:
    task = await desk.task(issue := await desk.issue())
    [before] = desk.ours(issue)
    desk.hub.faults.add("PATCH", "/comments/", status=502, apply=True)
    await desk.house.queue.change(task.id, states("a" * 40)["decision"])
    with pytest.raises(StepError):
        await desk.passes(120)
    assert desk.ours(issue) != [before]
    await desk.house.queue.change(task.id, lambda now: replace(task, fence=now.fence))
    await desk.passes(120)
    assert desk.ours(issue) == [before]
