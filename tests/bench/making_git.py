"""Repositories for benches."""

import random
import subprocess
from pathlib import Path


def make_repository(path: Path, mebibytes: int) -> str:
    """Incompressible files of 64 KiB and the same again as history; the head's SHA."""
    path.mkdir()
    _git(path, "init", "--quiet", "--initial-branch=main")
    made = random.Random(7)
    for version in range(2):
        for number in range(mebibytes * 8):
            (path / f"file-{number}").write_bytes(made.randbytes(64 * 1024))
        _git(path, "add", "--all")
        _git(path, "-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", f"v{version}")
    return _git(path, "rev-parse", "HEAD")


def _git(path: Path, *args: str) -> str:
    ran = subprocess.run(["git", *args], cwd=path, check=True, capture_output=True, text=True)
    return ran.stdout.strip()
