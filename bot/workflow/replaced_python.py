"""What Python tests run with a substitute for: by mock, pytest-mock, monkeypatch, or by hand."""

import ast
import re
from collections.abc import Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
_BEFORE_EACH = ("setup", "asyncsetup")  #: how unittest's and pytest's own fixtures begin
_DOTTED = re.compile(r"\w+(?:\.\w+)+")
_MODULES = "sys.modules"
_LONGEST = 80  #: characters of a target that is no name
MAX_REACHED = 50  #: fixtures and helpers of one test that are followed


class Replaced:
    """The substitutes in one file, by whatever leads to them: fixtures and helpers are followed."""

    def __init__(self, tree: ast.Module, fixtures: Iterable[Function] = ()) -> None:
        """`fixtures` are others that its tests may ask for, from a conftest.py."""
        nodes = list(ast.walk(tree))
        own = (node for node in nodes if isinstance(node, Function))
        self._functions = {node.name: node for node in (*fixtures, *own)}
        self._imported = {
            (alias.asname or alias.name).partition(".")[0]
            for node in nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }

    def by(self, nodes: Iterable[ast.AST]) -> frozenset[str]:
        """What a test replaces, with its decorators; named as it names them."""
        found: set[str] = set()
        asked: set[str] = set()
        todo = list(nodes)
        while todo:
            for node in ast.walk(todo.pop()):
                found.update(self._targets(node))
                names = {name for name in _asks_for(node) if name in self._functions} - asked
                if len(asked) < MAX_REACHED:
                    asked |= names
                    todo += [self._functions[name] for name in names]
        return frozenset(found)

    def around(self, body: Iterable[ast.stmt]) -> frozenset[str]:
        """What a module or a class replaces for all of its tests."""
        return self.by(node for node in body if _runs_unasked(node))

    def _targets(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Call(func=func, args=[first, *rest]):
                yield from self._of_call(_dotted(func), first, rest)
            case ast.Assign(targets=[ast.Attribute() as left], value=value):
                if self._is_imported(left) and not isinstance(value, ast.Constant):
                    yield _dotted(left)
            case ast.Assign(targets=[ast.Subscript(value=holder)]) if _dotted(holder) == _MODULES:
                yield _MODULES

    def _of_call(self, name: str, first: ast.expr, rest: list[ast.expr]) -> Iterator[str]:
        match name.split("."):
            case [*owner, "patch"] if _patches(owner, first):
                yield _said(first)
            case ["setattr"] if not self._is_imported(first):
                return
            case [*_, "setattr" | "delattr"] | [*_, "patch", "object"]:
                yield _said(first) if isinstance(first, ast.Constant) else _member(first, rest)
            case [*_, "patch", "multiple"]:
                yield _said(first)
            case [*_, "setitem" | "delitem"] | [*_, "patch", "dict"]:
                yield from [_MODULES] if _said(first) == _MODULES else []

    def _is_imported(self, node: ast.expr) -> bool:
        return _dotted(node).partition(".")[0] in self._imported


def _runs_unasked(node: ast.stmt) -> bool:
    """Whether it is done for every test beside it, as plain statements are."""
    match node:
        case (
            ast.FunctionDef(name=name, decorator_list=marks)
            | ast.AsyncFunctionDef(name=name, decorator_list=marks)
        ):
            before_each = name.lower().startswith(_BEFORE_EACH)
            return before_each or any("autouse" in _keywords(mark) for mark in marks)
        case _:
            return not isinstance(node, ast.ClassDef)


def _keywords(node: ast.expr) -> set[str]:
    return {word.arg for word in node.keywords if word.arg} if isinstance(node, ast.Call) else set()


def _asks_for(node: ast.AST) -> Iterator[str]:
    """Names of functions that come with it: those called, and the fixtures of its parameters."""
    match node:
        case ast.arg(arg=name):
            yield name
        case ast.Call(func=func, args=args):
            name = _dotted(func).rpartition(".")[2]
            yield name
            if name == "usefixtures":
                yield from (_said(one) for one in args)


def _patches(owner: list[str], first: ast.expr) -> bool:
    """Web clients have a `patch` too; theirs takes an address."""
    text = first.value if isinstance(first, ast.Constant) else None
    if isinstance(text, str):
        return _DOTTED.fullmatch(text) is not None
    return not owner or "mock" in owner[-1]


def _member(first: ast.expr, rest: list[ast.expr]) -> str:
    return ".".join([_said(first), *(_said(one) for one in rest[:1])])


def _said(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    return _dotted(node) or ast.unparse(node)[:_LONGEST]


def _dotted(node: ast.expr) -> str:
    """`a.b.c`, or as much of its end as has names."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    return ".".join(reversed(names))
