"""What a load has measured, what it may be at most, and the table of it."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PIECE_S = 0.02  #: of processor time: about what a list of 200 tasks takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number; exact ones have to be what they are, timed ones below their bound."""

    load: str
    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    exactly: float | None = None

    @property
    def is_kept(self) -> bool:
        if self.exactly is not None:
            return self.value == self.exactly
        return self.at_most is None or self.value <= self.at_most


def wrong(figures: Iterable[Figure]) -> list[str]:
    """A sentence for each number that is not as it has to be."""
    return [
        f"{one.load}: {one.name} is {one.value:g} {one.unit}, not {_bound(one)}"
        for one in figures
        if not one.is_kept
    ]


def lines(figures: Iterable[Figure]) -> Iterator[str]:
    """A Markdown table."""
    yield "| load | what | measured | bound |"
    yield "|---|---|---|---|"
    for one in figures:
        yield f"| {one.load} | {one.name} | {one.value:,.4g} {one.unit} | {_bound(one)} |"


def loosened(bound: float, anchor: float, times: float) -> float:
    """A bound for this machine as it is now: what is promised, or so many times the anchor."""
    return max(bound, times * anchor)


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def sync_s(folder: Path, times: int = 100) -> list[float]:
    """How long this disk takes to keep 4 KiB: the anchor of everything that is durable."""
    found = []
    with (folder / "anchor").open("wb") as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            found.append(time.perf_counter() - began)
    return found


def crowding(times: int = 20) -> float:
    """How many times longer than on a processor of its own a piece of work takes here and now."""
    found = []
    for _ in range(times):
        began, worked = time.perf_counter(), time.process_time()
        while time.process_time() - worked < PIECE_S:
            pass
        found.append((time.perf_counter() - began) / PIECE_S)
    return max(1.0, percentile(found, 0.9))


def _bound(one: Figure) -> str:
    if one.exactly is not None:
        return f"{one.exactly:g}"
    return "" if one.at_most is None else f"≤ {one.at_most:,.4g} {one.unit}"
