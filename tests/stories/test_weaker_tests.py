"""Tests may become weaker only where a person who may write says so, and it is told who."""

import pytest

from bot.domain import Phase, Task, WaitFor
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.sample import UNIT_TEST, code

UNIT = "tests/unit/test_pages.py"
LABEL = "chimera:weaker-tests"
GOOD = code("goodbye", "Goodbye")
WEAKER = GOOD | {UNIT: UNIT_TEST.replace("assertIsNone(", "assertTrue(True or ")}
WITHOUT_DEPLOYMENTS = {"deploy": {"staging": None, "production": {"workflow": ""}}}


@pytest.fixture
async def quick(factory_with: OpenFactory) -> Factory:
    """A factory whose staging is ephemeral and whose production is the merge."""
    return await factory_with(config=WITHOUT_DEPLOYMENTS)


async def told(factory: Factory, task: Task) -> tuple[str, str]:
    """What the guardian's check says, and who the evidence names."""
    await factory.shown()
    evidence = (await factory.api("GET", f"/api/tasks/{task.id}/evidence")).json()
    (check,) = [
        c
        for c in factory.repository.checks.values()
        if c.name == "chimera / guardian" and c.head_sha == task.facts.head_sha
    ]
    text = str(check.text)
    return text, str(evidence["sections"]["review"]["weaker_tests_allowed_by"])


async def test_a_label_by_somebody_who_may_write_lets_a_weaker_test_pass(quick: Factory) -> None:
    quick.agents.coder.writes(WEAKER)
    issue = await quick.open_issue()
    await quick.owner.label(quick.repository, issue, LABEL, "chimera")
    task = await quick.until(await quick.task_of(issue), WaitFor.APPROVAL)
    text, by = await told(quick, task)
    assert by == f"ada, by the label {LABEL} on #{issue}"
    assert f"**Weaker tests were allowed** by ada, by the label {LABEL}" in text
    assert "weakened tests: " in text
    assert "(allowed by ada" in text
    assert "compared: 2 files in depth (pytest, unittest)." in text


async def test_the_same_label_by_somebody_who_may_not_write_changes_nothing(quick: Factory) -> None:
    quick.agents.coder.writes(WEAKER, GOOD)
    helper = quick.person("tri", "triage")
    issue = await quick.open_issue()
    await helper.label(quick.repository, issue, LABEL)
    await quick.owner.label(quick.repository, issue, "chimera")
    task = await quick.until(await quick.task_of(issue), WaitFor.APPROVAL)
    assert (Phase.CODE_IMPLEMENTATION, "again") in await quick.outcomes(task)
    assert UNIT in quick.agents.coder.briefs[1].prompt
    text, by = await told(quick, task)
    assert by == ""
    assert "allowed" not in text


async def test_a_trailer_in_a_person_s_own_commit_on_the_branch_counts(quick: Factory) -> None:
    task = await quick.until(await quick.label_issue(), WaitFor.APPROVAL)
    weaker = {UNIT: WEAKER[UNIT]}
    branch, said = task.facts.branch, "Test less\n\nChimera-Allow: weaker-tests"
    mine = await quick.owner.push(quick.repository, branch, weaker, said)
    task = await quick.until(task, lambda t: t.facts.reviewed_sha == mine and t.wait is not None)
    text, by = await told(quick, task)
    assert by.endswith(f", by the trailer of {mine[:7]}")
    assert "Weaker tests were allowed" in text
