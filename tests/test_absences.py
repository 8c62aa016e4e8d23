"""A skip is seen, and where everything is required it is a failure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.absences import REQUIRE_ALL

SUITE = """
import pytest

@pytest.mark.skip(reason="no such server here")
def test_with_a_server():
    raise AssertionError

def test_without():
    pass
"""


def run(folder: Path, suite: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_suite.py").write_text(suite)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.absences", str(folder)],
        cwd=Path(__file__).parents[1],
        env={k: v for k, v in os.environ.items() if k != REQUIRE_ALL} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_was_not_exercised_is_listed_with_its_reason(tmp_path: Path) -> None:
    done = run(tmp_path, SUITE)
    assert done.returncode == 0
    assert "not exercised on this machine" in done.stdout
    assert "1  no such server here" in done.stdout


def test_an_absence_fails_a_run_that_requires_everything(tmp_path: Path) -> None:
    done = run(tmp_path, SUITE, **{REQUIRE_ALL: "1"})
    assert done.returncode == 1
    assert f"{REQUIRE_ALL} is set" in done.stdout


@pytest.mark.parametrize("environment", [{}, {REQUIRE_ALL: "1"}])
def test_a_run_that_left_nothing_out_lists_nothing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = run(tmp_path, "def test_one():\n    pass\n", **environment)
    assert done.returncode == 0
    assert "not exercised" not in done.stdout
