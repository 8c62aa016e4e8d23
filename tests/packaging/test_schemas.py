"""Files that other programs read fit those programs' own published schemas.

The schemas come along with check-jsonschema; nothing is fetched.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.tools import ROOT, absent, run

FILES = {
    "vendor.github-workflows": (
        ".github/workflows/ci.yml",
        ".github/workflows/release.yml",
        "bot/demo/shop/.github/workflows/deploy.yml",
        "config/templates/deploy.yml",
    ),
    "vendor.github-issue-forms": (
        ".github/ISSUE_TEMPLATE/change.yml",
        "config/templates/issue-form.yml",
    ),
    "vendor.github-issue-config": (".github/ISSUE_TEMPLATE/config.yml",),
    "vendor.compose-spec": ("config/compose/compose.yml",),
}


def checked(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    if importlib.util.find_spec("check_jsonschema") is None:
        absent("check-jsonschema is not installed")
    return run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files])


@pytest.mark.parametrize("schema", FILES)
def test_files_are_what_their_readers_describe(schema: str) -> None:
    done = checked(schema, *(ROOT / name for name in FILES[schema]))
    assert done.returncode == 0, done.stdout


def test_every_workflow_is_looked_at() -> None:
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(".github/workflows/*")}
    assert there <= set(FILES["vendor.github-workflows"])


@pytest.mark.parametrize(
    ("name", "schema", "right", "wrong"),
    [
        (".github/workflows/release.yml", "vendor.github-workflows", "runs-on:", "runs_on:"),
        ("config/compose/compose.yml", "vendor.compose-spec", "read_only:", "readonly:"),
    ],
)
def test_a_misspelt_member_of_one_would_be_noticed(
    tmp_path: Path, name: str, schema: str, right: str, wrong: str
) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert right in text
    (tmp_path / "misspelt.yml").write_text(text.replace(right, wrong))
    assert checked(schema, tmp_path / "misspelt.yml").returncode == 1
