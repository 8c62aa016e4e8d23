"""Results as a table for people and as one document for machines."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.bench.model import Line, Verdict
from tests.bench.running import RERUNS, Result

NOISY_ALLOWED = 2
HEAD = ("figure", "median", "min – max", "bound", "verdict")


def text(results: Sequence[Result]) -> str:
    """One table a bench, in Markdown."""
    return "\n\n".join(_bench(result) for result in results)


def document(results: Sequence[Result]) -> dict[str, Any]:
    return {
        "benches": [asdict(result) for result in results],
        "noisy": noisy(results),
        "noisy_allowed": NOISY_ALLOWED,
    }


def noisy(results: Sequence[Result]) -> list[str]:
    """The figures that stayed noisy through all reruns; more than NOISY_ALLOWED is no good run."""
    return [f"{result.bench}: {figure}" for result in results for figure in result.noisy]


def gate(results: Sequence[Result]) -> list[str]:
    """The exact figures that do not hold. Timings are never a reason to fail."""
    return [
        f"{result.bench}: {line.figure}"
        for result in results
        for line in result.lines
        if line.exact and line.verdict is Verdict.MISSED
    ]


def _bench(result: Result) -> str:
    load = result.load
    rows = [HEAD, tuple("-" * 3 for _ in HEAD), *map(_row, result.lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    foot = (
        f"{result.rounds} rounds in {result.seconds:.0f} s on {load.cores} cores; "
        f"load {load.before:.1f} before, {load.after:.1f} after, others used "
        f"{load.foreign:.1f} cores."
    )
    if result.reruns:
        foot += f" Noisy before, and measured again: {result.reruns} of {RERUNS} reruns."
    return "\n".join([f"### {result.bench}: {result.about}", "", *lines, "", foot])


def _row(line: Line) -> tuple[str, ...]:
    name = f"{line.figure}, {line.unit}" if line.unit else line.figure
    if line.value is None or line.low is None or line.high is None:
        return (name, "", "", line.bound, f"{line.verdict}: {line.why}")
    spread = "" if line.low == line.high else f"{_number(line.low)} – {_number(line.high)}"
    return (name, _number(line.value), spread, line.bound, line.verdict.value)


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
