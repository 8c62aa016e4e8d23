"""A local run leaves its transcripts in the git directory, without secrets, and plays again."""

import asyncio
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bot.cli.main import cli
from bot.cli.run_words import document, rows
from bot.domain import Phase, Status, Task
from bot.errors import InputError, NotFound
from bot.workflow.local_record import KEPT, keep, kept
from bot.workflow.local_run import LocalRun, run_local
from bot.workflow.replaying import Record
from tests.stories.actors import cast
from tests.stories.sample import BODY, TITLE, code, e2e_test

SECRET = "ghp_" + "c4N4rY" * 6


@pytest.fixture
async def done(repository: Path) -> LocalRun:
    """A run whose coder is red once, and tells a secret in a file."""
    agents = cast()
    agents.e2e_tester.writes(e2e_test("goodbye", "Goodbye"))
    agents.coder.writes(code("goodbye", "Good"), code("goodbye", "Goodbye"))
    return await run_local(repository, f"{TITLE}\n\n{BODY} {SECRET}", agents.registry())


async def test_the_record_is_told_kept_outside_every_branch_and_plays_again(
    repository: Path, done: LocalRun
) -> None:
    assert done.task.status is Status.COMPLETED, done.task.summary
    assert done.record == repository / ".git" / "chimera" / f"{done.task.id}.json"
    assert str(done.record) in dict(rows(done)).values()
    assert document(done)["transcripts"] == str(done.record)
    assert SECRET not in done.record.read_text()
    record = await kept(repository, done.task.id)
    assert [(run.role, run.which) for run in record.runs] == [
        ("e2e-tester", "1"),
        ("coder", "1"),
        ("coder", "1.2"),
        ("guardian", "1"),
    ]
    assert untouched(repository)
    found = await played(repository, done.task.id)
    assert [found[phase]["same"] for phase in list(Phase)[:5]] == [True] * 5, found
    assert found[Phase.CODE_IMPLEMENTATION]["recorded"].startswith("again (not_green), pass; ")


def untouched(repository: Path) -> bool:
    words = ["git", "status", "--porcelain"]
    return subprocess.run(words, cwd=repository, check=True, capture_output=True).stdout == b""


async def played(repository: Path, task_id: str) -> Mapping[str, Any]:
    words = ["task", "replay", task_id, "--repo", str(repository), "--json"]
    said = await asyncio.to_thread(CliRunner().invoke, cli, words)
    assert said.exit_code == 0, said.output
    return {one["phase"]: one for one in json.loads(said.stdout)["phases"]}


async def test_the_newest_records_stay(repository: Path) -> None:
    for n in range(KEPT + 3):
        task = Task(id=f"chimera-{n:03}", feature="f", title="f", status=Status.FAILED)
        path = await keep(repository, Record(task=task, journal=()))
    assert sorted(file.stem for file in path.parent.iterdir()) == [
        f"chimera-{n:03}" for n in range(3, KEPT + 3)
    ]


async def test_what_is_not_there_or_not_ours_is_told(repository: Path) -> None:
    with pytest.raises(NotFound, match="there is none"):
        await kept(repository, "../config")
    task = Task(id="chimera-1", feature="f", title="f", status=Status.FAILED)
    path = await keep(repository, Record(task=task, journal=()))
    path.write_text("{}")
    with pytest.raises(InputError, match="not a record of this version"):
        await kept(repository, task.id)
