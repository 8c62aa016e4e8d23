"""What people may do, what they may not, and what they are told."""

import time
from collections.abc import Awaitable, Callable

import pytest

from bot.domain import Phase, Status, Task, WaitFor
from tests.stories.actors import approve
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.sample import code
from tests.stories.stores import ON_BOTH

STOP_S = 10.0  #: 2 s are meant; a busy machine gets more, and the command would take 600
WITHOUT_DEPLOYMENTS = {"deploy": {"staging": None, "production": {"workflow": ""}}}


@pytest.fixture
async def quick(factory_with: OpenFactory) -> Factory:
    """A factory whose staging is ephemeral and whose production is the merge."""
    return await factory_with(config=WITHOUT_DEPLOYMENTS)


# ── cancelling ───────────────────────────────────────────────────────────────────────────────


async def by_label(factory: Factory, task: Task) -> None:
    await factory.owner.unlabel(factory.repository, task.issue, "chimera")


async def by_command(factory: Factory, task: Task) -> None:
    await factory.comment(task.issue, "/chimera cancel")


async def by_api(factory: Factory, task: Task) -> None:
    answer = await factory.api("POST", f"/api/tasks/{task.id}/cancel")
    assert answer.status_code == 200, answer.text


async def by_closing(factory: Factory, task: Task) -> None:
    await factory.owner.close(factory.repository, task.issue)


@pytest.mark.parametrize("way", [by_label, by_command, by_api, by_closing])
async def test_a_running_agent_is_stopped_at_once_when_a_person_cancels(
    quick: Factory, way: Callable[[Factory, Task], Awaitable[None]]
) -> None:
    quick.agents.coder.hangs()
    task = await quick.label_issue()
    await quick.seen(quick.agents.coder.began.is_set)
    began = time.monotonic()
    await way(quick, task)
    task = await quick.until(task, Status.CANCELLED)
    assert time.monotonic() - began < STOP_S
    await quick.shown()
    assert "cancelled at code" in quick.status_comment(task.issue)
    assert "chimera:cancelled" in quick.labels(task.issue)
    assert quick.reactions(task.issue) == set(), "neither 👀 nor a verdict"
    assert task.facts.branch in await quick.branches(), "what was made is kept"


async def test_the_label_put_on_again_starts_anew(quick: Factory) -> None:
    quick.agents.coder.hangs()
    first = await quick.label_issue()
    await quick.seen(quick.agents.coder.began.is_set)
    await quick.owner.unlabel(quick.repository, first.issue, "chimera")
    await quick.ended(first)
    await quick.owner.label(quick.repository, first.issue, "chimera")
    second = await quick.task_of(first.issue, after=first.id)
    assert second.id != first.id


async def test_a_task_that_starts_anew_leaves_the_earlier_ones_branch_alone(quick: Factory) -> None:
    first = await quick.until(await quick.label_issue(), WaitFor.APPROVAL)
    await quick.owner.unlabel(quick.repository, first.issue, "chimera")
    first = await quick.ended(first)
    await quick.owner.label(quick.repository, first.issue, "chimera")
    second = await quick.task_of(first.issue, after=first.id)
    second = await quick.until(second, WaitFor.APPROVAL)
    assert second.facts.branch.startswith(first.facts.branch)
    assert {first.facts.branch, second.facts.branch} <= await quick.branches()
    assert second.facts.pull != first.facts.pull


# ── approving ────────────────────────────────────────────────────────────────────────────────


async def test_only_who_may_can_approve_and_the_command_is_as_good_as_the_button(
    quick: Factory,
) -> None:
    writer = quick.person("wim", "write")
    task = await quick.label_issue()
    task = await quick.until(task, WaitFor.APPROVAL)
    refused = await quick.comment(task.issue, "/chimera approve", by=writer)
    assert await quick.answered(refused) == {"-1"}
    wrong = await quick.comment(task.issue, "/chimera approve 1234567")
    assert await quick.answered(wrong) == {"confused"}
    assert (await quick.now(task)).facts.approval is None
    right = await quick.comment(task.issue, f"/chimera approve {task.facts.head_sha[:7]}")
    assert await quick.answered(right) == {"rocket"}
    task = await quick.ended(task)
    assert task.status is Status.COMPLETED
    assert task.facts.approval is not None
    assert (task.facts.approval.by, task.facts.approval.via) == ("ada", "command")


async def test_a_button_pressed_by_somebody_without_the_role_does_nothing(
    quick: Factory,
) -> None:
    writer = quick.person("wim", "write")
    task = await quick.label_issue()
    await quick.approve(task, by=writer)
    await quick.shown()
    task = await quick.now(task)
    assert task.facts.approval is None
    assert task.status is Status.WAITING


async def test_rejecting_ends_the_task_with_the_reason(quick: Factory) -> None:
    task = await quick.label_issue()
    task = await quick.until(task, WaitFor.APPROVAL)
    await quick.comment(task.issue, "/chimera reject not in December")
    task = await quick.ended(task)
    assert task.status is Status.FAILED
    assert "not in December" in quick.status_comment(task.issue)
    assert quick.issue(task.facts.pull).state == "open", "what was made is kept"


async def test_who_asked_may_not_approve_where_that_is_prevented(
    factory_with: OpenFactory,
) -> None:
    production = {"workflow": "", "prevent_self_approval": True}
    factory = await factory_with(config={"deploy": {"staging": None, "production": production}})
    second = factory.person("bea", "maintain")
    task = await factory.label_issue()
    task = await factory.until(task, WaitFor.APPROVAL)
    own = await factory.comment(task.issue, "/chimera approve")
    assert await factory.answered(own) == {"-1"}
    other = await factory.comment(task.issue, "/chimera approve", by=second)
    assert await factory.answered(other) == {"rocket"}
    assert (await factory.ended(task)).status is Status.COMPLETED


async def test_a_push_to_the_branch_voids_what_was_shown_and_is_reviewed_again(
    quick: Factory,
) -> None:
    quick.agents.guardian.says(approve())
    task = await quick.label_issue()
    task = await quick.until(task, WaitFor.APPROVAL)
    shown = task.facts.head_sha
    mine = await quick.owner.push(
        quick.repository, task.facts.branch, {"pages/mine.txt": "Mine\n"}, "A page of mine"
    )
    task = await quick.until(
        task, lambda now: now.facts.head_sha == mine and _waits(now, WaitFor.APPROVAL)
    )
    assert task.facts.approval is None
    assert len(quick.agents.guardian.briefs) == 2
    stale = await quick.comment(task.issue, f"/chimera approve {shown[:7]}")
    assert await quick.answered(stale) == {"confused"}
    await quick.approve(task)
    task = await quick.ended(task)
    assert task.status is Status.COMPLETED
    assert (await quick.owner.ask("GET", f"{quick.at}/contents/pages/mine.txt"))["path"]


def _waits(task: Task, on: WaitFor) -> bool:
    return task.status is Status.WAITING and task.wait is not None and task.wait.on is on


async def test_a_repository_that_requires_the_three_checks_can_merge(
    factory_with: OpenFactory,
) -> None:
    production = {"workflow": "", "approval": "automatic"}
    factory = await factory_with(
        config={"deploy": {"staging": None, "production": production}},
        hub_settings={"required_checks": ["chimera / task", "chimera / guardian", "chimera / e2e"]},
    )
    task = await factory.ended(await factory.label_issue())
    assert task.status is Status.COMPLETED, await factory.told()
    asked = [line for line in await factory.journal(task) if "approve" in line.summary]
    assert asked == [], "nobody was asked"


# ── commands ─────────────────────────────────────────────────────────────────────────────────


async def test_a_command_in_a_code_fence_does_nothing(quick: Factory) -> None:
    quick.agents.coder.hangs()
    task = await quick.label_issue()
    await quick.seen(quick.agents.coder.began.is_set)
    quoted = await quick.comment(task.issue, "```\n/chimera cancel\n```\n\n> /chimera cancel\n")
    await quick.shown()
    assert quoted.reactions == []
    assert (await quick.now(task)).status is Status.RUNNING


async def test_an_unknown_command_is_answered_in_the_status_comment_alone(
    quick: Factory,
) -> None:
    quick.agents.coder.hangs()
    task = await quick.label_issue()
    await quick.seen(quick.agents.coder.began.is_set)
    said = await quick.comment(task.issue, "/chimera cancle")
    assert await quick.answered(said) == {"confused"}
    await quick.shown()
    assert "/chimera cancel" in quick.status_comment(task.issue)
    assert len(quick.issue(task.issue).comments) == 2, "theirs and ours"


@ON_BOTH
async def test_a_paused_task_stops_and_a_resumed_one_goes_on_to_the_end(quick: Factory) -> None:
    quick.agents.coder.hangs(then=quick.agents.coder.turns[0])
    task = await quick.label_issue()
    await quick.seen(quick.agents.coder.began.is_set)
    await quick.comment(task.issue, "/chimera pause")
    task = await quick.until(task, WaitFor.PAUSED)
    await quick.shown()
    assert "Paused by ada" in quick.status_comment(task.issue)
    assert "chimera:needs-human" in quick.labels(task.issue)
    await quick.comment(task.issue, "/chimera resume")
    task = await quick.until(task, WaitFor.APPROVAL)
    assert task.phase is Phase.PRODUCTION_DEPLOYMENT


async def test_a_failed_task_can_be_handed_over_and_taken_up_again(quick: Factory) -> None:
    good = quick.agents.coder.turns[0]
    quick.agents.coder.writes(code("goodbye", "So long"))
    task = await quick.ended(await quick.label_issue())
    assert task.status is Status.FAILED
    said = await quick.comment(task.issue, "/chimera pause")
    assert await quick.answered(said) == {"rocket"}
    task = await quick.revived(task)
    assert (task.phase, task.finished_at) == (Phase.CODE_IMPLEMENTATION, None)
    quick.agents.coder.turns = [good]
    said = await quick.comment(task.issue, "/chimera retry")
    assert await quick.answered(said) == {"rocket"}
    task = await quick.until(task, WaitFor.APPROVAL)
    await quick.shown()
    assert quick.labels(task.issue) == {"chimera", "chimera:needs-human"}
    assert "-1" not in quick.reactions(task.issue), "it has not failed any more"
    assert "eyes" in quick.reactions(task.issue)


async def test_a_retry_from_the_review_reviews_stages_and_validates_anew(quick: Factory) -> None:
    task = await quick.until(await quick.label_issue(), WaitFor.APPROVAL)
    tested = len(quick.agents.e2e_tester.briefs)
    said = await quick.comment(task.issue, "/chimera retry review")
    assert await quick.answered(said) == {"rocket"}
    task = await quick.until(task, lambda now: len(quick.agents.guardian.briefs) == 2)
    task = await quick.until(task, WaitFor.APPROVAL)
    assert len(quick.agents.e2e_tester.briefs) == tested
    assert task.cursor.attempt == 2
