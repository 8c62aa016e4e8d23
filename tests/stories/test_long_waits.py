"""A task that had to wait for hours goes on; one that has worked for too long ends."""

from dataclasses import replace

import pytest

from bot.domain import Cause, Phase, Status, Task, WaitFor
from tests.stories import sample
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory

HOURS_S = 10 * 3600.0  #: `limits.wall_minutes` are four hours, where nobody says otherwise


def hours_ago(task: Task) -> Task:
    """The same task, begun and parked ten hours earlier."""
    assert task.started_at is not None
    assert task.wait is not None
    since = replace(task.wait, since=task.wait.since - HOURS_S)
    return replace(task, started_at=task.started_at - HOURS_S, wait=since)


async def test_a_task_that_was_blocked_for_hours_begins_and_is_not_too_late(
    factory: Factory,
) -> None:
    blocker = await factory.owner.open_issue(factory.repository, "The ground for it")
    body = f"{sample.BODY}\n\nBlocked by #{blocker['number']}"
    task = await factory.until(await factory.label_issue(body=body), WaitFor.BLOCKED)
    await factory.stage.house.queue.change(task.id, hours_ago)
    await factory.owner.close(factory.repository, blocker["number"])
    await factory.until(task, Phase.CODE_IMPLEMENTATION)


@pytest.mark.parametrize("worked_s", [239 * 60.0, 241 * 60.0])
async def test_a_task_that_has_worked_for_too_long_ends_and_says_so(
    factory_with: OpenFactory, worked_s: float
) -> None:
    factory = await factory_with()
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    await factory.stage.house.queue.change(
        task.id, lambda now: replace(now, facts=replace(now.facts, worked_s=worked_s))
    )
    await factory.approve(task)
    task = await factory.ended(task)
    if worked_s < 240 * 60:
        assert task.status is Status.COMPLETED
        return
    assert (task.status, task.cause) == (Status.FAILED, Cause.BUDGET)
    assert "more than 240 minutes of work" in factory.status_comment(task.issue)
