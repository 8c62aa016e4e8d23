"""Which statements of a Python test come whatever happens, and which of its definitions counts."""

import ast
from collections.abc import Iterable, Iterator

_SOMETIMES = ast.If | ast.While | ast.For | ast.AsyncFor | ast.Match
_NEVER_BY_ITSELF = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def straight(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that come unless one before them fails, those in `with` and `try` included.

    What follows a branch that may return is under that branch's condition. A loop over something
    that is written out is gone through.
    """
    for statement in body:
        match statement:
            case ast.With(items=items, body=inside) | ast.AsyncWith(items=items, body=inside):
                yield from (ast.Expr(value=item.context_expr) for item in items)
                yield from straight(inside)
            case ast.Try(body=inside, finalbody=finally_):
                yield from straight([*inside, *finally_])
            case ast.For(iter=ast.Tuple(elts=[_, *_]) | ast.List(elts=[_, *_]), body=inside):
                yield from straight(inside)
            case _ if not isinstance(statement, _SOMETIMES | _NEVER_BY_ITSELF):
                yield statement
        if _may_return(statement):
            return


def bound_last(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    """The statements without definitions whose name is something else, or nothing, at the end."""
    body = list(body)
    last = {name: node for node in body for name in _binds(node)}
    return [one for one in body if all(last[name] is one for name in _defines(one))]


def _binds(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            yield from (one.id for one in targets if isinstance(one, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (one.asname or one.name for one in names)
        case _:
            yield from _defines(node)


def _defines(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, _NEVER_BY_ITSELF):
        yield node.name


def _may_return(node: ast.AST) -> bool:
    """Whether a `return` of the test's own is in it."""
    if isinstance(node, _NEVER_BY_ITSELF | ast.expr):
        return False
    return isinstance(node, ast.Return) or any(map(_may_return, ast.iter_child_nodes(node)))
