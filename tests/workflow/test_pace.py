"""A flood of labels is accepted and spread over time."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.config.repo import RepoConfig
from bot.domain import Actor, RepoRef, Status, Task, WaitFor
from bot.events import IssueSnapshot
from bot.github.repo import Repo
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.workflow.repoconfig import Configs
from bot.workflow.starting import HOUR_S, Starter

BY_PERSON, IN_REPOSITORY = 3, 7
REPO = RepoRef(id=7, owner="ada", name="shop", installation_id=1)


class World:
    def __init__(self, store: SqliteStore, configs: Configs) -> None:
        self.at = 1_000_000.0
        self.queue = TaskQueue(store, lambda: self.at)
        self.starter = Starter(
            queue=self.queue,
            lasting=Lasting(store, lambda: self.at),
            configs=configs,
            repo_of=self._nobody,
            now=lambda: self.at,
            by_person=BY_PERSON,
            in_repository=IN_REPOSITORY,
        )
        self.number = 0

    def _nobody(self, _repo: RepoRef) -> Repo:
        raise AssertionError("starting asks GitHub nothing")

    async def label(self, login: str) -> Task:
        self.number += 1
        self.at += 1.0
        issue = IssueSnapshot(
            number=self.number, title="Do it", body="", author=Actor(login=login, id=1)
        )
        task, _ = await self.starter.start(
            REPO, issue, Actor(login=login, id=1), RepoConfig(), label_event_id=str(self.number)
        )
        return task


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    from bot.github.git import Git

    store = await SqliteStore.open(tmp_path / "chimera.db")
    configs = Configs(Git(tmp_path), origin_of=lambda _r: pytest.fail("no mirror"), now=lambda: 0.0)
    yield World(store, configs)
    await store.close()


async def test_one_person_begins_so_many_in_an_hour_and_the_rest_waits_its_turn(
    world: World,
) -> None:
    tasks = [await world.label("ada") for _ in range(BY_PERSON + 2)]
    assert [t.status for t in tasks[:BY_PERSON]] == [Status.QUEUED] * BY_PERSON
    for late, first in zip(tasks[BY_PERSON:], tasks, strict=False):
        assert late.status is Status.WAITING
        assert late.wait is not None
        assert late.wait.on is WaitFor.RATE_LIMIT
        assert late.wait.until == first.created_at + HOUR_S
        assert late.wait.reason == (
            f"no more than {BY_PERSON} of ada's tasks begin here in an hour, "
            "and others are before this one"
        )


async def test_a_long_flood_is_spread_over_as_many_hours_as_it_takes(world: World) -> None:
    tasks = [await world.label("ada") for _ in range(5 * BY_PERSON)]
    begins = [task.created_at if task.wait is None else task.wait.until for task in tasks]
    for n, at in enumerate(begins[BY_PERSON:]):
        earlier = begins[n]
        assert at is not None
        assert earlier is not None
        assert at >= earlier + HOUR_S, "in no hour do more begin"
    assert begins[-1] == tasks[BY_PERSON - 1].created_at + 4 * HOUR_S


async def test_what_was_late_counts_when_it_begins(world: World) -> None:
    tasks = [await world.label("ada") for _ in range(2 * BY_PERSON)]
    world.at = tasks[BY_PERSON - 1].created_at + HOUR_S
    assert len(await world.queue.wake_due()) == BY_PERSON
    another = await world.label("ada")
    assert another.wait is not None
    assert another.wait.until == tasks[0].created_at + 2 * HOUR_S


async def test_one_person_s_flood_leaves_the_hours_to_come_to_others(world: World) -> None:
    for _ in range(5 * BY_PERSON):
        await world.label("ada")
    assert (await world.label("bob")).status is Status.QUEUED


async def test_a_flood_that_waits_takes_its_turn_when_it_may_begin(world: World) -> None:
    flood = [await world.label("ada") for _ in range(BY_PERSON + 1)]
    for task in flood[:BY_PERSON]:
        await world.queue.cancel(task.id, "ada")
    world.at += HOUR_S / 2
    other = await world.label("bob")
    world.at += HOUR_S
    await world.queue.wake_due()
    first = await world.queue.claim("machine/1")
    assert first is not None
    assert first.id == other.id, "who could begin earlier goes first"


async def test_others_are_not_held_up_until_the_repository_is_full(world: World) -> None:
    people = [f"p{n}" for n in range(IN_REPOSITORY + 1)]
    tasks = [await world.label(login) for login in people]
    assert all(t.status is Status.QUEUED for t in tasks[:-1])
    assert tasks[-1].status is Status.WAITING


async def test_what_waited_begins_when_its_hour_has_come(world: World) -> None:
    tasks = [await world.label("ada") for _ in range(BY_PERSON + 1)]
    assert await world.queue.wake_due() == []
    world.at = tasks[0].created_at + HOUR_S
    assert await world.queue.wake_due() == [tasks[-1].id]
