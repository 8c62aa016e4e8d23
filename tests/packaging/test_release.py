"""The release workflow: which tags it refuses, what it publishes, and with which rights."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import __version__
from tests.packaging.tools import ROOT, TOOL_S

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8"))
BUILD, PUBLISH = WORKFLOW["jobs"]["build"], WORKFLOW["jobs"]["publish"]


def step(named: str) -> dict[str, Any]:
    [found] = [one for one in BUILD["steps"] if one.get("name", "").startswith(named)]
    return dict(found)


def actions(job: dict[str, Any]) -> list[str]:
    return [one["uses"].split("@")[0] for one in job["steps"] if "uses" in one]


def refused(folder: Path, *, tag: str, chapter: str) -> bool:
    """Whether the workflow's own script refuses to release this."""
    (folder / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (folder / "CHANGELOG.md").write_text(f"# Changes\n\n{chapter}\n\n- News.\n")
    done = subprocess.run(
        ["bash", "-e", "-c", step("Refuse")["run"]],
        cwd=folder, env={"PATH": os.environ["PATH"], "TAG": tag},
        capture_output=True, timeout=TOOL_S, check=False,
    )  # fmt: skip
    return done.returncode != 0


@pytest.mark.parametrize(
    ("tag", "chapter", "is_refused"),
    [
        ("v1.2.3", "## 1.2.3, 2026-03-01", False),
        ("v1.2.4", "## 1.2.3, 2026-03-01", True),
        ("1.2.3", "## 1.2.3, 2026-03-01", True),
        ("v1.2.3", "## 1.2.3, not released", True),
        ("v1.2.3", "## 1.2.2, 2026-02-01", True),
    ],
)
def test_a_tag_is_the_version_and_its_changes_are_told(
    tmp_path: Path, tag: str, chapter: str, is_refused: bool
) -> None:
    assert refused(tmp_path, tag=tag, chapter=chapter) is is_refused


def test_the_present_version_has_its_chapter_of_changes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__
    assert f"\n## {__version__}, " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_what_is_published_was_tried_on_the_pinned_dependencies() -> None:
    tried = step("Try")["run"]
    assert "--require-hashes -r requirements.lock" in tried
    assert "--no-deps dist/*.whl" in tried
    assert "pip check" in tried
    assert "chimera version --json" in tried
    assert "import bot.app" in tried


def test_a_release_has_its_lock_its_bill_of_materials_and_two_signed_attestations() -> None:
    assert "cp requirements.lock dist/" in step("Build")["run"]
    assert "-o dist/chimera.cdx.json" in step("Say what is in it")["run"]
    assert actions(BUILD)[-3:] == [
        "actions/attest-build-provenance",
        "actions/attest-sbom",
        "actions/upload-artifact",
    ]


def test_no_job_has_more_rights_than_it_needs() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert BUILD["permissions"] == {
        "contents": "read",
        "id-token": "write",
        "attestations": "write",
    }
    assert PUBLISH["permissions"] == {"contents": "write"}
    assert "actions/checkout" not in actions(PUBLISH), "what publishes runs nothing of ours"
