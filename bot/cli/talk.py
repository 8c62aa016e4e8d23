"""What commands print: data as text or JSON on standard output, talk on standard error."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

# A title may hold escape sequences; on a terminal they would be obeyed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def say(text: str) -> None:
    """Talk: progress, results for people, warnings."""
    click.echo(plain(text), err=True)


def emit(value: Any) -> None:
    """Data as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Data as aligned columns, one line a row."""
    cells = [tuple(headings), *(tuple(_cell(value) for value in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def pairs(values: Iterable[tuple[str, Any]]) -> None:
    """Data as `name  value` lines; what is empty is left out."""
    shown = [(name, _cell(value)) for name, value in values if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name.ljust(width)}  {value}")


def plain(text: str) -> str:
    """The text without control and direction characters; line breaks and tabs stay."""
    return _CONTROL.sub("", text)


def instant(seconds: float | None) -> str:
    """Unix seconds as `2026-03-01 14:02:07`, UTC."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _cell(value: Any) -> str:
    return "" if value is None else plain(str(value)).replace("\n", " ").replace("\t", " ")
