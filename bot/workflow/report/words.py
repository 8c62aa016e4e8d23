"""Durations, instants, money and names, as people read them."""

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from bot.domain import Phase
from bot.workflow.flow import ORDER

WORKING_PHASES = ORDER[:-1]
"""The six in which work is done; the seventh is the end."""

TITLES = {
    Phase.E2E_TEST_GENERATION: "E2E test",
    Phase.CODE_IMPLEMENTATION: "Code",
    Phase.GUARDIAN_REVIEW: "Guardian review",
    Phase.STAGING_DEPLOYMENT: "Staging",
    Phase.E2E_VALIDATION: "E2E validation",
    Phase.PRODUCTION_DEPLOYMENT: "Production",
    Phase.COMPLETE: "Done",
    Phase.FAILED: "Failed",
}


LINE = 100  #: characters of a line in a terminal
MAX_TOLD = 600  #: characters of a step's result in a terminal; the whole is in the journal


def hanging(lead: str, text: str) -> str:
    """`lead` and the text's first line, broken so that it hangs below its own beginning."""
    first = (text.splitlines() or [""])[0]
    shown = first if len(first) <= MAX_TOLD else f"{first[: MAX_TOLD - 1]}…"
    return (
        textwrap.fill(
            shown,
            LINE,
            initial_indent=lead,
            subsequent_indent=" " * len(lead),
            break_long_words=False,
            break_on_hyphens=False,
        )
        or lead.rstrip()
    )


def duration(seconds: float) -> str:
    """`8s`, `2m 10s`, `3h 05m`, `2d 4h`."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if whole < 60:
        return f"{whole}s"
    if hours == 0:
        return f"{minutes}m {rest:02d}s"
    return f"{hours}h {minutes_left:02d}m" if days == 0 else f"{days}d {hours_left}h"


def clock(at: float, beside: float | None = None) -> str:
    """`14:02 UTC`; with the date when `beside` is of another day."""
    when = datetime.fromtimestamp(at, UTC)
    same_day = beside is None or when.date() == datetime.fromtimestamp(beside, UTC).date()
    return f"{when:%H:%M} UTC" if same_day else f"{when.day} {when:%b %H:%M} UTC"


def instant(at: float) -> str:
    """`2026-11-22 14:02:31 UTC`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def money(usd: float | None) -> str:
    """`$0.84`; a price that nobody knows is said to be unknown, for it is not zero."""
    return "unknown" if usd is None else f"${usd:,.2f}"


def minutes_between(low_s: float, high_s: float, *, more: bool = False) -> str:
    """`6–9 minutes`, `1 more minute`; whole minutes, at least one."""
    low, high = max(1, round(low_s / 60)), max(1, round(high_s / 60))
    span = f"{low}–{high}" if low < high else f"{high}"
    return f"{span}{' more' if more else ''} minute{'' if span == '1' else 's'}"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    teens = 10 <= number % 100 <= 20
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def sha7(sha: str) -> str:
    return sha[:7]


def counted(number: int, noun: str) -> str:
    """`1 test`, `2 tests`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def joined(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def link(text: str, url: str) -> str:
    """A Markdown link; without an http(s) address, or with a broken one, the text alone."""
    if not url.startswith(("http://", "https://")):
        return text
    return f"[{text}]({quote(url, safe=':/?#@!$&*+,;=%~-._')})"
