"""Source distributions from the package index, by pip, each once a session."""

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

FETCH_S = 240  #: pip also builds metadata, for which it fetches the library's build backend


class Shelf:
    """A directory of unpacked source distributions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.source = lru_cache(self._fetched)

    def _fetched(self, name: str, version: str) -> Path:
        """The unpacked sources of one version.

        Where the index does not give them the test is skipped, or fails where
        REQUIRE_ALL is set.
        """
        place = self._folder / f"{name}-{version}"
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:",
             f"--dest={place}", f"{name}=={version}"],
            capture_output=True, text=True, timeout=FETCH_S, check=False,
        )  # fmt: skip
        archives = sorted(place.glob("*.tar.gz"))
        if done.returncode or not archives:
            _unreachable(f"the package index gives no sources of {name} {version}", done.stderr)
        # Python's own safe way to unpack is missing before 3.11.4, which Debian 12 has not.
        subprocess.run(["tar", "-xzf", archives[0], "-C", place], check=True, timeout=FETCH_S)
        [source] = (path for path in place.iterdir() if path.is_dir())
        return source


def _unreachable(what: str, told: str) -> None:
    text = f"{what}: {told.strip()[-800:]}"
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(text)
    pytest.skip(text)
