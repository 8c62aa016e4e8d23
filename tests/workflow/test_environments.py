"""One task at a time in an environment."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain import Cursor, Phase, RepoRef, Status, Task, Wait, WaitFor
from bot.errors import Parked
from bot.facts import Deployment, Facts
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.workflow.environments import Environments

REPO = RepoRef(id=7, owner="ada", name="shop", installation_id=1)


class World:
    def __init__(self, store: SqliteStore) -> None:
        self.queue = TaskQueue(store, lambda: 1000.0)
        self.environments = Environments(
            queue=self.queue, lasting=Lasting(store, lambda: 1000.0), now=lambda: 1000.0
        )

    async def task(self, issue: int, phase: Phase, repo: RepoRef = REPO) -> Task:
        new = Task(
            id="", feature="f", title="t", repo=repo, issue=issue, cursor=Cursor(phase=phase)
        )
        return (await self.queue.submit(new))[0]

    async def may(self, task: Task, environment: str = "staging") -> bool:
        try:
            await self.environments.take(task, environment)
        except Parked as parked:
            return parked.on is not WaitFor.BLOCKED
        return True


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await SqliteStore.open(tmp_path / "chimera.db")
    yield World(store)
    await store.close()


async def test_the_second_waits_until_the_first_has_validated(world: World) -> None:
    first = await world.task(1, Phase.STAGING_DEPLOYMENT)
    second = await world.task(2, Phase.STAGING_DEPLOYMENT)
    assert await world.may(first)
    assert await world.may(first), "asking again is no conflict with oneself"
    assert not await world.may(second)
    on = Cursor(phase=Phase.PRODUCTION_DEPLOYMENT)
    await world.queue.change(first.id, lambda task: replace(task, cursor=on))
    assert await world.may(second)
    assert not await world.may(replace(first, cursor=Cursor(phase=Phase.STAGING_DEPLOYMENT)))


async def test_other_environments_and_repositories_are_free(world: World) -> None:
    first = await world.task(1, Phase.STAGING_DEPLOYMENT)
    elsewhere = await world.task(1, Phase.STAGING_DEPLOYMENT, replace(REPO, id=8))
    assert await world.may(first)
    assert await world.may(elsewhere)
    assert await world.may(await world.task(2, Phase.PRODUCTION_DEPLOYMENT), "production")


@pytest.mark.parametrize("status", [s for s in Status if s.ended])
async def test_a_task_that_ended_blocks_nobody(world: World, status: Status) -> None:
    first = await world.task(1, Phase.STAGING_DEPLOYMENT)
    assert await world.may(first)
    await world.queue.change(first.id, lambda task: replace(task, status=status))
    assert await world.may(await world.task(2, Phase.STAGING_DEPLOYMENT))


async def test_a_task_that_a_person_has_to_decide_about_blocks_nobody(world: World) -> None:
    first = await world.task(1, Phase.STAGING_DEPLOYMENT)
    assert await world.may(first)
    wait = Wait(on=WaitFor.PAUSED, reason="lunch")
    await world.queue.change(first.id, lambda task: replace(task, status=Status.WAITING, wait=wait))
    assert await world.may(await world.task(2, Phase.STAGING_DEPLOYMENT))


async def test_production_is_held_from_the_merge_to_the_end(world: World) -> None:
    first = await world.task(1, Phase.PRODUCTION_DEPLOYMENT)
    second = await world.task(2, Phase.PRODUCTION_DEPLOYMENT)
    assert await world.may(first, "production")
    live = Deployment(name="production/1.1", environment="production", sha="a" * 40)
    await world.queue.change(
        first.id,
        lambda task: replace(task, facts=Facts(merge_sha="a" * 40, production=live)),
    )
    assert not await world.may(second, "production")
    await world.queue.change(first.id, lambda task: replace(task, status=Status.COMPLETED))
    assert await world.may(second, "production")
