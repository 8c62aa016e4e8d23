"""The place of a task changes while it works: closed for a time, called otherwise, taken away."""

import pytest

from bot.domain import Cause, Status, Task, WaitFor
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.stores import ON_BOTH
from tests.stories.test_people import WITHOUT_DEPLOYMENTS


@pytest.fixture
async def quick(factory_with: OpenFactory) -> Factory:
    """A factory whose staging is ephemeral and whose production is the merge."""
    return await factory_with(config=WITHOUT_DEPLOYMENTS)


def installation(factory: Factory) -> int:
    return next(iter(factory.hub.world.installations))


async def working(factory: Factory) -> Task:
    """A task whose coder is at work, and hangs."""
    task = await factory.label_issue()
    await factory.seen(factory.agents.coder.began.is_set)
    return task


async def test_a_task_waits_out_what_closes_its_place_and_follows_its_name(quick: Factory) -> None:
    task = await quick.until(await quick.label_issue(), WaitFor.APPROVAL)
    check = await quick.seen(lambda: quick.button(task.facts.head_sha, "approve"))
    quick.hub.webhooks.delay_s = 1.0  # the click is on its way while the repository is closed
    await quick.owner.press(quick.repository, check, "approve")
    quick.hub.configure(quick.repository, archived=True)
    quick.hub.webhooks.delay_s = 0.0
    task = await quick.until(task, WaitFor.ACCESS)
    assert (task.cause, task.wait and "archived" in task.wait.reason) == (Cause.PERMISSION, True)
    quick.hub.configure(quick.repository, archived=False)
    quick.hub.rename_repository(quick.repository, "market")
    task = await quick.ended(task)
    assert task.status is Status.COMPLETED, await quick.told()
    assert task.repo is not None
    assert task.repo.name == "market"


@ON_BOTH
async def test_a_suspended_app_goes_on_where_it_was_and_tells_so(quick: Factory) -> None:
    quick.agents.coder.hangs(then=quick.agents.coder.turns[0])
    task = await working(quick)
    quick.hub.suspend(installation(quick))
    assert quick.stage.house.pool.cancel(task.id), "its step begins anew, and is refused"
    task = await quick.until(task, WaitFor.ACCESS)
    assert task.wait is not None
    assert "suspended" in task.wait.reason
    quick.hub.unsuspend(installation(quick))
    task = await quick.until(task, WaitFor.APPROVAL)
    await quick.shown()
    assert "approve production" in quick.status_comment(task.issue)
