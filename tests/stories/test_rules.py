"""What the repository's own rules want before a merge is waited for, and said."""

from bot.domain import Status, WaitFor
from tests.stories.conftest import OpenFactory

MERGED_ONLY = {"deploy": {"staging": None, "production": {"workflow": ""}}}


async def test_a_merge_that_needs_a_review_on_github_says_so_and_goes_on_with_it(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=MERGED_ONLY, hub_settings={"required_approvals": 1})
    task = await factory.label_issue()
    await factory.approve(task)
    task = await factory.until(task, WaitFor.DECISION)
    assert task.wait is not None
    assert "needs a person's review on GitHub" in task.wait.reason
    assert "At least one approving review is required" in task.wait.reason
    await factory.seen(lambda: "approving review" in factory.status_comment(task.issue))
    reviewer = factory.person("grace", "write")
    await reviewer.review(factory.repository, task.facts.pull, "APPROVE")
    assert (await factory.ended(task)).status is Status.COMPLETED


async def test_a_merge_that_waits_for_a_check_names_it(factory_with: OpenFactory) -> None:
    factory = await factory_with(config=MERGED_ONLY, hub_settings={"required_checks": ["lint"]})
    task = await factory.label_issue()
    await factory.approve(task)
    task = await factory.until(task, WaitFor.CI)
    assert task.wait is not None
    assert '"lint" is expected' in task.wait.reason
