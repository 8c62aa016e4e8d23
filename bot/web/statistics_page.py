"""The dashboard's statistics: every plot with its numbers in words or as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from bot.domain import Status
from bot.tasks.lasting import Points
from bot.tasks.statistics import History
from bot.tasks.trend import KEPT_S, QUEUE_DEPTH
from bot.web import plots
from bot.web.call import Call
from bot.web.frame import frame
from bot.web.plots import Plot
from bot.web.problem import Problem
from bot.web.render import instant, page
from bot.web.statistics import statistics

DAYS = 28
ENDS = (Status.COMPLETED, Status.FAILED, Status.DEAD, Status.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A plot, and what it shows in a sentence."""

    plot: Plot
    words: str


async def statistics_page(call: Call) -> Response:
    """The numbers of `/api/metrics`, for people; for whoever may see all repositories."""
    if call.who.repos is not None:
        raise Problem(403, "Statistics are for tokens of all repositories.")
    parts, now = call.parts, call.parts.now()
    numbers, days = await statistics(parts), plots.last_days(now, DAYS)
    ended = await parts.queue.ended_by_day(DAYS)
    spent = numbers.money.days
    return page(
        "statistics.html",
        **frame(call),
        numbers=numbers,
        ended=plots.columns(days, plots.stacked(ended)),
        ended_rows=_ended_rows(days, ended),
        ends=ENDS,
        spent=plots.columns(days, {day: [("bar", usd)] for day, usd in spent.items()}, "$"),
        spent_rows=[(day, spent[day]) for day in reversed(days) if day in spent],
        ranges=plots.ranges(numbers.history.phases),
        causes=plots.amounts(_causes(numbers.history)),
        depth=_depth(await parts.lasting.samples(QUEUE_DEPTH, now - KEPT_S), now),
        pool=_pool(await parts.slots.had(), await parts.slots.used(), now),
        changes=list(parts.slots.changes),
    )


def _depth(points: Points, now: float) -> Told | None:
    """None while there are too few samples for a line."""
    if len(points) < 2:
        return None
    at, most = max(points, key=lambda point: point[1])
    return Told(
        plot=plots.curve(points, now - KEPT_S, now),
        words=f"{points[-1][1]:g} at the last look, {most:g} at the most ({instant(at)})",
    )


def _pool(had: Points, used: Points, now: float) -> Told | None:
    """The slots there were, and those of them that were in use, until now."""
    if not (had and used):
        return None
    slots = [value for _, value in had]
    busiest = max(value for _, value in used)
    return Told(
        plot=plots.curve(
            plots.stepped(had, now), now - KEPT_S, now, below=plots.stepped(used, now)
        ),
        words=f"{min(slots):g} to {max(slots):g} slots, at most {busiest:g} in use",
    )


def _ended_rows(
    days: Sequence[str], ended: Mapping[tuple[str, Status], int]
) -> list[tuple[str, list[int]]]:
    """The days on which anything ended, the last one first, with a number for each of `ENDS`."""
    counted = [(day, [ended.get((day, status), 0) for status in ENDS]) for day in reversed(days)]
    return [(day, numbers) for day, numbers in counted if any(numbers)]


def _causes(history: History) -> list[tuple[str, int]]:
    """Bad ends by cause, the most frequent first."""
    found: dict[str, int] = {}
    for failure in history.failures:
        name = str(failure.cause or "none given").replace("_", " ")
        found[name] = found.get(name, 0) + failure.n
    return sorted(found.items(), key=lambda row: -row[1])
