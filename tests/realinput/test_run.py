"""`chimera run` as people meet it: what it refuses, what it leaves, and what Ctrl-C leaves."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .running import BRING, bringing, chimera_run, environment, git, repository_of, run_argv

DEADLINE_S = 60.0
CODE = "def hello():\n    return 'Hello'\n"
TEST = "from greet import hello\n\n\ndef test_hello():\n    assert hello() == 'Hello'\n"
NEW_CODE = f"{CODE}\n\ndef bye():\n    return 'Bye'\n"
NEW_TEST = "from greet import bye\n\n\ndef test_bye():\n    assert bye() == 'Bye'\n"
CONFIG = """\
version: 1
e2e: {{ path: tests, test: "{test} tests/test_bye.py"{more} }}
checks: {{ test: "{test}" }}
limits: {{ turns: 1 }}
"""
FEATURE = ("--feature", "Say goodbye")


def files(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        file = folder / name.replace("__", "/").replace("_py", ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    here = files(tmp_path / "files", greet_py=CODE, tests__test_hello_py=TEST)
    return repository_of(here, tmp_path / "repository")


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    return files(tmp_path / "next", greet_py=NEW_CODE, tests__test_bye_py=NEW_TEST)


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], list[str]]:
    def written(more: str = "") -> list[str]:
        text = CONFIG.format(test="python -m pytest -q", more=more)
        (tmp_path / "chimera.yml").write_text(text)
        return ["--config", str(tmp_path / "chimera.yml")]

    return written


def brought(next_version: Path) -> list[str]:
    return bringing(next_version, ["tests/test_bye.py"], ["greet.py"])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--agent", "nobody"], 2, "command:PROGRAM"),
        (["--agent", "replay:/no/such/file"], 2, "there is no file"),
        (["--show", "/usr"], 2, "--agent command:PROGRAM"),
        (["--agent", "llm:x:y", "--show", "/usr"], 2, "command agents"),
        ([], 78, "--agent"),
        (["--agent", "llm:anthropic:some"], 78, "ANTHROPIC_API_KEY"),
        (["--agent", "llm:some"], 78, "PROVIDER:MODEL"),
        (["--agent", "command:true", "--target-url", "ftp://x.test"], 2, "target_url"),
    ],
)
def test_wrong_words_are_refused_with_what_to_write_instead(
    repository: Path, words: list[str], code: int, said: str
) -> None:
    told = chimera_run(repository, *FEATURE, *words)
    assert (told.code, told.out) == (code, "")
    assert said in told.talk
    assert "Traceback" not in told.talk


def test_what_is_no_repository_with_a_branch_is_refused_with_what_to_do(
    repository: Path, tmp_path: Path
) -> None:
    words = (*FEATURE, "--agent", "command:true")
    plain, empty = tmp_path / "plain", tmp_path / "empty"
    plain.mkdir()
    git(tmp_path, "init", "--quiet", str(empty))
    git(repository, "switch", "--quiet", "--detach", "main")
    told = [chimera_run(place, *words) for place in (plain, empty, repository)]
    assert [one.code for one in told] == [2, 2, 2]
    for one, advice in zip(told, ("git init", "git commit", "git switch -c"), strict=True):
        assert advice in one.talk


def test_a_broken_configuration_is_told_by_line_before_anything_runs(
    repository: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "chimera.yml"
    broken.write_text("version: 1\nlimts: {}\n")
    told = chimera_run(repository, *FEATURE, "--agent", "command:true", "--config", str(broken))
    assert told.code == 78
    assert f"{broken}:2" in told.talk
    assert "limits" in told.talk


def test_a_base_whose_own_tests_fail_is_a_configuration_to_mend(
    repository: Path, next_version: Path, config: Callable[[str], list[str]]
) -> None:
    (repository / "greet.py").write_text("def hello():\n    return 'Hallo'\n")
    git(repository, "commit", "--quiet", "--all", "--message=Other words")
    told = chimera_run(repository, *FEATURE, *brought(next_version), *config(""), "--json")
    assert told.code == 78
    assert told.document["task"]["wait"]["on"] == "configuration"
    assert "fail on the unchanged `main`" in told.document["task"]["summary"]
    assert git(repository, "branch", "--format=%(refname:short)") == "main"


def test_a_base_without_tests_is_told_as_what_it_is(
    repository: Path, config: Callable[[str], list[str]]
) -> None:
    git(repository, "rm", "--quiet", "-r", "tests")
    git(repository, "commit", "--quiet", "--message=No tests")
    told = chimera_run(repository, *FEATURE, "--agent", "command:true", *config(""))
    assert told.code == 78
    assert "finds no tests on `main`: commit a first one" in told.out


def test_what_follows_an_interpreter_is_shown_in_the_cage_as_well(
    repository: Path, config: Callable[[str], list[str]], tmp_path: Path
) -> None:
    program = tmp_path / "agent.py"
    program.write_text("print('nothing to do')\n")
    told = chimera_run(repository, *FEATURE, "--agent", f"command:python3 {program}", *config(""))
    assert "No test was written" in told.talk


def test_a_program_is_shown_in_the_cage_and_what_it_leaves_undone_is_told(
    repository: Path, config: Callable[[str], list[str]], tmp_path: Path
) -> None:
    program = tmp_path / "agent.sh"
    program.write_text('#!/bin/sh\ntest "$PWD" = /workspace && echo nothing to do\n')
    program.chmod(0o755)
    told = chimera_run(repository, *FEATURE, "--agent", f"command:{program}", *config(""))
    assert told.code == 1
    assert "No test was written under tests" in told.talk
    assert re.search(r"^status +FAILED$", told.out, re.MULTILINE)


def test_an_import_of_what_is_not_there_yet_is_red_unless_the_configuration_says_no(
    repository: Path, next_version: Path, config: Callable[[str], list[str]]
) -> None:
    words = (*FEATURE, *brought(next_version), "--json")
    told = chimera_run(repository, *words, *config(""))
    assert told.code == 0, told.talk
    assert "cannot import name 'bye'" in told.document["red"]["log"]
    assert told.document["green"][0]["passed"] == 1
    told = chimera_run(repository, *words, *config(", import_red: false"))
    assert (told.code, told.document["task"]["cause"]) == (1, "not_red")
    assert told.document["commits"]["tests"] == ""


def test_uncommitted_work_in_a_linked_work_tree_is_left_alone(
    repository: Path, next_version: Path, config: Callable[[str], list[str]], tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    git(repository, "worktree", "add", "--quiet", "-b", "mine", str(linked))
    (linked / "greet.py").write_text("half of an idea")
    told = chimera_run(linked / "tests", *FEATURE, *brought(next_version), *config(""))
    assert told.code == 0, told.talk
    assert "on mine at " in told.talk
    assert (linked / "greet.py").read_text() == "half of an idea"
    shown = dict(line.split("  ", 1) for line in told.out.splitlines() if "  " in line)
    assert shown["status"].strip() == "COMPLETED"
    assert "greet.py" in git(repository, "diff", "--name-only", f"mine...{shown['branch'].strip()}")
    assert told.out.count("skipped") == 3


@pytest.fixture
def hanging(
    repository: Path, next_version: Path, config: Callable[[str], list[str]], tmp_path: Path
) -> Iterator[subprocess.Popen[str]]:
    """A run whose coder never ends; its scratch directories are made under `tmp_path/scratch`."""
    (tmp_path / "scratch").mkdir()
    bring = brought(next_version)[1].removeprefix("command:")
    command = f'command:if [ "$CHIMERA_ROLE" = coder ]; then sleep 86399; fi; {bring}'
    argv = run_argv(repository, *FEATURE, "--agent", command, "--show", str(BRING),
                    "--show", str(next_version), *config(""))  # fmt: skip
    env = environment(TMPDIR=str(tmp_path / "scratch"))
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_no_branch_no_file_and_no_process(
    hanging: subprocess.Popen[str], repository: Path, tmp_path: Path, number: int, code: int
) -> None:
    until(lambda: "chimera/" in git(repository, "branch") and bool(sleepers(tmp_path)))
    hanging.send_signal(number)
    _, talk = hanging.communicate(timeout=DEADLINE_S)
    assert hanging.returncode == code
    assert "Traceback" not in talk
    assert git(repository, "branch", "--format=%(refname:short)") == "main"
    assert list((tmp_path / "scratch").iterdir()) == []
    assert sleepers(tmp_path) == []


def until(true: Callable[[], bool]) -> None:
    """Wait for a condition, with a deadline."""
    end = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)


def sleepers(tmp_path: Path) -> list[str]:
    """The processes whose command line names this test's directory and the coder's sleep."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if "sleep 86399" in words and str(tmp_path) in words and process.name != str(os.getpid()):
            found.append(process.name)
    return found
