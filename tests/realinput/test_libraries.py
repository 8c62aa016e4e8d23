"""Real features of real libraries, brought by a program: red on the old code, green on the new."""

import json
import random
import string
from pathlib import Path

import pytest

from bot.workflow.evidence import faults_in

from .fetching import Shelf
from .libraries import LIBRARIES, PARSE, Library
from .running import chimera_run, git, repository_of, words_for

pytestmark = [pytest.mark.pypi, pytest.mark.slow]

NEEDS_A_HUB = ["STAGING_DEPLOYMENT", "E2E_VALIDATION", "PRODUCTION_DEPLOYMENT"]


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.name)
def library(request: pytest.FixtureRequest) -> Library:
    one: Library = request.param
    return one


def test_a_real_feature_is_red_on_the_old_version_and_green_on_the_new(
    library: Library, shelf: Shelf, tmp_path: Path
) -> None:
    repository = repository_of(shelf.source(library.name, library.old), tmp_path / "repository")
    source = shelf.source(library.name, library.new)
    told = chimera_run(repository, *words_for(library, source, tmp_path / "chimera.yml"))
    assert told.code == 0, told.talk
    document = told.document
    task, commits = document["task"], document["commits"]

    assert (task["status"], task["phase"]) == ("COMPLETED", "COMPLETE")
    red, (green, whole) = document["red"], document["green"]
    assert (red["sha"], red["exit_code"]) == (commits["tests"], 1)
    assert red["failed"] > 0
    assert red["errors"] == 0
    assert (green["sha"], green["exit_code"]) == (commits["code"], 0)
    assert green["passed"] == red["failed"] + red["passed"]
    assert whole["passed"] > green["passed"]
    assert (whole["failed"], whole["errors"]) == (0, 0)
    assert document["cage"].startswith("bubblewrap ")

    verdicts = {line["phase"]: line["verdict"] for line in document["journal"]}
    assert document["skipped"] == NEEDS_A_HUB
    assert [verdicts[phase] for phase in NEEDS_A_HUB] == ["skip"] * 3
    assert all(": " in reason for reason in document["skipped_because"])
    assert verdicts["GUARDIAN_REVIEW"] == "pass"

    branch = task["branch"]
    assert git(repository, "rev-list", f"main..{branch}").split() == [
        commits["evidence"],
        commits["code"],
        commits["tests"],
    ]
    assert _changed(repository, commits["tests"]) == sorted(library.tests)
    assert _changed(repository, commits["code"]) == sorted(library.code)
    assert _changed(repository, commits["evidence"]) == [f".chimera/{task['task_id']}.json"]
    bundle = json.loads(git(repository, "show", f"{branch}:.chimera/{task['task_id']}.json"))
    assert faults_in(bundle) == []
    assert bundle["sections"]["cage"] == document["cage"]
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "rev-parse", "HEAD") == commits["base"]


def test_a_secret_in_the_change_stops_it_and_is_shown_nowhere(shelf: Shelf, tmp_path: Path) -> None:
    repository = repository_of(shelf.source(PARSE.name, PARSE.old), tmp_path / "repository")
    source = shelf.source(PARSE.name, PARSE.new)
    secret = "AKIA" + "".join(random.choices(string.ascii_uppercase + "234567", k=16))
    add = {"parse.py": f'\nUPLOAD_KEY = "{secret}"\n'}
    told = chimera_run(repository, *words_for(PARSE, source, tmp_path / "chimera.yml", add=add))
    assert told.code == 1, told.talk
    task = told.document["task"]

    assert (task["status"], task["cause"]) == ("FAILED", "gate")
    assert "parse.py:" in task["summary"]
    assert "AWS access key" in task["summary"]
    assert told.document["commits"]["code"] == ""
    assert told.document["green"] == []
    history = git(repository, "log", "--all", "--patch")
    assert secret not in history + told.out + told.talk


def _changed(repository: Path, commit: str) -> list[str]:
    return git(repository, "show", "--format=", "--name-only", commit).split()
