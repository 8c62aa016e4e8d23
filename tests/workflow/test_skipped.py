"""Code that makes the accepted tests skip has not made them pass."""

import subprocess
from pathlib import Path

import pytest
import yaml

from bot import ChimeraExecutor, create_chimera_task
from bot.demo.ports import free_port
from bot.domain import Cause, Phase, Status, WaitFor
from bot.facts import Proof
from tests.stories.actors import cast
from tests.stories.sample import ASKING, SERVER, TITLE, UNIT_TEST, code

CONFIG = Path(".github/chimera.yml")
SAYS = """    def test_{page}_is_said(self):
        self.assertEqual(page("/{page}"), "{says}\\n")
"""
HEAD = """import unittest

from greeter.__main__ import page


class Page(unittest.TestCase):
"""
SKIPPING = SERVER.replace(
    "    file = ",
    '    if path == "/goodbye":\n'
    "        import unittest\n\n"
    '        raise unittest.SkipTest("not today")\n'
    "    file = ",
)


@pytest.fixture
def library(repository: Path) -> Path:
    """The sample as something that is imported: nothing is served, so nobody counts questions."""
    config = yaml.safe_load((repository / CONFIG).read_text())
    del config["e2e"]["serve"]
    return committed(repository, CONFIG, yaml.safe_dump(config))


def committed(repository: Path, path: Path | str, text: str) -> Path:
    (repository / path).write_text(text)
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    subprocess.run(["git", *who, "commit", "-qam", "Another"], cwd=repository, check=True)
    return repository


@pytest.mark.parametrize(
    ("others", "said"),
    [("", "every one was skipped"), (SAYS.format(page="welcome", says="Welcome"), "1 is skipped")],
    ids=["all of them", "one of two"],
)
async def test_a_coder_whose_code_skips_the_accepted_tests_is_not_green(
    library: Path, others: str, said: str
) -> None:
    agents = cast()
    tests = HEAD + SAYS.format(page="goodbye", says="Goodbye") + others
    agents.e2e_tester.writes({"tests/e2e/test_pages.py": tests})
    agents.coder.writes(code("welcome", "Welcome") | {"greeter/__main__.py": SKIPPING})
    executor = ChimeraExecutor(agents_registry=agents.registry(), repository=library)
    done = await executor.execute_workflow(create_chimera_task(feature=TITLE))
    assert (done.status, done.task.cause) == (Status.FAILED, Cause.NOT_GREEN)
    assert said in agents.coder.briefs[1].prompt


async def test_tests_that_skip_what_does_not_answer_have_not_validated_it(
    repository: Path,
) -> None:
    gone = "    except OSError:\n        raise unittest.SkipTest('nothing answers')\n"
    asking = f"{ASKING}{gone}".replace("import os\n", "import os\nimport unittest\n")
    committed(repository, "tests/e2e/asking.py", asking)
    agents, url = cast(), f"http://127.0.0.1:{free_port()}"
    executor = ChimeraExecutor(agents_registry=agents.registry(), repository=repository)
    task = create_chimera_task(feature=TITLE, target_url=url)
    done = await executor.execute_workflow(task)
    assert (done.status, done.task.cause) == (Status.FAILED, Cause.VALIDATION)
    assert f"The end-to-end tests are all skipped on {url}" in done.task.summary
    assert done.result.deployment_url == ""


async def test_a_base_that_skips_its_own_tests_waits_for_a_person(repository: Path) -> None:
    skipped = UNIT_TEST.replace("class", "@unittest.skip('later')\nclass")
    committed(repository, "tests/unit/test_pages.py", skipped)
    executor = ChimeraExecutor(agents_registry=cast().registry(), repository=repository)
    done = await executor.execute_workflow(create_chimera_task(feature=TITLE))
    assert done.phase is Phase.E2E_TEST_GENERATION
    assert done.task.wait is not None
    assert done.task.wait.on is WaitFor.CONFIGURATION
    assert "skips every test on `main`" in done.task.wait.reason


@pytest.mark.parametrize(
    ("passed", "skipped", "green"), [(0, 0, True), (2, 0, True), (1, 1, True), (0, 1, False)]
)
def test_a_run_of_nothing_but_skips_is_not_green(passed: int, skipped: int, green: bool) -> None:
    proof = Proof(command="x", sha="a" * 40, exit_code=0, passed=passed, skipped=skipped)
    assert proof.green is green
