"""How soon a person sees that they were heard, at the pace that GitHub asks of us."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from bot.domain import Status, Task
from bot.errors import RateLimited
from bot.localhub.state_apps import Delivery
from bot.localhub.state_issues import Reaction
from tests.conversation.test_review_loop import QUICK
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory

SOON_S = 2.0
PACE = {"write_spacing_s": 1.0}  #: the server's own default
WRITERS = 6  #: more than may stand in the line


def lag_s(told: Delivery, reactions: list[Reaction]) -> float:
    """By the hub's clock: from what happened to the first 👀."""
    return min(one.created_at for one in reactions if one.content == "eyes") - told.created_at


async def at_work(factory: Factory) -> Task:
    """A task at its first phase, whose comment has been made."""
    factory.agents.e2e_tester.hangs()
    task = await factory.label_issue()
    await factory.until(task, Status.RUNNING)
    await factory.seen(lambda: factory.status_comment(task.issue))
    return task


@contextlib.asynccontextmanager
async def writes_without_end(factory: Factory, task: Task) -> AsyncIterator[None]:
    """The line of the installation's writes is full for as long as the block lasts."""
    assert task.repo is not None
    repo = factory.stage.house.contexts.repo(task.repo)
    issue = await factory.open_issue("Where the others write")

    async def writer() -> None:
        while True:
            with contextlib.suppress(RateLimited):
                await repo.add_label(issue, "busy")
            await asyncio.sleep(0.01)

    writers = [asyncio.create_task(writer()) for _ in range(WRITERS)]
    try:
        await factory.seen(lambda: factory.labels(issue))
        yield
    finally:
        for one in writers:
            one.cancel()
        await asyncio.gather(*writers, return_exceptions=True)


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "while others write without end"])
async def test_a_command_is_seen_within_two_seconds(factory_with: OpenFactory, busy: bool) -> None:
    factory = await factory_with(config=QUICK, settings=PACE)
    task = await at_work(factory)
    load = writes_without_end(factory, task) if busy else contextlib.nullcontext()
    async with load:
        said = await factory.comment(task.issue, "/chimera status")
        await factory.answered(said)
    [told] = [
        d
        for d in factory.hub.deliveries
        if d.event == "issue_comment" and d.payload["comment"]["id"] == said.id
    ]
    assert 0 <= lag_s(told, said.reactions) < SOON_S


@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "while others write without end"])
async def test_a_label_is_seen_within_two_seconds(factory_with: OpenFactory, busy: bool) -> None:
    factory = await factory_with(config=QUICK, settings=PACE)
    first = await at_work(factory)
    load = writes_without_end(factory, first) if busy else contextlib.nullcontext()
    async with load:
        task = await factory.label_issue("Another")
        await factory.seen(lambda: "eyes" in factory.reactions(task.issue))
    reactions = factory.issue(task.issue).reactions
    told = [d for d in factory.hub.deliveries if (d.event, d.action) == ("issues", "labeled")]
    [mine] = [d for d in told if d.payload["issue"]["number"] == task.issue]
    assert 0 <= lag_s(mine, reactions) < SOON_S
