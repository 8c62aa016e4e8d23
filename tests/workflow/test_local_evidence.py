"""The evidence that a local run leaves on its branch can be checked by anybody with a clone."""

import copy
import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.agents.command import CommandAgent
from bot.domain import Role, Status
from bot.workflow.evidence import FIRST
from bot.workflow.local_run import LocalRun, run_local
from bot.workflow.verifying import read_bundle, verify

CONFIG = b"""
version: 1
e2e: {test: "python -m pytest -q -p no:cacheprovider {path}"}
checks: {test: "python -m pytest -q -p no:cacheprovider tests/test_old.py"}
"""
FILES = {
    "greet.py": "def greet(name):\n    return 'hello ' + name\n",
    "conftest.py": "",
    "tests/test_old.py": "import greet\nimport people\n\n\ndef test_it_greets():\n"
    "    assert greet.greet(people.ADA) == 'hello ada'\n",
    # Without this step, which both the run and the check of its evidence have to take, none passes.
    ".github/workflows/copilot-setup-steps.yml": "jobs:\n  copilot-setup-steps:\n    steps:\n"
    "      - uses: actions/checkout@v4\n"
    "      - run: |\n          echo \"ADA = 'ada'\" > people.py\n",
}
AGENT = r"""
case "$CHIMERA_ROLE" in
e2e-tester)
  mkdir -p tests/e2e
  printf 'import greet\n\n\ndef test_farewell():\n' > tests/e2e/test_farewell.py
  printf '    assert greet.farewell("ada") == "bye ada"\n' >> tests/e2e/test_farewell.py ;;
coder)
  printf '\n\ndef farewell(name):\n    return "bye " + name\n' >> greet.py ;;
guardian)
  printf '{"decision": "approve", "summary": "small and tested"}' > "$CHIMERA_RESULT" ;;
esac
"""


Claim = tuple[tuple[str | int, ...], object, str]  #: a place, what is claimed, and what finds it

#: By somebody who can make the chain fit again.
CLAIMS: Sequence[Claim] = (
    (("trigger", "text"), "Say nothing at all", "trigger"),
    (("red", "exit_code"), 0, "red"),
    (("green", 0, "passed"), 7, "green: end to end"),
    (("green", 1, "failed"), 3, "green: the others"),
    (("green", 0, "command"), "true", "green: end to end"),
    (("commits", "head_tree"), "0" * 40, "tree"),
    (("tests", 0, "sha256"), "0" * 64, "accepted tests"),
)
#: Those that would hide what others are found by.
ALONE: Sequence[Claim] = (
    (("commits", "base"), "0" * 40, "commits"),
    (("commits", "tests"), "", "red"),
    (("commits",), "gone", "sections"),
    (("red", "exit_code"), "one", "sections"),
)
LEFT_OUT: Sequence[Claim] = (
    (("tests",), [], "accepted tests"),
    (("green",), [], "green: end to end"),
    (("green",), [], "green: the others"),
    (("red",), None, "red"),
    (("commits", "head_tree"), "", "tree"),
    (("commits", "validated_tree"), "", "tree"),
)


def forged(document: Mapping[str, Any], *claims: Claim) -> dict[str, Any]:
    """A bundle with other values at some places and a chain that fits."""
    sections = copy.deepcopy(document["sections"])
    for place, value, _found_by in claims:
        at: Any = sections
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value
    link, chain = FIRST, {}
    for name, section in sections.items():
        text = json.dumps(section, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        link = hashlib.sha256(f"{link}{name}{text}".encode()).hexdigest()
        chain[name] = link
    return {**document, "sections": sections, "chain": chain}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small library under git."""
    home = tmp_path / "greetings"
    for name, text in FILES.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "A greeting"]):
        subprocess.run(["git", *identity, *words], cwd=home, check=True, timeout=30)
    return home


@pytest.mark.slow
async def test_the_evidence_of_a_local_run_holds_until_a_word_of_it_is_changed(
    repository: Path,
) -> None:
    layer = ("server", CONFIG)
    agents = dict.fromkeys(Role, CommandAgent(command=AGENT))
    done = await run_local(repository, "Say farewell, too", agents, config=layer)
    assert done.task.status is Status.COMPLETED, done.task.summary
    document = read_bundle(_evidence(repository, done).encode())
    checks = await verify(document, repository, config=layer)
    assert [check for check in checks if not check.ok] == []
    assert [check.name for check in checks][-3:] == [
        "red",
        "green: end to end",
        "green: the others",
    ]

    fresh = repository.with_name("fresh")
    _git(repository.parent, "clone", "-q", "--no-local", "--single-branch", "greetings", "fresh")
    without = await verify(document, fresh, config=layer)
    assert [check.name for check in without if not check.ok] == ["commits"]
    _git(fresh, "fetch", "-q", "origin", done.task.facts.branch)  # on no branch of this clone
    assert [check for check in await verify(document, fresh, config=layer) if not check.ok] == []

    commits = document["sections"]["commits"]
    another_base: Claim = (("commits", "base"), commits["head"], "history")
    for claims in (CLAIMS, LEFT_OUT, *([claim] for claim in (*ALONE, another_base))):
        checks = await verify(forged(document, *claims), repository, config=layer)
        found = {check.name for check in checks if not check.ok}
        assert found == {found_by for _, _, found_by in claims}, checks

    document["sections"]["red"]["failed"] += 1
    broken = await verify(document, repository, config=layer)
    assert [(check.name, check.ok) for check in broken] == [("chain", False)]
    assert "red" in broken[0].detail


def _git(where: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=where, check=True, timeout=30)


def _evidence(repository: Path, done: LocalRun) -> str:
    """What the last commit of the branch added, as text."""
    path = f".chimera/{done.task.id}.json"
    words = ["git", "show", f"{done.task.facts.branch}:{path}"]
    shown = subprocess.run(
        words, cwd=repository, check=True, capture_output=True, text=True, timeout=30
    )
    assert json.loads(shown.stdout)["version"] == 1
    return shown.stdout
