"""A task whose issue waits for another begins when the other is closed, or the link is gone."""

import time
from collections.abc import Awaitable, Callable

import pytest

from bot.domain import Phase, Task, WaitFor
from bot.localhub.types import Json
from tests.stories import sample
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.stores import ON_BOTH

WITHOUT_DEPLOYMENTS = {"deploy": {"staging": None, "production": {"workflow": ""}}}
Opened = Callable[[Factory, Json], Awaitable[int]]
Answer = Callable[[Factory, Task], Awaitable[None]]


async def with_a_link(factory: Factory, blocker: Json) -> int:
    issue = await factory.open_issue()
    await factory.owner.block(factory.repository, issue, blocker)
    return issue


async def with_a_line(factory: Factory, blocker: Json) -> int:
    return await factory.open_issue(body=f"{sample.BODY}\n\nBlocked by #{blocker['number']}")


async def blocked(factory: Factory, opened: Opened) -> tuple[Task, Json]:
    """A task that waits, and the issue that it waits for."""
    blocker = await factory.owner.open_issue(factory.repository, "The ground for it")
    issue = await opened(factory, blocker)
    await factory.owner.label(factory.repository, issue, "chimera")
    task = await factory.until(await factory.task_of(issue), WaitFor.BLOCKED)
    assert f"#{blocker['number']}" in task.summary
    await factory.seen(lambda: "which is open" in factory.status_comment(issue))
    return task, blocker


@pytest.mark.parametrize("opened", [with_a_link, with_a_line])
async def test_a_task_begins_when_what_blocks_its_issue_is_closed(
    factory: Factory, opened: Opened
) -> None:
    task, blocker = await blocked(factory, opened)
    assert factory.agents.e2e_tester.briefs == [], "nothing is spent before"
    await factory.owner.close(factory.repository, blocker["number"])
    await factory.until(task, Phase.CODE_IMPLEMENTATION)


async def test_a_task_begins_when_the_pull_request_that_it_waits_for_is_closed(
    factory: Factory,
) -> None:
    await factory.owner.push(factory.repository, "ground", {"pages/ground.txt": "x\n"}, "Ground")
    pull = await factory.owner.open_pull(factory.repository, "ground", "The ground for it")
    issue = await with_a_line(factory, pull)
    await factory.owner.label(factory.repository, issue, "chimera")
    task = await factory.until(await factory.task_of(issue), WaitFor.BLOCKED)
    await factory.owner.merge(factory.repository, pull["number"])
    await factory.until(task, Phase.CODE_IMPLEMENTATION)


async def test_two_issues_that_wait_for_each_other_ask_a_person_and_a_link_taken_out_is_enough(
    factory: Factory,
) -> None:
    task, blocker = await blocked(factory, with_a_link)
    this = await factory.owner.ask("GET", f"{factory.at}/issues/{task.issue}")
    await factory.owner.block(factory.repository, blocker["number"], this)
    await factory.owner.label(factory.repository, blocker["number"], "chimera")
    other = await factory.until(await factory.task_of(blocker["number"]), WaitFor.DECISION)
    await factory.seen(lambda: "neither can begin" in factory.status_comment(other.issue))
    await factory.seen(lambda: "chimera:needs-human" in factory.labels(other.issue))
    assert "chimera:queued" in factory.labels(task.issue), "it has not begun"
    await factory.owner.unblock(factory.repository, other.issue, this)
    await factory.until(other, Phase.CODE_IMPLEMENTATION)


async def test_a_circle_of_lines_ends_when_one_of_them_is_edited_out(factory: Factory) -> None:
    blocker = await factory.owner.open_issue(factory.repository, "The ground for it")
    issue = await with_a_line(factory, blocker)
    line = f"Blocked by #{issue}"
    await factory.owner.edit_issue(factory.repository, blocker["number"], body=line)
    await factory.owner.label(factory.repository, issue, "chimera")
    task = await factory.until(await factory.task_of(issue), WaitFor.DECISION)
    await factory.owner.edit_issue(factory.repository, blocker["number"], body="Nothing before it")
    await factory.until(task, WaitFor.BLOCKED)


async def test_a_line_about_another_repository_holds_nothing_up_and_says_so(
    factory: Factory,
) -> None:
    task = await factory.label_issue(body=f"{sample.BODY}\n\nBlocked by ada/other#1")
    await factory.seen(
        lambda: "Nothing here waits for ada/other#" in factory.status_comment(task.issue)
    )
    await factory.until(task, Phase.CODE_IMPLEMENTATION)


@ON_BOTH
async def test_a_task_begins_when_the_link_is_taken_out(factory: Factory) -> None:
    task, blocker = await blocked(factory, with_a_link)
    await factory.owner.unblock(factory.repository, task.issue, blocker)
    await factory.until(task, Phase.CODE_IMPLEMENTATION)


async def test_a_line_that_is_edited_out_blocks_no_more_once_the_text_is_confirmed(
    factory: Factory,
) -> None:
    task, _ = await blocked(factory, with_a_line)
    await factory.owner.edit_issue(factory.repository, task.issue, body=sample.BODY)
    await factory.until(task, WaitFor.RELABEL)
    await factory.owner.unlabel(factory.repository, task.issue, "chimera")
    await factory.owner.label(factory.repository, task.issue, "chimera")
    await factory.until(task, Phase.CODE_IMPLEMENTATION)


async def closed(factory: Factory, task: Task) -> None:
    assert task.facts.pull is not None
    await factory.owner.close(factory.repository, task.facts.pull)


async def merged(factory: Factory, task: Task) -> None:
    assert task.facts.pull is not None
    await factory.owner.merge(factory.repository, task.facts.pull)


async def rejected(factory: Factory, task: Task) -> None:
    await factory.comment(task.issue, "/chimera reject not like this")


@pytest.mark.parametrize("answered", [closed, merged, rejected])
async def test_people_who_have_enough_to_look_at_get_nothing_new_until_they_have_answered(
    factory_with: OpenFactory, answered: Answer
) -> None:
    factory = await factory_with(config={"limits": {"open_pulls": 1}, **WITHOUT_DEPLOYMENTS})
    first = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    second = await factory.until(await factory.label_issue("Another"), WaitFor.REVIEWERS)
    said = "1 pull request waits for people here, and no more than 1 may"
    await factory.seen(lambda: said in factory.status_comment(second.issue))
    assert len(factory.agents.e2e_tester.briefs) == 1, "nothing is spent before"
    assert second.wait is not None
    assert second.wait.until is not None
    await answered(factory, first)
    await factory.until(second, lambda task: task.facts.base_sha != "")
    assert time.time() < second.wait.until, "it was woken, and has not looked by itself"
