"""What the program's source says of itself: comments behind members, and what is made use of."""

import ast
import inspect
import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path

from tests.docs.blocks import ROOT

BOT = ROOT / "bot"
_MEMBER = re.compile(r"^    (?P<name>[A-Z][A-Z0-9_]*) = .*?(?:  #: (?P<says>.+))?$", re.MULTILINE)
#: Rooms that say nothing about what the bot does: the hub it is tried on, the demo, the choices.
_ASIDE = ("localhub", "demo", "config")


def sayings(kind: type[StrEnum]) -> dict[str, str]:
    """The comment behind each member of an enum, by the member's value."""
    body = inspect.getsource(kind)
    said = {match["name"]: match["says"] or "" for match in _MEMBER.finditer(body)}
    return {member.value: said[member.name] for member in kind}


@cache
def attributes() -> frozenset[str]:
    """Every attribute name that the bot's rooms read or write."""
    nodes = (node for tree in _trees() for node in ast.walk(tree))
    return frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute))


@cache
def members_used(kind: type[StrEnum], *, outside: tuple[str, ...]) -> frozenset[str]:
    """Values of the members that some module names as `Kind.MEMBER`, files in `outside` apart."""
    found = set()
    for path in _files():
        if path.relative_to(BOT).as_posix().startswith(outside):
            continue
        for node in ast.walk(_tree(path)):
            match node:
                case ast.Attribute(value=ast.Name(id=kind.__name__), attr=name):
                    found.add(name)
    return frozenset(member.value for member in kind if member.name in found)


@cache
def says(pattern: str) -> bool:
    """Whether some module's text matches."""
    return any(re.search(pattern, path.read_text(encoding="utf-8")) for path in _files())


def matched_classes(module: str, function: str) -> frozenset[str]:
    """The classes that a function's `match` has a case for."""
    for node in ast.walk(_tree(BOT / module)):
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and node.name == function:
            patterns = [p for p in ast.walk(node) if isinstance(p, ast.MatchClass)]
            return frozenset(p.cls.id for p in patterns if isinstance(p.cls, ast.Name))
    raise LookupError(f"{module} has no function {function}")


def _files() -> Iterator[Path]:
    for path in sorted(BOT.rglob("*.py")):
        if path.relative_to(BOT).parts[0] not in _ASIDE:
            yield path


def _trees() -> Iterator[ast.Module]:
    return (_tree(path) for path in _files())


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
