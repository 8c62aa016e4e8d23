"""The phases of a task as bars over time, in the units of an SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain import JournalLine, Outcome, Phase
from bot.workflow.flow import ORDER

LEFT = 190  #: room for the phases' names
WIDTH = 760  #: of the whole picture
RIGHT = 40  #: room for half of the last time
ROW = 26
BAR = 16
_MIN_BAR = 3.0  #: so that a step of some milliseconds can be seen
_TICKS = 4

NAMES = {
    Phase.E2E_TEST_GENERATION: "E2E test",
    Phase.CODE_IMPLEMENTATION: "Code",
    Phase.GUARDIAN_REVIEW: "Guardian review",
    Phase.STAGING_DEPLOYMENT: "Staging",
    Phase.E2E_VALIDATION: "E2E validation",
    Phase.PRODUCTION_DEPLOYMENT: "Production",
    Phase.COMPLETE: "Complete",
    Phase.FAILED: "Failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One step."""

    x: float
    y: int
    width: float
    outcome: Outcome
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A name beside a row, or a time below the rows."""

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


def chart(lines: Sequence[JournalLine]) -> Chart | None:
    """The picture of these steps, oldest first; None while there is none."""
    if not lines:
        return None
    phases = [phase for phase in ORDER if any(line.phase is phase for line in lines)]
    start = min(line.started_at for line in lines)
    whole = max(max(line.started_at + line.seconds for line in lines) - start, 0.001)
    scale = (WIDTH - LEFT - RIGHT) / whole
    height = ROW * len(phases) + 24
    return Chart(
        width=WIDTH,
        height=height,
        bars=tuple(_bar(line, phases, start, scale) for line in lines if line.phase in phases),
        names=tuple(
            Mark(x=0, y=ROW * at + BAR, text=NAMES[phase]) for at, phase in enumerate(phases)
        ),
        ticks=tuple(_tick(at, whole, scale, height) for at in range(_TICKS + 1)),
    )


def took(seconds: float) -> str:
    """A duration as people read it: `2m 10s`, `1h 4m`, `0.3s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"


def _bar(line: JournalLine, phases: list[Phase], start: float, scale: float) -> Bar:
    return Bar(
        x=round(LEFT + (line.started_at - start) * scale, 1),
        y=ROW * phases.index(line.phase) + 4,
        width=round(max(line.seconds * scale, _MIN_BAR), 1),
        outcome=line.outcome,
        title=f"{NAMES[line.phase]}: {line.outcome}, {took(line.seconds)}. {line.summary}",
    )


def _tick(at: int, whole: float, scale: float, height: int) -> Mark:
    seconds = whole * at / _TICKS
    return Mark(x=round(LEFT + seconds * scale, 1), y=height - 6, text=took(seconds))
