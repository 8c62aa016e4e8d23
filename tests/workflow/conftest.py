"""A repository of this machine for whole runs without a hub."""

import subprocess
from pathlib import Path

import pytest

from tests.stories.sample import files


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The sample application as somebody's checkout."""
    path = tmp_path / "mine"
    for name, text in files({"limits": {"turns": 5, "rounds": 3}}).items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(text))
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-qm", "First"]):
        subprocess.run(["git", *words], cwd=path, check=True, capture_output=True)
    return path
