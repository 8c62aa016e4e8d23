"""What a change adds to the list of things the project is made of.

Reads the manifests of Python, Node, Go and Rust; a file that cannot be read is named as such,
because an unreadable list of dependencies is worth a look too.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from bot.workflow.globs import matches_any

UNREADABLE = "this list of dependencies cannot be read"


def new_dependencies(path: str, old: str | None, new: str | None) -> list[str] | None:
    """Names that `new` requires and `old` did not; None where `path` is no manifest we read.

    Raises ValueError where the new text is a manifest that cannot be read.
    """
    read = _reader(path)
    if read is None:
        return None
    if new is None:
        return []
    before = _names_or_none(read, old)
    return sorted(read(new) - before)


def _names_or_none(read: Callable[[str], set[str]], old: str | None) -> set[str]:
    try:
        return read(old) if old else set()
    except ValueError:
        return set()


def _reader(path: str) -> Callable[[str], set[str]] | None:
    return next((read for glob, read in _READERS if matches_any(path, [glob])), None)


def _requirements(text: str) -> set[str]:
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {_python_name(line) for line in lines if line and not line.startswith("-")}


def _pyproject(text: str) -> set[str]:
    document = tomllib.loads(text)
    return {_python_name(r) for r in _python_requirements(document)} - {"python"}


def _python_requirements(document: dict[str, object]) -> Iterator[str]:
    project = _table(document, "project")
    yield from _strings(project.get("dependencies"))
    for group in _table(project, "optional-dependencies").values():
        yield from _strings(group)
    for group in _table(document, "dependency-groups").values():
        yield from _strings(group)
    yield from _strings(_table(document, "build-system").get("requires"))
    yield from _table(_table(_table(document, "tool"), "poetry"), "dependencies")


def _package_json(text: str) -> set[str]:
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError(UNREADABLE)
    kinds = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
    return {name for kind in kinds for name in _table(document, kind)}


def _go_mod(text: str) -> set[str]:
    return set(re.findall(r"^\s*(?:require\s+)?([\w.\-]+\.[\w./\-~]+) v\d", text, re.MULTILINE))


def _cargo(text: str) -> set[str]:
    document = tomllib.loads(text)
    kinds = ("dependencies", "dev-dependencies", "build-dependencies")
    tables = [document, _table(document, "workspace"), *_table(document, "target").values()]
    return {name for table in tables for kind in kinds for name in _table(table, kind)}


def _table(holder: object, key: str) -> dict[str, object]:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))


def _python_name(requirement: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._\-]*", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else requirement


_READERS: tuple[tuple[str, Callable[[str], set[str]]], ...] = (
    ("requirements*.txt", _requirements),
    ("requirements/*.txt", _requirements),
    ("pyproject.toml", _pyproject),
    ("package.json", _package_json),
    ("go.mod", _go_mod),
    ("Cargo.toml", _cargo),
)

_LOCKS = frozenset(
    [
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "uv.lock",
        "Pipfile.lock",
        "go.sum",
        "Cargo.lock",
    ]
)


def is_lock(path: str) -> bool:
    """Whether a tool writes this file from a manifest."""
    return PurePosixPath(path).name in _LOCKS
