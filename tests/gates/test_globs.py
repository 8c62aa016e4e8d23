import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.globs import matches_any

PATTERNS = [
    ".github/**",
    "*.lock",
    "/Makefile",
    "docs/",
    "a/**/z",
    "**/secret.txt",
    "src/*.py",
    "[ab]?.md",
    "lib/**",
    "x*y",
    "[!a]b",
    "a/*",
]
PATHS = [
    ".github/workflows/ci.yml",
    "x/.github/a",
    "uv.lock",
    "sub/uv.lock",
    "Makefile",
    "sub/Makefile",
    "docs/a/b",
    "sub/docs/a",
    "a/z",
    "a/b/c/z",
    "b/a/z",
    "secret.txt",
    "q/secret.txt",
    "src/a.py",
    "src/a/b.py",
    "ab.md",
    "k/b1.md",
    "lib/x",
    "xy",
    "x/y",
    "xaay/b",
    "cb",
    "ab",
    "a/b/c",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_agrees_with_git_itself(tmp_path: Path, pattern: str) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text(pattern + "\n")
    asked = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "--stdin"],
        input="\n".join(PATHS),
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [path for path in PATHS if matches_any(path, [pattern])]
    assert ours == asked.stdout.splitlines()


def test_an_exclamation_mark_takes_nothing_out() -> None:
    assert matches_any("a.lock", ["*.lock", "!a.lock"]) == "*.lock"


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_pattern_makes_it_raise(path: str, pattern: str) -> None:
    matches_any(path, [pattern])


@given(st.lists(st.text("abc.", min_size=1, max_size=4), min_size=1, max_size=5))
def test_a_folder_covers_everything_under_it(parts: list[str]) -> None:
    assert matches_any("/".join(["top", *parts]), ["/top"])
    assert matches_any("/".join(["deep", "top", *parts]), ["top/"])
