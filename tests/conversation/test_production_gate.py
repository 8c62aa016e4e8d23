"""The ways into production: approved, merged by a person, automatic, queued; and the way back."""

import pytest

from bot.domain import Phase, Status, WaitFor
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory

pytestmark = pytest.mark.slow


def production(**wanted: object) -> dict[str, object]:
    """A configuration with these settings of production, and ephemeral staging."""
    return {"deploy": {"staging": None, "production": wanted}}


async def test_a_merge_by_a_person_deploys_the_merge_commit(factory_with: OpenFactory) -> None:
    config = {"deploy": {"production": {"approval": "on-merge"}}}
    factory = await factory_with(config=config)
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    await factory.shown()
    assert "merge [PR #" in factory.status_comment(task.issue)
    assert factory.runs("production") == []
    merged = await factory.owner.merge(factory.repository, task.facts.pull)
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED
    assert task.facts.merge_sha == merged["sha"]
    assert await factory.serves("production", "/version") == merged["sha"]


async def test_deploy_first_merges_only_what_is_live(factory_with: OpenFactory) -> None:
    config = {"deploy": {"production": {"approval": "automatic", "order": "deploy-first"}}}
    factory = await factory_with(config=config)
    task = await factory.ended(await factory.label_issue())
    assert task.status is Status.COMPLETED, await factory.told()
    assert task.facts.production is not None
    assert task.facts.production.sha == task.facts.head_sha
    assert task.facts.merge_sha
    assert await factory.serves("production", "/version") == task.facts.head_sha


async def test_deploy_first_merges_nothing_that_fails(factory_with: OpenFactory) -> None:
    config = {"deploy": {"production": {"approval": "automatic", "order": "deploy-first"}}}
    factory = await factory_with(config=config)
    factory.sets(PRODUCTION_MODE="fail")
    task = await factory.ended(await factory.label_issue())
    assert task.status is Status.FAILED
    assert factory.issue(task.facts.pull).state == "open"


async def test_a_merge_queue_is_waited_for_and_its_group_passes(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(
        config=production(workflow="", approval="automatic"),
        hub_settings={"merge_queue": True, "required_checks": ["chimera / task"]},
    )
    task = await factory.ended(await factory.label_issue())
    assert task.status is Status.COMPLETED, await factory.told()
    pull = factory.issue(task.facts.pull).pull
    assert pull is not None
    assert pull.merged_at is not None
    groups = [c for c in factory.repository.checks.values() if c.title == "Ready to merge"]
    assert task.facts.merge_sha in {c.head_sha for c in groups if c.head_sha != task.facts.head_sha}
    assert "Not a change by Chimera" not in {c.title for c in factory.repository.checks.values()}


async def test_a_protection_rule_is_answered_for_our_own_runs_and_for_nobody_elses(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config={"deploy": {"production": {"approval": "automatic"}}})
    app = factory.stage.app.slug
    factory.hub.set_environment(factory.repository, "production", protection_apps=[app])
    task = await factory.ended(await factory.label_issue())
    assert task.status is Status.COMPLETED, await factory.told()
    inputs = {"environment": "production", "sha": task.facts.base_sha, "key": "by hand"}
    run = await factory.owner.dispatch(factory.repository, "deploy.yml", "main", inputs)
    await factory.seen(lambda: factory.repository.runs[run].conclusion)
    assert factory.repository.runs[run].conclusion == "failure"
    assert await factory.serves("production", "/version") == task.facts.merge_sha


async def test_a_person_can_have_a_finished_production_rolled_back(factory: Factory) -> None:
    base = (await factory.owner.ask("GET", f"{factory.at}/git/ref/heads/main"))["object"]["sha"]
    inputs = {"environment": "production", "sha": base, "key": "by hand"}
    await factory.owner.dispatch(factory.repository, "deploy.yml", "main", inputs)
    await factory.hub.settle()
    task = await factory.label_issue()
    await factory.approve(task)
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED
    said = await factory.comment(task.issue, "/chimera rollback")
    assert await factory.answered(said) == {"rocket"}
    await factory.seen(lambda: len(factory.runs("production")) == 3)
    task = await factory.until(task, Status.FAILED)
    await factory.shown()
    assert await factory.serves("production", "/version") == base
    assert "ada" in task.summary
    assert "is live again" in factory.status_comment(task.issue)


async def test_nobody_gets_past_the_review_by_naming_a_later_phase(factory: Factory) -> None:
    factory.agents.guardian.hangs()
    task = await factory.until(await factory.label_issue(), Phase.GUARDIAN_REVIEW)
    await factory.seen(factory.agents.guardian.began.is_set)
    await factory.comment(task.issue, "/chimera pause")
    task = await factory.until(task, WaitFor.PAUSED)
    for line in ("/chimera retry production", "/chimera retry staging", "/chimera deploy staging"):
        said = await factory.comment(task.issue, line)
        assert await factory.answered(said) == {"confused"}
    assert (await factory.now(task)).phase is Phase.GUARDIAN_REVIEW
    await factory.shown()
    assert "has to pass the review first" in factory.status_comment(task.issue)
