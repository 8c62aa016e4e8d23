"""What an expression of Prometheus asks for."""

from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser as promql


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A series that an expression reads, and the labels that it chooses by."""

    name: str
    labels: frozenset[str]
    chosen: frozenset[tuple[str, str]]  #: label and value; each side of a `|` by itself


def asked(expression: str) -> list[Asked]:
    """Every series in an expression. Raises ValueError where it is none."""
    return list(_in(promql.parse(expression)))


def _in(node: object) -> Iterator[Asked]:
    match node:
        case promql.VectorSelector():
            matchers = node.matchers.matchers
            yield Asked(
                name=str(node.name),
                labels=frozenset(matcher.name for matcher in matchers),
                chosen=frozenset((m.name, one) for m in matchers for one in m.value.split("|")),
            )
        case promql.MatrixSelector():
            yield from _in(node.vector_selector)
        case promql.BinaryExpr():
            yield from _in(node.lhs)
            yield from _in(node.rhs)
        case promql.Call():
            for part in node.args:
                yield from _in(part)
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr():
            yield from _in(node.expr)
        case promql.SubqueryExpr():
            yield from _in(node.expr)
        case _:
            return
