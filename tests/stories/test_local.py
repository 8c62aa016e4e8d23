"""The same workflow without a hub: by a program, on a repository of this machine."""

import subprocess
from pathlib import Path

import pytest

from bot import ChimeraExecutor, create_chimera_task
from bot.domain import Phase, Role, Status
from bot.errors import ConfigError
from bot.workflow.local_run import Teller, run_local
from bot.workflow.report.status import status_comment
from bot.workflow.report.view import View
from bot.workflow.report.words import WORKING_PHASES
from tests.stories.actors import Cast
from tests.stories.sample import BODY, TITLE, code, files

SKIPPED = {Phase.PRODUCTION_DEPLOYMENT}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The sample application as somebody's checkout."""
    path = tmp_path / "mine"
    for name, text in files().items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(text))
    git(path, "init", "--quiet", "--initial-branch=main")
    git(path, "add", "--all")
    git(path, "-c", "user.name=Ada", "-c", "user.email=ada@example.test", "commit", "-qm", "First")
    return path


def git(path: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=path, check=True, capture_output=True, text=True)
    return done.stdout.strip()


async def test_a_program_runs_a_workflow_and_gets_tests_and_branch(
    repository: Path, scratch: Path, agents: Cast
) -> None:
    executor = ChimeraExecutor(agents_registry=agents.registry(), repository=repository)
    task = create_chimera_task(feature=f"{TITLE}\n\n{BODY}", priority=7)
    done = await executor.execute_workflow(task)
    assert (done.status, done.phase) == (Status.COMPLETED, Phase.COMPLETE)
    assert done.result.test_path == "tests/e2e/test_goodbye.py"
    assert (done.result.code_pr_id, done.result.deployment_url) == (0, "")
    assert git(repository, "rev-parse", done.result.branch) == done.result.head_sha
    shown = git(repository, "show", f"{done.result.branch}:pages/goodbye.txt")
    assert shown == "Goodbye"
    assert git(repository, "rev-parse", "--abbrev-ref", "HEAD") == "main", "nothing is checked out"
    assert git(repository, "status", "--porcelain") == ""


async def test_steps_are_told_in_the_order_in_which_they_came(
    repository: Path, scratch: Path, agents: Cast
) -> None:
    told: list[Phase] = []
    tell = Teller(
        starts=lambda _branch, _sha: None,
        enters=told.append,
        records=lambda line: told.append(line.phase),
    )
    await run_local(repository, f"{TITLE}\n\n{BODY}", agents.registry(), tell=tell)
    order = list(Phase)
    assert told == sorted(told, key=order.index)
    assert set(told) == set(WORKING_PHASES)


async def test_what_needs_a_hub_is_skipped_with_the_reason_and_nowhere_passed(
    repository: Path, scratch: Path, agents: Cast
) -> None:
    executor = ChimeraExecutor(agents_registry=agents.registry(), repository=repository)
    done = await executor.execute_workflow(create_chimera_task(feature=TITLE))
    skipped = {line.partition(":")[0] for line in done.task.facts.skipped}
    assert skipped == {phase.value for phase in SKIPPED}
    assert all("hub" in line for line in done.task.facts.skipped)
    said = status_comment(View(task=done.task))
    assert "✅ | Production" not in said


async def test_the_gates_hold_without_a_hub(repository: Path, scratch: Path, agents: Cast) -> None:
    agents.coder.writes(code("goodbye", "Goodbye") | {"tests/unit/test_pages.py": None})
    executor = ChimeraExecutor(agents_registry=agents.registry(), repository=repository)
    done = await executor.execute_workflow(create_chimera_task(feature=TITLE))
    assert done.status is Status.FAILED
    assert "test_pages.py" in done.task.summary
    assert git(repository, "rev-parse", "main:tests/unit/test_pages.py")


async def test_a_program_without_an_agent_for_a_role_is_told_which(
    repository: Path, scratch: Path, agents: Cast
) -> None:
    only = {Role.E2E_TESTER: agents.e2e_tester}
    executor = ChimeraExecutor(agents_registry=only, repository=repository)
    with pytest.raises(ConfigError, match="coder, guardian"):
        await executor.execute_workflow(create_chimera_task(feature=TITLE))
