"""The default branch goes on while a change waits: with the same files, with others, broken."""

from collections.abc import Mapping

import pytest

from bot.domain import Cause, Phase, Status, Task, WaitFor
from tests.conversation.test_review_loop import QUICK
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.sample import code

pytestmark = pytest.mark.slow

PAGE = "pages/goodbye.txt"
OTHERS = {"pages/other.txt": "Other\n", ".github/note.md": "Nobody's business\n"}
DEPLOYS = {"deploy": {"staging": None, "production": {"workflow": "deploy.yml"}}}


async def pushed(factory: Factory, files: Mapping[str, str | bytes | None], branch: str) -> str:
    return await factory.owner.push(factory.repository, branch, files, "Meanwhile")


async def approved(factory: Factory, task: Task) -> None:
    said = await factory.comment(task.issue, f"/chimera approve {task.facts.head_sha[:7]}")
    assert await factory.answered(said) == {"rocket"}


async def test_a_base_that_moved_is_merged_in_and_what_results_is_approved_anew(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK)
    factory.agents.coder.writes(code("goodbye", "Goodbye"), code("farewell", "Farewell"))
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    shown = task.facts.head_sha
    newest = await pushed(factory, OTHERS, "main")
    await approved(factory, task)
    task = await factory.until(
        task, lambda now: now.facts.head_sha != shown and now.wait is not None
    )
    assert (task.wait and task.wait.on, task.facts.approval) == (WaitFor.APPROVAL, None)
    assert (task.facts.base_sha, task.facts.config_sha != newest) == (newest, True)
    assert task.facts.validated_sha == task.facts.head_sha, "validated again with it"
    reviewer = factory.person("bea", "write")
    await reviewer.review(
        factory.repository, task.facts.pull, "REQUEST_CHANGES", "Say farewell, too."
    )
    task = await factory.until(task, lambda now: now.cursor.round == 2 and now.wait is not None)
    assert task.wait is not None
    assert task.wait.on is WaitFor.APPROVAL, "what others did to .github is not held against it"
    await approved(factory, task)
    assert (await factory.ended(task)).status is Status.COMPLETED


async def test_a_conflict_with_the_base_is_told_and_a_persons_merge_goes_on_by_itself(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK)
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    theirs = await pushed(factory, {PAGE: "Bye\n"}, "main")
    await approved(factory, task)
    task = await factory.until(task, WaitFor.DECISION)
    await factory.shown()
    said = factory.status_comment(task.issue)
    assert all(word in said for word in ("has moved", PAGE, f"`{task.facts.branch}` and push"))
    assert len(factory.agents.coder.briefs) == 1, "the coder cannot know both sides"
    mine = task.facts.head_sha
    tree = (await factory.owner.ask("GET", f"{factory.at}/git/commits/{mine}"))["tree"]["sha"]
    body = {"message": "Both", "tree": tree, "parents": [mine, theirs]}
    sha = (await factory.owner.ask("POST", f"{factory.at}/git/commits", body))["sha"]
    path = f"{factory.at}/git/refs/heads/{task.facts.branch}"
    await factory.owner.ask("PATCH", path, {"sha": sha})
    task = await factory.until(task, lambda now: now.facts.head_sha == sha and now.wait is not None)
    assert (task.wait and task.wait.on, task.facts.base_sha) == (WaitFor.APPROVAL, theirs)
    await approved(factory, task)
    assert (await factory.ended(task)).status is Status.COMPLETED


async def test_tests_that_fail_with_the_newest_base_reach_the_coder_on_top_of_it(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK)
    factory.agents.coder.writes(code("goodbye", "Goodbye"), {"pages/needed.txt": "Here\n"})
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    needed = "import pathlib, unittest\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n"
    needed += "        n = len(list(pathlib.Path('pages').iterdir()))\n"
    needed += "        self.assertNotEqual(n, 2, 'a page is needed')\n"
    newest = await pushed(factory, {"tests/unit/test_more.py": needed}, "main")
    await approved(factory, task)
    task = await factory.until(task, lambda now: now.cursor.round == 2 and now.wait is not None)
    assert "a page is needed" in factory.agents.coder.briefs[1].prompt
    assert task.facts.base_sha == newest
    backs = [line.cause for line in await factory.journal(task) if line.outcome == "back"]
    assert backs == [Cause.CONFLICT]


async def test_a_closed_pull_request_is_never_opened_by_us_but_goes_on_when_a_person_does(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK)
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    await factory.owner.close(factory.repository, task.facts.pull)
    assert (await factory.ended(task)).status is Status.CANCELLED
    said = await factory.comment(task.issue, "/chimera retry")
    assert await factory.answered(said) == {"rocket"}
    task = await factory.until(task, WaitFor.DECISION)
    await factory.shown()
    assert "was closed without a merge: open it again" in factory.status_comment(task.issue)
    assert factory.issue(task.facts.pull).state == "closed"
    await factory.owner.reopen(factory.repository, task.facts.pull)
    task = await factory.until(task, WaitFor.APPROVAL)
    await approved(factory, task)
    assert (await factory.ended(task)).status is Status.COMPLETED


async def test_a_merge_by_a_person_is_the_end_where_nothing_is_deployed(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=QUICK)
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    merged = await factory.owner.merge(factory.repository, task.facts.pull, method="squash")
    task = await factory.ended(task)
    assert (task.status, task.facts.merge_sha) == (Status.COMPLETED, merged["sha"])
    assert task.facts.approval is None


async def test_a_merge_by_a_person_is_no_approval_of_production(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(config=DEPLOYS)
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    merged = await factory.owner.merge(factory.repository, task.facts.pull, method="squash")
    await factory.shown()
    task = await factory.until(task, WaitFor.APPROVAL)
    assert (task.phase, factory.runs("production")) == (Phase.PRODUCTION_DEPLOYMENT, [])
    await approved(factory, task)
    task = await factory.ended(task)
    assert (task.status, task.facts.merge_sha) == (Status.COMPLETED, merged["sha"])
    assert await factory.serves("production", "/version") == merged["sha"]
