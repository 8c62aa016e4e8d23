"""What the demo is made of, as paths and text."""

import difflib
import json
from pathlib import Path

from bot.errors import InputError

_HERE = Path(__file__).parent

SHOP = _HERE / "shop"  #: the sample application; its content is the first commit
LEFT_OUT = ("__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache")  #: never part of it


def issue() -> tuple[str, str]:
    """Title and body of the issue that the recorded session answers."""
    title, _, body = (_HERE / "issue.md").read_text(encoding="utf-8").partition("\n")
    return title, body.strip() + "\n"


def alterations() -> dict[str, str]:
    """The recordings with one altered answer: by name, what it is and where it is caught."""
    files = sorted((_HERE / "altered").glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8"))["about"] for file in files}


def recording(alter: str = "") -> Path:
    """The recorded session, or the one with this answer altered. Raises InputError."""
    if not alter:
        return _HERE / "session.json"
    known = alterations()
    if alter not in known:
        near = difflib.get_close_matches(alter, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        raise InputError(f"no recording with {alter!r} altered. {hint}")
    return _HERE / "altered" / f"{alter}.json"


def files() -> dict[str, bytes]:
    """The sample application's files by path: the repository's first commit."""
    paths = (path for path in SHOP.rglob("*") if path.is_file())
    return {
        path.relative_to(SHOP).as_posix(): path.read_bytes()
        for path in sorted(paths)
        if not set(path.relative_to(SHOP).parts) & set(LEFT_OUT)
    }
