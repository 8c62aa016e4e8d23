"""Repositories for `chimera run`, and the program itself, as people start it."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .libraries import Library

RUN_S = 400  #: a whole run on a machine that does other things, too
BRING = Path(__file__).with_name("bring.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one `chimera run` came to."""

    code: int
    out: str
    talk: str  #: standard error

    @property
    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.out)
        return read


def git(repository: Path, *args: str) -> str:
    """One git command of a person's."""
    who = ["-c", "user.name=A Person", "-c", "user.email=person@example.test"]
    done = subprocess.run(
        ["git", *who, *args], cwd=repository, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def repository_of(files: Path, place: Path) -> Path:
    """What lies in a directory, as the first commit of a repository."""
    git(files, "init", "--quiet", "--initial-branch=main", str(place))
    git(place, f"--work-tree={files}", "add", "--all")
    git(place, "commit", "--quiet", "--message=As released")
    git(place, "reset", "--quiet", "--hard")
    return place


def environment(**more: str) -> dict[str, str]:
    """This process's, without any setting of Chimera's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHIMERA_")}
    return {**kept, **more}


def run_argv(repository: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "bot", "run", "--repo", str(repository), *words]


def chimera_run(repository: Path, *words: str) -> Told:
    """`chimera run` in a process of its own, to its end."""
    done = subprocess.run(
        run_argv(repository, *words), capture_output=True, text=True, timeout=RUN_S,
        env=environment(), check=False,
    )  # fmt: skip
    return Told(code=done.returncode, out=done.stdout, talk=done.stderr)


def bringing(
    source: Path, tests: Sequence[str], code: Sequence[str], add: Mapping[str, str] | None = None
) -> list[str]:
    """The options for an agent that brings these files of `source`."""
    plan = json.dumps({"e2e-tester": list(tests), "coder": list(code), "add": dict(add or {})})
    command = shlex.join(["python3", str(BRING), str(source), plan])
    return ["--agent", f"command:{command}", "--show", str(BRING), "--show", str(source)]


def words_for(library: Library, source: Path, config: Path, **more: Mapping[str, str]) -> list[str]:
    """Everything that a run for a library's feature is started with."""
    config.write_text(library.config)
    brought = bringing(source, library.tests, library.code, more.get("add"))
    return ["--feature", library.feature, *brought, "--config", str(config), "--json"]
