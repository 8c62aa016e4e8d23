"""The pictures of the statistics page, in the units of an SVG. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain import Phase, Status
from bot.tasks.lasting import Points
from bot.tasks.statistics import Spread
from bot.web.gantt import took
from bot.workflow.report.words import TITLES

WIDTH = 560
LEFT = 46  #: room for the numbers beside columns
NAME = 160  #: room for the names beside ranges
RIGHT = 12
TOP = 8
FLOOR = 150  #: where columns stand
HEIGHT = 174
ROW = 28
BAR = 14
_STEPS = (1, 2, 5)  #: round numbers are these times a power of ten


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle; `kind` is its class, `title` what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    x: float
    y: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Everything that the template draws."""

    height: float
    boxes: tuple[Box, ...] = ()
    words: tuple[Words, ...] = ()
    levels: tuple[Words, ...] = ()  #: numbers beside a horizontal line
    line: str = ""  #: points of a curve
    area: str = ""  #: points of what lies below it
    width: float = WIDTH


def columns(
    days: Sequence[str], stacks: Mapping[str, Sequence[tuple[str, float]]], unit: str = ""
) -> Plot:
    """A column a day, each a stack of (kind, amount) from below; `unit` goes before a number."""
    highest = max((sum(amount for _, amount in stacks.get(day, ())) for day in days), default=0.0)
    top = _round_up(highest)
    pitch = (WIDTH - LEFT - RIGHT) / len(days)
    boxes: list[Box] = []
    for n, day in enumerate(days):
        y = float(FLOOR)
        for kind, amount in stacks.get(day, ()):
            height = amount / top * (FLOOR - TOP)
            y -= height
            x, width = round(LEFT + n * pitch + pitch * 0.15, 1), round(pitch * 0.7, 1)
            told = f"{day}: {unit}{amount:g} {kind}".rstrip()
            boxes.append(
                Box(x=x, y=round(y, 1), width=width, height=round(height, 1), kind=kind, title=told)
            )
    every = max(1, len(days) // 4)
    words = [
        Words(x=round(LEFT + (n + 0.5) * pitch, 1), y=FLOOR + 19, text=_day(days[n]))
        for n in range(len(days) - 1 - every, -1, -every)
    ]
    today = Words(x=WIDTH - RIGHT, y=FLOOR + 19, text=_day(days[-1]), anchor="end")
    return Plot(height=HEIGHT, boxes=tuple(boxes), words=(*words, today), levels=_levels(top, unit))


def ranges(spreads: Mapping[Phase, Spread]) -> Plot:
    """A row a phase, on one scale: dark to the P50, lighter to the P95, lightest to the P99."""
    phases = [phase for phase in TITLES if phase in spreads]
    longest = max((spreads[phase].p99_s for phase in phases), default=0.0)
    scale = (WIDTH - NAME - RIGHT - 76) / max(longest, 0.001)
    boxes: list[Box] = []
    words: list[Words] = []
    for n, phase in enumerate(phases):
        spread, y = spreads[phase], n * ROW + 8
        words.append(Words(x=0, y=y + BAR - 2, text=TITLES[phase], anchor="start"))
        for kind, seconds in (("p99", spread.p99_s), ("p95", spread.p95_s), ("p50", spread.p50_s)):
            title = f"{TITLES[phase]}, {kind.upper()}: {took(seconds)}"
            width = round(max(seconds * scale, 2.0), 1)
            boxes.append(Box(x=NAME, y=y, width=width, height=BAR, kind=kind, title=title))
        end = NAME + spread.p99_s * scale + 8
        words.append(Words(x=round(end, 1), y=y + BAR - 2, text=took(spread.p50_s), anchor="start"))
    return Plot(height=len(phases) * ROW + 8, boxes=tuple(boxes), words=tuple(words))


def curve(points: Points, start: float, end: float, *, below: Points | None = None) -> Plot:
    """A number over time as a line; below it its own area, or that of another number."""
    below = points if below is None else below
    top = _round_up(max((value for _, value in (*points, *below)), default=0.0))
    scale = (WIDTH - LEFT - RIGHT) / max(end - start, 1.0)

    def places(of: Points) -> list[str]:
        return [
            f"{round(LEFT + max(0.0, at - start) * scale, 1)},"
            f"{round(FLOOR - value / top * (FLOOR - TOP), 1)}"
            for at, value in of
        ]

    line, inner = places(points), places(below)
    feet = [f"{place.partition(',')[0]},{FLOOR}" for place in inner]
    area = " ".join([feet[0], *inner, feet[-1]]) if inner else ""
    words = [
        Words(
            x=round(LEFT + (end - start) * share * scale, 1),
            y=FLOOR + 19,
            text=f"{datetime.fromtimestamp(start + (end - start) * share, UTC):%H:%M}",
        )
        for share in (0.0, 0.25, 0.5, 0.75)
    ]
    now = Words(x=WIDTH - RIGHT, y=FLOOR + 19, text="now", anchor="end")
    return Plot(
        height=HEIGHT, words=(*words, now), levels=_levels(top), line=" ".join(line), area=area
    )


def stepped(points: Points, end: float) -> Points:
    """The same for a number that stays as it is until it is another one, drawn up to `end`."""
    found: list[tuple[float, float]] = []
    for at, value in points:
        if found:
            found.append((at, found[-1][1]))
        found.append((at, value))
    return [*found, (end, found[-1][1])] if found else []


def amounts(rows: Sequence[tuple[str, int]]) -> Plot:
    """A row a name, the longest bar for the largest number."""
    most = max((n for _, n in rows), default=0) or 1
    scale = (WIDTH - NAME - RIGHT - 40) / most
    boxes, words = [], []
    for at, (name, n) in enumerate(rows):
        y = at * ROW + 8
        width = round(max(n * scale, 2.0), 1)
        boxes.append(Box(x=NAME, y=y, width=width, height=BAR, kind="fail", title=f"{name}: {n}"))
        words.append(Words(x=0, y=y + BAR - 2, text=name, anchor="start"))
        words.append(Words(x=NAME + width + 8, y=y + BAR - 2, text=str(n), anchor="start"))
    return Plot(height=len(rows) * ROW + 8, boxes=tuple(boxes), words=tuple(words))


def last_days(now: float, number: int) -> list[str]:
    """The days (UTC) up to today, oldest first, as `2026-03-01`."""
    today = datetime.fromtimestamp(now, UTC).date()
    return [(today - timedelta(days=back)).isoformat() for back in range(number - 1, -1, -1)]


def stacked(ended: Mapping[tuple[str, Status], int]) -> dict[str, list[tuple[str, float]]]:
    """What ended on each day, in the order of the statuses, as `columns` wants it."""
    found: dict[str, list[tuple[str, float]]] = {}
    for status in (Status.COMPLETED, Status.FAILED, Status.DEAD, Status.CANCELLED):
        for (day, of), n in ended.items():
            if of is status:
                found.setdefault(day, []).append((status.lower(), float(n)))
    return found


def _levels(top: float, unit: str = "") -> tuple[Words, ...]:
    return tuple(
        Words(
            x=LEFT - 8,
            y=round(FLOOR - share * (FLOOR - TOP), 1),
            text=f"{unit}{top * share:g}",
            anchor="end",
        )
        for share in (0.0, 0.5, 1.0)
    )


def _round_up(value: float) -> float:
    """The next round number, at least 1, of which the half is a fair number too."""
    power = 1.0
    while power * _STEPS[-1] * 2 < value:
        power *= 10
    return next((power * step * 2 for step in _STEPS if power * step * 2 >= value), power * 10)


def _day(day: str) -> str:
    when = datetime.fromisoformat(day)
    return f"{when.day} {when:%b}"
