"""Chimera as a library: `from bot import ChimeraExecutor, create_chimera_task`."""

import json
import shlex
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot import ChimeraExecutor, create_chimera_task
from bot.agents.command import CommandAgent
from bot.domain import Phase, Role, Status
from bot.errors import InputError

from .running import git, repository_of

CONFIG = """\
version: 1
e2e: { path: tests/e2e, test: "python -m pytest -q tests/e2e",
       serve: "python -m http.server {port} --directory pages" }
checks: { test: "python -m pytest -q tests/unit" }
"""
UNIT_TEST = """\
from pathlib import Path


def test_home_greets():
    assert Path("pages/home.txt").read_text() == "Hello"
"""
E2E_TEST = """\
import os
from urllib.request import urlopen


def test_the_farewell_is_said():
    with urlopen(os.environ["E2E_BASE_URL"] + "/farewell.txt", timeout=10) as answer:
        assert answer.read() == b"Goodbye"
"""


class Elsewhere:
    """The pages as another machine serves them: those of the newest branch of ours."""

    def __init__(self, repository: Path) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = _page(repository, self.path)
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_args: object) -> None:
                """Nothing is said about each request."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


def _page(repository: Path, path: str) -> bytes | None:
    listed = git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/chimera")
    branch = (listed.split() or ["HEAD"])[0]
    shown = subprocess.run(
        ["git", "show", f"{branch}:pages{path}"], cwd=repository, capture_output=True, check=False
    )
    return shown.stdout if shown.returncode == 0 else None


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    files = {
        ".github/chimera.yml": CONFIG,
        "pages/home.txt": "Hello",
        "tests/unit/test_home.py": UNIT_TEST,
    }
    for name, text in files.items():
        file = tmp_path / "files" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return repository_of(tmp_path / "files", tmp_path / "repository")


@pytest.fixture
def elsewhere(repository: Path) -> Iterator[Elsewhere]:
    one = Elsewhere(repository)
    thread = threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


def writing(path: str, text: str) -> CommandAgent:
    """An agent that writes one file."""
    folder = shlex.quote(str(Path(path).parent))
    return CommandAgent(command=f"mkdir -p {folder} && printf %s {shlex.quote(text)} > {path}")


def approving() -> CommandAgent:
    answer = shlex.quote(json.dumps({"decision": "approve", "summary": "Small and right."}))
    return CommandAgent(command=f'printf %s {answer} > "$CHIMERA_RESULT"')


async def test_a_program_gets_the_finished_workflow_with_its_result(
    repository: Path, elsewhere: Elsewhere
) -> None:
    executor = ChimeraExecutor(
        agents_registry={
            "e2e-tester": writing("tests/e2e/test_farewell.py", E2E_TEST),
            Role.CODER: writing("pages/farewell.txt", "Goodbye"),
            "guardian": approving(),
        },
        repository=repository,
    )
    task = create_chimera_task(
        feature="Say goodbye\n\nThe page /farewell.txt says Goodbye.", target_url=elsewhere.url
    )
    workflow = await executor.execute_workflow(task)

    assert (workflow.status, workflow.phase) == (Status.COMPLETED, Phase.COMPLETE)
    result = workflow.result
    assert result.test_path == "tests/e2e/test_farewell.py"
    assert result.code_pr_id == 0
    assert result.deployment_url == elsewhere.url
    assert elsewhere.asked == ["/farewell.txt"]
    assert git(repository, "rev-parse", result.branch) == result.head_sha
    assert git(repository, "show", f"{result.branch}:pages/farewell.txt") == "Goodbye"
    assert [entry.partition(":")[0] for entry in workflow.task.facts.skipped] == [
        Phase.PRODUCTION_DEPLOYMENT
    ]


async def test_a_change_that_does_not_work_ends_failed_and_is_not_published(
    repository: Path,
) -> None:
    executor = ChimeraExecutor(
        agents_registry={
            Role.E2E_TESTER: writing("tests/e2e/test_farewell.py", E2E_TEST),
            Role.CODER: writing("pages/farewell.txt", "Good riddance"),
            Role.GUARDIAN: approving(),
        },
        repository=str(repository),
    )
    workflow = await executor.execute_workflow(create_chimera_task(feature="Say goodbye"))
    assert workflow.status is Status.FAILED
    assert workflow.result.deployment_url == ""
    listed = git(repository, "ls-tree", "-r", "--name-only", workflow.result.branch)
    assert "tests/e2e/test_farewell.py" in listed
    assert "pages/farewell.txt" not in listed


async def test_what_is_missing_or_misspelt_is_told_before_anything_runs(tmp_path: Path) -> None:
    task, all_four = create_chimera_task(feature="x"), dict.fromkeys(Role, approving())
    with pytest.raises(InputError, match="git init"):
        await ChimeraExecutor(agents_registry=all_four, repository=tmp_path).execute_workflow(task)
    with pytest.raises(InputError, match="e2e-tester, guardian"):
        await ChimeraExecutor(agents_registry={"coder": approving()}).execute_workflow(task)
    with pytest.raises(InputError, match="'programmer'; there are e2e-tester, coder"):
        ChimeraExecutor(agents_registry={"programmer": approving()})
    with pytest.raises(InputError, match="target_url"):
        create_chimera_task(feature="x", target_url="ftp://example.test")
