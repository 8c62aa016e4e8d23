"""One line of the doctor's."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How well a thing is."""

    GOOD = "good"
    WARNING = "warning"  #: works, or does not yet matter; worth knowing
    BAD = "bad"  #: work will stop here


SIGNS = {Mark.GOOD: "✓", Mark.WARNING: "!", Mark.BAD: "✗"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, how it is, and what to do where it is not well."""

    area: str  #: settings, store, github, an `owner/name` …
    mark: Mark
    text: str
    fix: str = ""
    unreachable: bool = False  #: not our fault perhaps: the other side did not answer


def good(area: str, text: str) -> Finding:
    return Finding(area=area, mark=Mark.GOOD, text=text)


def warning(area: str, text: str, fix: str) -> Finding:
    return Finding(area=area, mark=Mark.WARNING, text=text, fix=fix)


def bad(area: str, text: str, fix: str) -> Finding:
    return Finding(area=area, mark=Mark.BAD, text=text, fix=fix)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 all is well or bearable, 1 something is bad, 69 (EX_UNAVAILABLE) no answer."""
    wrong = [one for one in findings if one.mark is Mark.BAD]
    if any(one.unreachable for one in wrong):
        return 69
    return 1 if wrong else 0
