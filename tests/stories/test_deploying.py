"""Deployments that fail, lie, or deploy something red."""

import time

import pytest

from bot.domain import Cause, Phase, Status, WaitFor
from tests.stories.actors import plan
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.sample import code, e2e_test
from tests.stories.stores import ON_BOTH

pytestmark = pytest.mark.slow

VALIDATION = Phase.E2E_VALIDATION
GOODBYE, ANOTHER = code("goodbye", "Goodbye"), code("farewell", "Farewell")


async def test_a_failing_deployment_ends_the_task_and_a_retry_goes_on_from_there(
    factory: Factory,
) -> None:
    factory.sets(STAGING_MODE="fail")
    factory.agents.coder.writes(GOODBYE, ANOTHER)
    task = await factory.label_issue()
    task = await factory.ended(task)
    assert (task.status, task.cause) == (Status.FAILED, Cause.DEPLOY)
    assert "failed at staging" in factory.status_comment(task.issue)
    assert len(factory.runs("staging")) == 2, "one for each round"
    assert factory.checks(task.facts.head_sha)["chimera / task"] == "failure"

    factory.sets(STAGING_MODE="ok")
    said = await factory.comment(task.issue, "/chimera retry staging")
    await factory.revived(task)
    await factory.approve(task)
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED
    assert {one.content for one in said.reactions} == {"eyes", "rocket"}
    assert factory.reactions(task.issue) == {"rocket"}


async def test_a_deployment_of_another_commit_is_not_believed(factory: Factory) -> None:
    factory.sets(STAGING_MODE="wrong")
    task = await factory.label_issue()
    task = await factory.ended(task)
    assert (task.status, task.cause) == (Status.FAILED, Cause.DEPLOY)
    assert "answers instead of" in task.summary
    assert len(factory.runs("staging")) == 1, "nothing changed, nothing to deploy again"
    assert VALIDATION not in [phase for phase, _ in await factory.outcomes(task)]


async def test_red_on_staging_sends_the_work_back_and_the_next_round_passes(
    factory: Factory,
) -> None:
    factory.sets(STAGING_MODE="broken")
    factory.agents.coder.writes(GOODBYE, ANOTHER)
    task = await factory.label_issue()
    task = await factory.until(task, lambda now: now.cursor.round == 2)
    factory.sets(STAGING_MODE="ok")
    task = await factory.until(task, WaitFor.APPROVAL)
    assert (VALIDATION, "back") in await factory.outcomes(task)
    assert "fail on http" in factory.agents.coder.briefs[1].prompt


async def deployed_before(factory: Factory) -> str:
    """The base's commit, brought into production by hand; where a rollback has to lead."""
    base = (await factory.owner.ask("GET", f"{factory.at}/git/ref/heads/main"))["object"]["sha"]
    inputs = {"environment": "production", "sha": base, "key": "by hand"}
    await factory.owner.dispatch(factory.repository, "deploy.yml", "main", inputs)
    await factory.hub.settle()
    assert await factory.serves("production", "/version") == base
    return str(base)


@ON_BOTH
async def test_red_in_production_is_rolled_back_by_itself_and_the_rollback_is_checked(
    factory: Factory,
) -> None:
    base = await deployed_before(factory)
    factory.sets(PRODUCTION_MODE="broken")
    task = await factory.label_issue()
    await factory.approve(task)
    task = await factory.ended(task)
    assert (task.status, task.cause) == (Status.FAILED, Cause.DEPLOY)
    assert task.summary.endswith(f"`{base[:7]}` is live again.")
    assert await factory.serves("production", "/version") == base
    assert factory.issue(task.issue).state == "open"
    assert factory.checks(task.facts.head_sha)["chimera / production"] == "failure"
    assert len(factory.runs("production")) == 3, "by hand, ours, and the way back"


async def test_a_rollback_leads_to_what_somebody_else_has_deployed_since(factory: Factory) -> None:
    factory.agents.e2e_tester.writes(e2e_test("goodbye", "Goodbye"), e2e_test("welcome", "Welcome"))
    factory.agents.coder.writes(code("goodbye", "Goodbye"), code("welcome", "Welcome"))
    first = await factory.label_issue()
    await factory.approve(first)
    first = await factory.ended(first)
    assert first.finished_at is not None
    later = first.finished_at + 1  # GitHub tells whole seconds
    await factory.seen(lambda: time.time() > later)
    await factory.owner.push(factory.repository, "main", {"pages/mine.txt": "mine\n"}, "By hand")
    theirs = await deployed_before(factory)
    factory.sets(PRODUCTION_MODE="broken")
    second = await factory.label_issue("Say welcome", "The page /welcome should say Welcome.")
    await factory.approve(second)
    second = await factory.ended(second)
    assert second.summary.endswith(f"`{theirs[:7]}` is live again.")
    assert await factory.serves("production", "/version") == theirs


async def test_a_rollback_that_fails_is_told_and_never_called_live(factory: Factory) -> None:
    await deployed_before(factory)
    factory.sets(PRODUCTION_MODE="wrong", ROLLBACK_MODE="fail")
    task = await factory.label_issue()
    await factory.approve(task)
    task = await factory.ended(task)
    assert task.status is Status.FAILED
    assert "The rollback" in task.summary
    assert "failed, too" in task.summary
    assert "live again" not in factory.status_comment(task.issue)


async def test_without_a_deployment_before_there_is_nothing_to_roll_back_to(
    factory: Factory,
) -> None:
    factory.sets(PRODUCTION_MODE="fail")
    task = await factory.label_issue()
    await factory.approve(task)
    task = await factory.ended(task)
    assert task.status is Status.FAILED
    assert "nothing was live before" in task.summary


async def test_without_a_staging_workflow_staging_is_ephemeral_and_says_so(
    factory_with: OpenFactory,
) -> None:
    config = {"deploy": {"staging": None, "production": {"workflow": ""}}}
    factory = await factory_with(config=config)
    task = await factory.label_issue()
    await factory.approve(task)
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED
    assert "Ephemeral staging" in factory.status_comment(task.issue)
    assert "no production workflow" in factory.status_comment(task.issue)
    assert factory.repository.runs == {}


async def test_an_agent_that_advises_against_it_asks_a_person(factory: Factory) -> None:
    factory.agents.deployment.says(plan(proceed=False))
    task = await factory.label_issue()
    task = await factory.until(task, WaitFor.DECISION)
    await factory.shown()
    assert "Not on a Friday" in factory.status_comment(task.issue)
    assert factory.repository.runs == {}
