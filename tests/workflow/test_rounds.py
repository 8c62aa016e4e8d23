"""A coder that goes round in circles, a guardian that thinks again, and prompts with an end."""

import subprocess
from pathlib import Path

from bot import ChimeraExecutor, create_chimera_task
from bot.agents.agent import Brief, Emit, Outcome, Reply
from bot.agents.roster import MAX_PROMPT
from bot.domain import Cause, Phase, Role, Status
from bot.workflow.phases.review import MAX_DIFF
from bot.workflow.workspace import MAX_MAP
from tests.stories.actors import cast, request_changes
from tests.stories.sample import TITLE, code, e2e_test

PATH = "tests/e2e/test_goodbye.py"
ANOTHER_WAY = "take another way"


async def test_the_same_work_three_times_is_the_end_whatever_the_tests_print(
    repository: Path,
) -> None:
    agents = cast()
    test = str(e2e_test("goodbye", "Goodbye")[PATH]).replace(
        "import unittest\n", "import secrets\nimport unittest\n\nprint(secrets.token_hex(400))\n", 1
    )
    agents.e2e_tester.writes({PATH: test})
    agents.coder.writes(code("goodbye", "So long"))
    executor = ChimeraExecutor(agents_registry=agents.registry(), repository=repository)
    done = await executor.execute_workflow(create_chimera_task(feature=TITLE))
    assert (done.status, done.task.cause) == (Status.FAILED, Cause.NOT_GREEN)
    assert "3 times in the same way" in done.task.summary
    said = [ANOTHER_WAY in brief.prompt for brief in agents.coder.briefs]
    assert said == [False, False, True], "five turns are allowed, and two would be in vain"


class _ThinksAgain:
    """Asks for changes at the first look, and stands by none of its remarks at the second."""

    name = "scripted"

    def __init__(self) -> None:
        self.briefs: list[Brief] = []

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        self.briefs.append(brief)
        said = request_changes("This is wrong.")
        if "/confirm-" in brief.run_id:
            said = said.model_copy(update={"comments": []})
        return Reply(outcome=Outcome.COMPLETED, output=said)


def with_many_files(repository: Path) -> None:
    """More names than a prompt has room for."""
    for n in range(900):
        file = repository / "notes" / f"{n % 30:02}-a-folder" / f"{n:04}-{'a-long-name-' * 6}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    for words in (["add", "."], [*who, "commit", "-qm", "Many"]):
        subprocess.run(["git", *words], cwd=repository, check=True, capture_output=True)


async def test_prompts_are_bounded_and_remarks_that_are_not_stood_by_send_nothing_back(
    repository: Path,
) -> None:
    with_many_files(repository)
    agents, guardian = cast(), _ThinksAgain()
    large = {"notes/large.txt": "A line of a long text.\n" * (2 * MAX_DIFF // 23)}
    agents.coder.writes(code("goodbye", "Goodbye") | large)
    registry = {**agents.registry(), Role.GUARDIAN: guardian}
    executor = ChimeraExecutor(agents_registry=registry, repository=repository)
    done = await executor.execute_workflow(create_chimera_task(feature=TITLE))
    assert (done.status, done.phase) == (Status.COMPLETED, Phase.COMPLETE)
    assert done.task.cursor.round == 1
    assert done.task.facts.findings == ()
    first, second = guardian.briefs
    for brief in (first, second):
        assert "characters more: read the files" in brief.prompt
        assert len(brief.prompt) < MAX_PROMPT
    assert "This is wrong." in second.prompt
    for writer in (agents.e2e_tester, agents.coder):
        assert "… and more; use the tools" in writer.briefs[0].prompt
        assert len(writer.briefs[0].prompt) < MAX_MAP + 10_000
