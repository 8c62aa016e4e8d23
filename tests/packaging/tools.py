"""Checkers that a machine may lack; what is absent is reported, and fails where all is required."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
TOOL_S = 120


def program(name: str) -> str:
    """The path of a program; without it the test is not exercised here."""
    found = shutil.which(name)
    return found if found is not None else absent(f"{name} is not installed")


def absent(what: str) -> NoReturn:
    """Something is missing: listed at the end of the run, a failure with REQUIRE_ALL."""
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(what)
    pytest.skip(what)


def run(
    argv: Sequence[str | Path], *, cwd: Path = ROOT, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in argv],
        cwd=cwd, input=stdin, capture_output=True, text=True, timeout=TOOL_S, check=False,
    )  # fmt: skip
