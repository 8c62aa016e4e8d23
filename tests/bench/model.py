"""What a bench is made of: cells that measure, figures that are computed from a round of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

WIDE = 0.5  #: a spread above half of the median cannot decide about a bound that lies inside it

Reading = Mapping[str, float]  #: what one cell has measured, by name
Readings = Mapping[str, Reading]  #: those of a round, by their cells


class Absent(Exception):
    """Something that a cell measures is not there; the text says what."""


class Verdict(StrEnum):
    MET = "met"
    MISSED = "missed"
    NOISY = "noisy"  #: the bound lies inside a wide spread: another run might say otherwise
    REPORTED = "reported"  #: there is no bound
    NOT_MEASURED = "not measured"  #: a cell that it needs is absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement: an (async) function `module:name`, called in a process of its own."""

    name: str
    work: str
    args: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The cells of one round: what they read, or why they are absent."""

    readings: Readings
    absent: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. An exact one counts things and has to hold in every round."""

    name: str
    of: Callable[[Readings], float]  #: KeyError where a cell is absent
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    exact: bool = False

    def allows(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)

    @property
    def bound(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """`rounds` is how many it needs by itself: one is enough where everything is exact."""

    name: str
    about: str
    cells: Sequence[Cell]
    figures: Sequence[Figure]
    rounds: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What has become of a figure: the median over the rounds, and how far they lie apart."""

    figure: str
    unit: str
    bound: str
    exact: bool
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""  #: it was not measured


def judge(figure: Figure, rounds: Sequence[Round]) -> Line:
    """The median of the per-round values against the bound."""
    values = [value for one in rounds if (value := _value(figure, one)) is not None]
    if not values:
        why = "; ".join(dict.fromkeys(t for one in rounds for t in one.absent.values()))
        return _line(figure, Verdict.NOT_MEASURED, why=why or "a reading is missing")
    middle, low, high = median(values), min(values), max(values)
    return _line(figure, _verdict(figure, values), value=middle, low=low, high=high)


def _value(figure: Figure, one: Round) -> float | None:
    try:
        return figure.of(one.readings)
    except KeyError:
        return None


def _verdict(figure: Figure, values: Sequence[float]) -> Verdict:
    if not figure.bound:
        return Verdict.REPORTED
    kept = [figure.allows(value) for value in values]
    if figure.exact:
        return Verdict.MET if all(kept) else Verdict.MISSED
    middle = median(values)
    wide = max(values) - min(values) > WIDE * abs(middle)
    if wide and len(set(kept)) > 1:
        return Verdict.NOISY
    return Verdict.MET if figure.allows(middle) else Verdict.MISSED


def _line(
    figure: Figure,
    verdict: Verdict,
    *,
    value: float | None = None,
    low: float | None = None,
    high: float | None = None,
    why: str = "",
) -> Line:
    return Line(
        figure=figure.name,
        unit=figure.unit,
        bound=figure.bound,
        exact=figure.exact,
        verdict=verdict,
        value=value,
        low=low,
        high=high,
        why=why,
    )
