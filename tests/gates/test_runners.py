"""Real runners where this machine has them, and the closing lines of the others."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.dialects import Runner
from bot.workflow.runners import Counts, describe, read_output, why_not_red

PYTEST = f"{sys.executable} -m pytest -p no:cacheprovider"


def run(command: str, folder: Path) -> tuple[int, str]:
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def counted(command: str, folder: Path, **files: str) -> Counts:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return read_output(command, *run(command, folder))


@pytest.mark.parametrize("how", ["", "-q", "-qq", "-v", "--tb=short", "--color=yes"])
def test_a_failed_assertion_is_an_honest_red_in_every_form_of_pytest(
    tmp_path: Path, how: str
) -> None:
    counts = counted(
        f"{PYTEST} {how}", tmp_path, test_x="def test_a(): assert 404 == 200\ndef test_b(): pass\n"
    )
    assert counts.runner is Runner.PYTEST
    assert counts.failed == 1
    assert why_not_red(counts) is None
    if how != "-qq":
        assert (counts.collected, counts.passed) == (2, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nowhere\ndef test_a(): assert nowhere.x\n", "a module that the tests import"),
        ("def test_a(): import nowhere\n", "a module that the tests import"),
        ("def test_a(:\n", "not valid Python"),
        ("def test_a(): assert undefined_thing\n", "a name that does not exist"),
        ("def test_a(no_such_fixture): assert 0\n", "a fixture that does not exist"),
        ("def helper(): assert 0\n", "collected no test"),
        (
            "import urllib.request\ndef test_a(): urllib.request.urlopen('http://127.0.0.1:9/')\n",
            "nothing answered",
        ),
        (
            "import pytest\n@pytest.fixture\ndef shop(): raise RuntimeError('x')\n"
            "def test_a(shop): assert 0\n",
            "before they could assert",
        ),
    ],
)
def test_a_broken_test_is_no_proof(tmp_path: Path, text: str, words: str) -> None:
    counts = counted(f"{PYTEST} -q", tmp_path, test_x=text)
    assert counts.broken is not None
    assert words in counts.broken
    assert why_not_red(counts) == counts.broken


def test_a_missing_module_is_honest_only_where_the_module_is_the_feature(tmp_path: Path) -> None:
    counts = counted(f"{PYTEST} -q", tmp_path, test_x="import nowhere\ndef test_a(): assert 1\n")
    assert why_not_red(counts) is not None
    assert why_not_red(counts, allow_import_red=True) is None


def test_a_syntax_error_beside_a_missing_module_is_never_honest(tmp_path: Path) -> None:
    counts = counted(f"{PYTEST} -q", tmp_path, test_x="import nowhere\n", test_y="def test_a(:\n")
    assert why_not_red(counts, allow_import_red=True) is not None


def test_a_wrong_call_of_pytest_is_named(tmp_path: Path) -> None:
    counts = counted(f"{PYTEST} -q no/such/path", tmp_path)
    assert counts.broken is not None
    assert "called wrongly" in counts.broken


def test_skips_and_expected_failures_are_counted(tmp_path: Path) -> None:
    text = (
        "import pytest\n@pytest.mark.skip\ndef test_a(): pass\n"
        "@pytest.mark.xfail\ndef test_b(): assert 0\ndef test_c(): pass\n"
    )
    counts = counted(PYTEST, tmp_path, test_x=text)
    assert (counts.skipped, counts.xfailed, counts.passed) == (1, 1, 1)


def test_a_run_of_nothing_but_skips_is_not_red(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.skip\ndef test_a(): pass\n"
    counts = counted(f"{PYTEST} -q", tmp_path, test_x=text)
    assert counts.exit_code == 0
    assert why_not_red(counts) == "no test passed or failed: 1 skipped"


def test_tests_that_pass_on_the_base_are_no_red(tmp_path: Path) -> None:
    counts = counted(f"{PYTEST} -q", tmp_path, test_x="def test_a(): assert 1\n")
    assert "pass on the unchanged base" in str(why_not_red(counts))


UNITTEST = (
    "import unittest\nclass T(unittest.TestCase):\n"
    "  def test_a(self): self.assertEqual(404, 200)\n"
    "  def test_b(self): raise OSError('x')\n"
    "  @unittest.skip('x')\n  def test_c(self): pass\n  def test_d(self): pass\n"
)


def test_unittest_is_counted(tmp_path: Path) -> None:
    counts = counted(f"{sys.executable} -m unittest", tmp_path, test_x=UNITTEST)
    assert counts.runner is Runner.UNITTEST
    assert (counts.collected, counts.passed) == (4, 1)
    assert (counts.failed, counts.errors, counts.skipped) == (1, 1, 1)
    assert why_not_red(counts) is None


def test_unittest_that_cannot_import_its_test_is_broken(tmp_path: Path) -> None:
    counts = counted(f"{sys.executable} -m unittest", tmp_path, test_x="import nowhere\n")
    assert counts.import_only
    assert why_not_red(counts) is not None


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_runner_of_node_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.test.js").write_text(
        "const {test}=require('node:test'),assert=require('node:assert');"
        "test('a',()=>assert.equal(404,200));test('b',()=>{});"
    )
    counts = read_output("node --test", *run("node --test", tmp_path))
    assert (counts.runner, counts.failed, counts.passed) == (Runner.NODE, 1, 1)
    assert why_not_red(counts) is None


JEST = "Test Suites: 1 failed, 1 total\nTests:       1 failed, 1 skipped, 2 passed, 4 total\n"
VITEST = " Test Files  1 failed (1)\n      Tests  1 failed | 2 passed | 1 skipped (4)\n"
GO = "--- FAIL: TestA (0.00s)\nFAIL\nFAIL\texample.com/a\t0.01s\nok  \texample.com/b\t0.01s\n"
CARGO = "test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; finished in 0s\n"
MOCHA = "\n  2 passing (12ms)\n  1 pending\n  1 failing\n\n  1) cart\n"


@pytest.mark.parametrize(
    ("command", "output", "runner", "expected"),
    [
        ("npx jest", JEST, Runner.JEST, (4, 2, 1, 1)),
        ("npm test", JEST, Runner.JEST, (4, 2, 1, 1)),
        ("npx vitest run", VITEST, Runner.VITEST, (4, 2, 1, 1)),
        ("npm test", VITEST, Runner.VITEST, (4, 2, 1, 1)),
        ("npx mocha", MOCHA, Runner.MOCHA, (4, 2, 1, 1)),
        ("go test ./...", GO, Runner.GO, (2, 1, 1, 0)),
        ("cargo test", CARGO, Runner.CARGO, (4, 2, 1, 1)),
        ("make test", CARGO, Runner.CARGO, (4, 2, 1, 1)),
        ("make test", "3 failed, 1 passed in 62.11s (0:01:02)", Runner.PYTEST, (4, 1, 3, 0)),
    ],
)
def test_the_closing_line_of_each_runner_is_read(
    command: str, output: str, runner: Runner, expected: tuple[int, int, int, int]
) -> None:
    counts = read_output(command, 1, output)
    assert counts.runner is runner
    assert (counts.collected, counts.passed, counts.failed, counts.skipped) == expected
    assert why_not_red(counts) is None


@pytest.mark.parametrize(
    ("command", "output", "import_only"),
    [
        ("npx jest", "● Test suite failed to run\n SyntaxError: x\nTest Suites: 1 failed\n", False),
        ("npx jest", "Test suite failed to run\nCannot find module './x'\nTest Suites: 1\n", True),
        ("npx jest", "No tests found, exiting with code 1", False),
        ("npx vitest", " Test Files  1 failed (1)\n      Tests  no tests\nFailed Suites 1", False),
        ("npx vitest", "Failed to load url ./x\n Test Files  1 failed (1)\n", True),
        ("npx mocha", "Error: Cannot find module 'x'", True),
        ("go test ./...", "FAIL\texample.com/a [build failed]\nFAIL\n", False),
        ("cargo test", "error[E0432]: unresolved import\nerror: could not compile `x`\n", True),
        ("cargo test", "error: could not compile `x`\n", False),
        ("python -m pytest", "/usr/bin/python: No module named pytest", False),
    ],
)
def test_a_runner_that_never_ran_a_test_proves_nothing(
    command: str, output: str, import_only: bool
) -> None:
    counts = read_output(command, 1, output)
    assert counts.broken is not None
    assert counts.import_only is import_only
    assert why_not_red(counts) == counts.broken


@pytest.mark.parametrize(
    ("code", "words"), [(124, "time ran out"), (137, "signal 9"), (-9, "signal 9"), (127, "found")]
)
@pytest.mark.parametrize("output", ["", "1 failed in 0.1s\n"])
def test_a_killed_run_is_no_proof_whatever_it_printed(code: int, words: str, output: str) -> None:
    assert words in str(why_not_red(read_output("pytest", code, output)))


def test_of_an_unknown_runner_the_exit_code_is_believed_and_nothing_is_counted() -> None:
    counts = read_output("./check.sh", 1, "cart: expected 200, got 404\n")
    assert counts.runner is Runner.UNKNOWN
    assert why_not_red(counts) is None
    assert "nothing was counted" in describe(counts)


@given(st.text(), st.sampled_from(["pytest", "npx jest", "go test", "x"]), st.integers(-20, 300))
def test_no_output_makes_it_raise(output: str, command: str, code: int) -> None:
    counts = read_output(command, code, output)
    assert (why_not_red(counts) is None) <= (code != 0)


def test_the_time_it_takes_grows_with_the_output_and_no_faster() -> None:
    line = "1 aaaa, " * 20_000 + "\n" + "E   " * 20_000 + "\n" + "=" * 100_000
    assert read_output("pytest", 1, line).broken is not None
