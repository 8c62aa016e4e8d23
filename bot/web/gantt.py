"""The phases of a task as bars over time, in the units of an SVG. Pure.

A task works for minutes and waits for days: what it spends parked is drawn no longer than a part of
its work, and marked as cut.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bot.domain import JournalLine, Phase, Status, Task
from bot.workflow.flow import ORDER
from bot.workflow.report.words import TITLES

LEFT = 130  #: room for the phases' names
WIDTH = 860  #: of the whole picture
RIGHT = 34  #: room for half of the last time
TOP = 20  #: room for the rounds' names
ROW = 30
BAR = 16
FOOT = 24
LONGEST_GAP = 0.15  #: of the working time; longer waits are cut
_MIN_BAR = 4.0  #: so that a step of some milliseconds can be seen
_TICKS = 4
_MIN_BETWEEN = 70.0  #: two marks of rounds; closer ones would cover each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One step, or the one that runs now; `kind` is its outcome, or `now`."""

    x: float
    y: int
    width: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A name beside a row, a time below the rows, or a round above them."""

    x: float
    y: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything that the template draws."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    names: tuple[Mark, ...]
    ticks: tuple[Mark, ...]
    rounds: tuple[Mark, ...]  #: where another round or attempt began
    cuts: tuple[Mark, ...]  #: where time was left out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A stretch of time and how much of it is drawn, both in seconds from the start."""

    start: float
    end: float
    drawn_from: float
    drawn: float

    @property
    def is_cut(self) -> bool:
        return self.drawn < self.end - self.start


def chart(lines: Sequence[JournalLine], task: Task | None = None, now: float = 0.0) -> Chart | None:
    """The picture of these steps, oldest first; None while there is none.

    With `task`, what it is doing now is drawn too.
    """
    shown = [line for line in lines if line.phase in ORDER]
    if task is not None and task.status is Status.RUNNING and task.phase in ORDER and lines:
        shown.append(_present(lines, task, now))
    if not shown:
        return None
    start = min(line.started_at for line in shown)
    pieces = _pieces(shown, start)
    scale = (WIDTH - LEFT - RIGHT) / max(_drawn(pieces), 0.001)
    phases = [phase for phase in ORDER if any(line.phase is phase for line in shown)]
    height = TOP + ROW * len(phases) + FOOT

    def x(at: float) -> float:
        return round(LEFT + _place(pieces, at - start) * scale, 1)

    live = shown[-1] if task is not None and shown[-1] is not lines[-1] else None
    return Chart(
        width=WIDTH,
        height=height,
        bars=tuple(
            _bar(
                line,
                _row(phases, line.phase),
                x(line.started_at),
                x(line.started_at + line.seconds),
                live=line is live,
            )
            for line in shown
        ),
        names=tuple(
            Mark(x=0, y=_row(phases, phase) + BAR - 3, text=TITLES[phase]) for phase in phases
        ),
        ticks=tuple(_ticks(pieces, scale, height)),
        rounds=tuple(_rounds(shown, x)),
        cuts=tuple(
            Mark(
                x=round(LEFT + (piece.drawn_from + piece.drawn / 2) * scale, 1),
                y=height - FOOT,
                text=f"{took(piece.end - piece.start)} parked",
            )
            for piece in pieces
            if piece.is_cut
        ),
    )


def took(seconds: float) -> str:
    """A duration as people read it: `2m 10s`, `1h 4m`, `3d 2h`, `0.3s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24}d {hours % 24}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"


def _present(lines: Sequence[JournalLine], task: Task, now: float) -> JournalLine:
    """What runs now, as a line that is not written yet."""
    since = max(task.updated_at, lines[-1].started_at + lines[-1].seconds)
    return replace(
        lines[-1],
        phase=task.phase,
        cursor=task.cursor,
        summary="running now",
        started_at=since,
        seconds=max(0.0, now - since),
    )


def _pieces(shown: Sequence[JournalLine], start: float) -> list[_Piece]:
    """Work at its length, and what lies between it at most a part of all work."""
    longest = LONGEST_GAP * sum(line.seconds for line in shown)
    pieces: list[_Piece] = []
    end = drawn = 0.0
    for line in sorted(shown, key=lambda line: line.started_at):
        begin = line.started_at - start
        if begin > end:
            gap = min(begin - end, longest)
            pieces.append(_Piece(start=end, end=begin, drawn_from=drawn, drawn=gap))
            drawn, end = drawn + gap, begin
        until = max(end, begin + line.seconds)
        pieces.append(_Piece(start=end, end=until, drawn_from=drawn, drawn=until - end))
        drawn, end = drawn + until - end, until
    return pieces


def _drawn(pieces: Sequence[_Piece]) -> float:
    return pieces[-1].drawn_from + pieces[-1].drawn


def _place(pieces: Sequence[_Piece], at: float) -> float:
    """Where an instant lies among what is drawn, in drawn seconds."""
    n = bisect_left(pieces, at, key=lambda piece: piece.end)  # their ends never go back
    piece = pieces[min(n, len(pieces) - 1)]
    length = piece.end - piece.start
    share = min(1.0, (at - piece.start) / length) if length > 0 else 0.0
    return piece.drawn_from + piece.drawn * share


def _row(phases: Sequence[Phase], phase: Phase) -> int:
    return TOP + ROW * phases.index(phase) + (ROW - BAR) // 2


def _bar(line: JournalLine, y: int, left: float, right: float, *, live: bool) -> Bar:
    said = "running" if live else line.outcome.value
    again = f", round {line.cursor.round}" if line.cursor.round > 1 else ""
    return Bar(
        x=left,
        y=y,
        width=round(max(right - left, _MIN_BAR), 1),
        kind="now" if live else line.outcome.value,
        title=f"{TITLES[line.phase]}{again}: {said}, {took(line.seconds)}. {line.summary}",
    )


def _rounds(shown: Sequence[JournalLine], x: Callable[[float], float]) -> list[Mark]:
    """A mark where the work went into another round, or the deployment into another attempt."""
    marks: list[Mark] = []
    for before, line in pairwise(shown):
        text = ""
        if line.cursor.round > before.cursor.round:
            text = f"round {line.cursor.round}"
        elif line.cursor.attempt > before.cursor.attempt:
            text = f"attempt {line.cursor.attempt}"
        at = x(line.started_at)
        if text and (not marks or at - marks[-1].x >= _MIN_BETWEEN):
            marks.append(Mark(x=at, y=TOP - 7, text=text))
    return marks


def _ticks(pieces: Sequence[_Piece], scale: float, height: int) -> list[Mark]:
    """Times since the start, at equal distances of the picture."""
    whole = _drawn(pieces)
    marks = []
    for n in range(_TICKS + 1):
        drawn = whole * n / _TICKS
        piece = next((one for one in pieces if drawn <= one.drawn_from + one.drawn), pieces[-1])
        share = (drawn - piece.drawn_from) / piece.drawn if piece.drawn > 0 else 0.0
        at = piece.start + (piece.end - piece.start) * share
        marks.append(Mark(x=round(LEFT + drawn * scale, 1), y=height - 6, text=took(at)))
    return marks
