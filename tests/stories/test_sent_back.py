"""Work that is not good enough goes back to whoever made it, who is told why."""

import pytest

from bot.domain import Cause, Phase, Status, WaitFor
from tests.stories.actors import approve, request_changes
from tests.stories.factory import Factory
from tests.stories.sample import UNIT_TEST, code, e2e_test
from tests.stories.stores import ON_BOTH

E2E, CODE = Phase.E2E_TEST_GENERATION, Phase.CODE_IMPLEMENTATION
GOOD_TEST, GOOD_CODE = e2e_test("goodbye", "Goodbye"), code("goodbye", "Goodbye")
FROZEN = "tests/e2e/test_goodbye.py"


async def test_the_guardian_sends_the_work_back_once(factory: Factory) -> None:
    factory.agents.guardian.says(request_changes("Say it with a capital letter."), approve())
    factory.agents.coder.writes(GOOD_CODE, {"pages/farewell.txt": "Farewell\n"})
    task = await factory.label_issue()
    task = await factory.until(task, WaitFor.APPROVAL)
    assert (Phase.GUARDIAN_REVIEW, "back") in await factory.outcomes(task)
    assert task.cursor.round == 2
    assert "Say it with a capital letter." in factory.agents.coder.briefs[1].prompt
    await factory.approve(task)
    assert (await factory.ended(task)).status is Status.COMPLETED


async def test_tests_that_pass_at_once_wait_for_a_person_who_is_told_the_truth(
    factory: Factory,
) -> None:
    factory.agents.e2e_tester.writes(e2e_test("home", "Hello"))
    task = await factory.label_issue()
    task = await factory.until(task, WaitFor.DECISION)
    await factory.shown()
    said = factory.status_comment(task.issue)
    assert "pass on the unchanged `main`" in said
    assert said.count("chimera retry") == 1, "the reply is offered once"
    assert factory.labels(task.issue) == {"chimera", "chimera:needs-human"}
    assert task.facts.pull == 0
    assert factory.agents.coder.briefs == []


@ON_BOTH
async def test_a_broken_test_goes_back_to_the_tester(factory: Factory) -> None:
    broken = {FROZEN: "import nowhere_at_all\n\n" + str(GOOD_TEST[FROZEN])}
    factory.agents.e2e_tester.writes(broken, GOOD_TEST)
    factory.agents.coder.hangs()
    task = await factory.label_issue()
    task = await factory.until(task, CODE)
    assert await factory.outcomes(task) == [(E2E, "again"), (E2E, "pass")]
    assert "nowhere_at_all" in factory.agents.e2e_tester.briefs[1].prompt


async def test_a_coder_who_never_gets_green_fails_truthfully_and_the_branch_is_kept(
    factory: Factory,
) -> None:
    factory.agents.coder.writes(code("goodbye", "So long"))
    task = await factory.label_issue()
    task = await factory.ended(task)
    assert (task.status, task.cause) == (Status.FAILED, Cause.NOT_GREEN)
    said = factory.status_comment(task.issue)
    assert "failed at code" in said
    assert f"tree/{task.facts.branch}" in said, "what was kept is named"
    assert task.facts.branch in await factory.branches()
    assert factory.labels(task.issue) == {"chimera", "chimera:failed"}
    assert factory.reactions(task.issue) == {"-1"}
    assert factory.issue(task.issue).state == "open"
    assert task.facts.pull == 0


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        ({FROZEN: "import unittest\n"}, FROZEN),
        ({"tests/unit/test_pages.py": UNIT_TEST.replace("assertEqual", "str")}, "test_pages.py"),
        ({"tests/unit/test_pages.py": None}, "test_pages.py"),
        ({".github/workflows/deploy.yml": "name: mine\n"}, "deploy.yml"),
    ],
    ids=["frozen test", "weakened test", "deleted test", "protected path"],
)
async def test_a_coder_who_takes_the_short_way_is_refused_and_can_mend_it(
    factory: Factory, edit: dict[str, str | None], named: str
) -> None:
    factory.agents.coder.writes(GOOD_CODE | edit, GOOD_CODE)
    factory.agents.guardian.hangs()
    task = await factory.label_issue()
    task = await factory.until(task, Phase.GUARDIAN_REVIEW)
    lines = [line for line in await factory.journal(task) if line.phase is CODE]
    assert [line.outcome for line in lines] == ["again", "pass"]
    assert lines[0].cause is Cause.GATE
    assert named in lines[0].summary
    assert named in factory.agents.coder.briefs[1].prompt


async def test_a_tester_who_writes_nothing_after_a_refusal_is_told_it_again_and_so_are_people(
    factory: Factory,
) -> None:
    factory.agents.e2e_tester.writes({FROZEN: "def test_nothing():\n    assert True\n"}, {})
    task = await factory.label_issue()
    task = await factory.ended(task)
    assert (task.status, task.cause) == (Status.FAILED, Cause.GATE)
    assert "wrote no test after" in task.summary
    assert "test_nothing asserts nothing" in task.summary
    last = factory.agents.e2e_tester.briefs[-1].prompt
    assert "test_nothing asserts nothing" in last, "the agent is still told"


async def test_a_failure_after_a_refusal_still_names_the_refusal(factory: Factory) -> None:
    factory.agents.coder.writes(GOOD_CODE | {FROZEN: "import unittest\n"}, {})
    task = await factory.label_issue()
    task = await factory.ended(task)
    assert task.status is Status.FAILED
    assert FROZEN in task.summary
    assert "test_goodbye.py" in factory.status_comment(task.issue).replace("\\", "")
    assert FROZEN in factory.agents.coder.briefs[2].prompt, "the agent is still told"
