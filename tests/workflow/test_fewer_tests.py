"""Tests that no longer run have not passed, whatever the exit code says."""

from pathlib import Path

import pytest

from bot import ChimeraExecutor, create_chimera_task
from bot.domain import Cause, Status
from bot.facts import Proof
from bot.workflow.dialects import Runner
from bot.workflow.runners import Counts
from bot.workflow.trial import Trial
from tests.stories.actors import cast
from tests.stories.sample import TITLE, code

#: Code of the application, which no gate of tests looks at: once a test has imported it, it ends
#: the process, or takes a test away from the runner.
ENDS = "import os, sys\n\nif 'unittest' in sys.modules:\n    os._exit(0)\n"
TAKES_AWAY = """import sys

if 'unittest' in sys.modules:
    import unittest

    found = unittest.TestLoader.getTestCaseNames
    unittest.TestLoader.getTestCaseNames = lambda self, case: found(self, case)[:1]
"""


@pytest.mark.parametrize(
    ("trick", "said"),
    [
        (ENDS, "end with exit code 0 before their runner could say what it ran"),
        (TAKES_AWAY, "pass, but they are 1, and on the base 2 passed"),
    ],
    ids=["ends the runner", "takes a test away"],
)
async def test_a_coder_whose_code_keeps_the_tests_from_running_is_not_green(
    repository: Path, trick: str, said: str
) -> None:
    agents = cast()
    agents.coder.writes(code("goodbye", "Goodbye") | {"greeter/__init__.py": trick})
    executor = ChimeraExecutor(agents_registry=agents.registry(), repository=repository)
    done = await executor.execute_workflow(create_chimera_task(feature=TITLE))
    assert (done.status, done.task.cause) == (Status.FAILED, Cause.NOT_GREEN)
    assert f"The repository's own tests {said}" in agents.coder.briefs[1].prompt


@pytest.mark.parametrize(
    ("before", "passed", "counted", "short"),
    [
        ({"passed": 2, "counted": True}, 2, True, False),
        ({"passed": 2, "counted": True}, 1, True, True),
        ({"passed": 2, "counted": True}, 0, False, True),
        ({"failed": 3, "counted": True}, 1, True, False),
        ({"failed": 3, "counted": True}, 0, True, True),
        ({"failed": 3}, 0, False, False),  # pytest -qq has no closing line at all
        ({"counted": True}, 0, True, False),  # a repository that has no tests yet
    ],
)
def test_what_ran_on_the_base_has_to_run_now(
    before: dict[str, int], passed: int, counted: bool, short: bool
) -> None:
    base = Proof(command="x", sha="a" * 40, exit_code=1, **before)  # type: ignore[arg-type]
    proof = Proof(command="x", sha="b" * 40, exit_code=0, passed=passed, counted=counted)
    counts = Counts(runner=Runner.PYTEST, exit_code=0, passed=passed, whole=counted)
    assert bool(Trial(proof=proof, counts=counts).short_of_green(base)) is short
