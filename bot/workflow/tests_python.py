"""Python tests, read with `ast`: what each asserts, skips and swallows."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from bot.workflow.replaced_python import Function, Replaced
from bot.workflow.straight_python import bound_last, straight
from bot.workflow.testcases import TestCase

MAX_HELPERS = 5  #: how deep a chain of helper functions is followed

_MARKS = frozenset(["skip", "skipif", "skipIf", "skipUnless", "xfail", "expectedFailure"])
_SKIP_CALLS = frozenset(["skip", "xfail", "importorskip", "skipTest"])
_RAISERS = frozenset(["raises", "warns", "deprecated_call", "assertRaises", "fail"])
_LIBRARIES = frozenset(["pytest", "unittest", "mock", "patch"])  #: whose decorators are read
_CATCH_ALL = frozenset(["AssertionError", "Exception", "BaseException"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """What its module and its classes give to a test."""

    prefix: str = ""
    marks: int = 0
    replaced: frozenset[str] = frozenset()
    wrapped: frozenset[str] = frozenset()
    helpers: Mapping[str, Function]


def read_python(text: str, fixtures: Iterable[Function] = ()) -> list[TestCase]:
    """The tests of one file. Raises SyntaxError (or ValueError, RecursionError) if unreadable."""
    tree = ast.parse(text)
    replaced = Replaced(tree, fixtures)
    around = _Around(
        marks=_module_marks(tree.body),
        replaced=replaced.around(tree.body),
        helpers=_functions(tree.body),
    )
    return list(_cases(tree.body, around, replaced))


def fixtures_in(text: str) -> list[Function]:
    """What a conftest.py offers to the tests around it; nothing where it cannot be read."""
    try:
        return list(_functions(ast.parse(text).body).values())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _cases(body: Iterable[ast.stmt], around: _Around, replaced: Replaced) -> Iterator[TestCase]:
    for node in bound_last(body):
        if isinstance(node, ast.ClassDef) and _may_hold_tests(node):
            yield from _cases(node.body, _inside(node, around, replaced), replaced)
        elif isinstance(node, Function) and node.name.startswith("test"):
            yield _case(node, around, replaced)


def _inside(node: ast.ClassDef, around: _Around, replaced: Replaced) -> _Around:
    own = replaced.around(node.body) | replaced.by(node.decorator_list)
    return _Around(
        prefix=f"{around.prefix}{node.name}.",
        marks=around.marks + _decorator_marks(node) + _module_marks(node.body),
        replaced=around.replaced | own,
        wrapped=around.wrapped | _wrappers(node),
        helpers={**around.helpers, **_functions(node.body)},
    )


def _functions(body: Iterable[ast.stmt]) -> dict[str, Function]:
    return {node.name: node for node in body if isinstance(node, Function)}


def _may_hold_tests(node: ast.ClassDef) -> bool:
    return node.name.startswith("Test") or any("TestCase" in _name(b) for b in node.bases)


def _case(node: Function, around: _Around, replaced: Replaced) -> TestCase:
    reached = list(_reachable(node.body))
    found = _real(_assertions(reached, around.helpers, MAX_HELPERS))
    skips = sum(_is_call(n, _SKIP_CALLS) for n in _walk(reached))
    return TestCase(
        name=around.prefix + node.name,
        line=node.lineno,
        asserts=found,
        sure=_real(_assertions(straight(reached), around.helpers, MAX_HELPERS)),
        always_fails=sum(_must_fail(statement) for statement in node.body),
        marks=around.marks + _decorator_marks(node) + skips,
        swallows=sum(_swallows(n) for n in _walk(reached)),
        cases=_parameter_sets(node),
        replaced=around.replaced | replaced.by([node]),
        wrapped=around.wrapped | _wrappers(node),
    )


def _real(assertions: Iterable[ast.AST]) -> tuple[str, ...]:
    """Those that can fail, and can pass."""
    return tuple(ast.unparse(one) for one in assertions if _can_fail(one) and not _must_fail(one))


def _reachable(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements up to an unconditional end, without branches that are never taken."""
    for statement in body:
        if isinstance(statement, ast.If | ast.While) and _is_constant(statement.test, truth=False):
            yield from _reachable(statement.orelse)
            continue
        yield statement
        if isinstance(statement, ast.Return):
            return


def _assertions(
    body: Iterable[ast.stmt], helpers: Mapping[str, Function], depth: int
) -> Iterator[ast.AST]:
    for node in _walk(body):
        if isinstance(node, ast.Assert) or _asserting_call(node) or _raises_assertion(node):
            yield node
        elif depth and isinstance(node, ast.Call) and (helper := helpers.get(_tail(node.func))):
            others = {k: v for k, v in helpers.items() if v is not helper}
            yield from _assertions(list(_reachable(helper.body)), others, depth - 1)


def _walk(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    for statement in body:
        yield from ast.walk(statement)


def _asserting_call(node: ast.AST) -> bool:
    """`self.assertEqual(…)`, `mock.assert_called()`, `pytest.raises(…)`, `expect(x).to_be…()`."""
    if not isinstance(node, ast.Call):
        return False
    name = _tail(node.func)
    expects = isinstance(node.func, ast.Attribute) and "expect" in _names(node.func.value)
    return name.startswith("assert") or name in _RAISERS or (expects and name[:3] in ("to_", "not"))


def _raises_assertion(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) and "AssertionError" in _names(node.exc)


def _can_fail(node: ast.AST) -> bool:
    match node:
        case ast.Assert(test=test):
            return not _is_constant(test, truth=True)
        case ast.Call(func=func, args=[first, *_]) if _tail(func) in ("assertTrue", "assert_true"):
            return not _is_constant(first, truth=True)
        case ast.Call(func=func, args=[left, right, *_]) if _tail(func) == "assertEqual":
            return ast.dump(left) != ast.dump(right)
        case _:
            return True


def _must_fail(node: ast.AST) -> bool:
    match node:
        case ast.Assert(test=test):
            return _is_constant(test, truth=False)
        case ast.Raise():
            return True
        case ast.Expr(value=ast.Call(func=func)):
            return _tail(func) == "fail"
        case _:
            return False


def _is_constant(test: ast.expr, *, truth: bool) -> bool:
    """Whether the value is known to be true (or false) without running anything."""
    match test:
        case ast.Constant(value=value):
            return bool(value) is truth
        case ast.Tuple(elts=members) | ast.List(elts=members):
            return bool(members) is truth
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_constant(operand, truth=not truth)
        case ast.BoolOp(op=op, values=values):
            one_is_enough = isinstance(op, ast.Or) is truth
            known = (_is_constant(v, truth=truth) for v in values)
            return any(known) if one_is_enough else all(known)
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            return truth and ast.dump(left) == ast.dump(right) and not _calls(left)
        case _:
            return False


def _calls(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Call) for n in ast.walk(node))


def _swallows(node: ast.AST) -> bool:
    match node:
        case ast.ExceptHandler(type=kind, body=body):
            caught = kind is None or _CATCH_ALL & set(_names(kind))
            return bool(caught) and not any(isinstance(n, ast.Raise) for n in _walk(body))
        case ast.Call(func=func, args=args):
            return _tail(func) == "suppress" and any(_CATCH_ALL & set(_names(a)) for a in args)
        case _:
            return False


def _decorator_marks(node: Function | ast.ClassDef) -> int:
    return sum(bool(_MARKS & set(_names(d))) for d in node.decorator_list)


def _wrappers(node: Function | ast.ClassDef) -> frozenset[str]:
    named = (_name(one.func if isinstance(one, ast.Call) else one) for one in node.decorator_list)
    return frozenset(name for name in named if name.partition(".")[0] not in _LIBRARIES)


def _module_marks(body: Iterable[ast.stmt]) -> int:
    """`pytestmark = pytest.mark.skip`, `pytest.skip(…)` and `__test__ = False` at this level."""
    count = 0
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                count += sum(name in _MARKS for name in _names(value))
            case ast.Assign(targets=[ast.Name(id="__test__")], value=value):
                count += _is_constant(value, truth=False)
            case ast.Expr(value=value):
                count += _is_call(value, _SKIP_CALLS)
    return count


def _is_call(node: ast.AST, names: frozenset[str]) -> bool:
    return isinstance(node, ast.Call) and _tail(node.func) in names


def _parameter_sets(node: Function) -> int:
    total = 1
    for decorator in node.decorator_list:
        if _is_call(decorator, frozenset({"parametrize"})) and isinstance(decorator, ast.Call):
            sets = decorator.args[1] if len(decorator.args) > 1 else None
            if isinstance(sets, ast.List | ast.Tuple):
                total *= len(sets.elts)  # with none at all pytest skips the test
    return total


def _names(node: ast.AST | None) -> list[str]:
    """Every plain and attribute name in an expression."""
    walked = ast.walk(node) if node is not None else ()
    return [n.id if isinstance(n, ast.Name) else n.attr for n in walked if _is_named(n)]


def _is_named(node: ast.AST) -> TypeGuard[ast.Name | ast.Attribute]:
    return isinstance(node, ast.Name | ast.Attribute)


def _name(node: ast.AST) -> str:
    return ".".join(reversed(_names(node)))


def _tail(func: ast.expr) -> str:
    match func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
