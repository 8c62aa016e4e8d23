"""What the past says about durations and failures, for estimates and metrics."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain import Cause, Outcome, Phase, RepoRef, Status
from bot.facts import Spend
from bot.tasks.base import Group
from bot.tasks.rows import spend_from
from bot.tasks.store import Row, Tx

WINDOW = 1000  #: tasks that ended last; older ones say little about the next
NEAR = 50  #: the same of one repository

_PHASES = """
SELECT journal.phase AS phase, sum(journal.seconds) AS seconds
FROM (SELECT id FROM task WHERE finished_at IS NOT NULL
      ORDER BY finished_at DESC LIMIT :window) AS late
JOIN journal ON journal.task_id = late.id GROUP BY late.id, journal.phase
"""
_NEAR = """
SELECT journal.phase AS phase, sum(journal.seconds) AS seconds
FROM (SELECT id FROM task WHERE repo_id = :repo_id AND finished_at IS NOT NULL
      ORDER BY begins_at DESC LIMIT :near) AS late
JOIN journal ON journal.task_id = late.id GROUP BY late.id, journal.phase
"""
_WHOLE = """
SELECT finished_at - started_at AS seconds FROM task
WHERE finished_at IS NOT NULL AND started_at IS NOT NULL AND status = 'COMPLETED'
ORDER BY finished_at DESC LIMIT :window
"""
_ENDED = """
SELECT status, phase, cause, count(*) AS n FROM (
    SELECT status, coalesce(cause, '') AS cause, CASE WHEN phase <> 'FAILED' THEN phase ELSE
        coalesce((SELECT journal.phase FROM journal WHERE journal.task_id = task.id
                  AND journal.phase <> 'FAILED' ORDER BY journal.n DESC LIMIT 1), phase)
        END AS phase
    FROM task WHERE finished_at IS NOT NULL) AS ended
GROUP BY status, phase, cause
"""  # the cursor of a failed task says no more than that it failed
_RECORDED = """
SELECT rowid AS place, phase, outcome, cause, seconds, spend_json FROM journal
WHERE rowid > :after ORDER BY rowid LIMIT :limit
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a set of durations lies, in seconds (nearest rank)."""

    n: int
    p50_s: float
    p90_s: float
    p95_s: float
    p99_s: float


Pace = Mapping[Phase, Spread]  #: how long each phase works


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """How many tasks ended like this."""

    status: Status
    phase: Phase  #: the one it ended in; FAILED where no step of it was recorded
    cause: Cause | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Working time by phase and for the whole, from first start to end, waits included."""

    phases: Pace
    whole: Spread | None  #: None before the first task has completed
    ended: dict[Status, int]
    failures: tuple[Failures, ...]

    @property
    def success_rate(self) -> float | None:
        """Completed among the ended that nobody cancelled; None before there is any."""
        done = self.ended.get(Status.COMPLETED, 0)
        failed = self.ended.get(Status.FAILED, 0) + self.ended.get(Status.DEAD, 0)
        return done / (done + failed) if done + failed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a recorded step counts for."""

    place: int  #: grows with every recorded step of any task
    phase: Phase
    outcome: Outcome
    cause: Cause | None
    seconds: float
    spend: Spend


class Statistics(Group):
    async def history(self) -> History:
        """Durations of the last `WINDOW` ended tasks, and how all of them have ended."""
        return await self._store.read(_history)

    async def pace_of(self, repo: RepoRef | None) -> Pace:
        """Working time by phase of the repository's last `NEAR` ended tasks; waits do not count."""
        if repo is None:
            return {}
        params = {"repo_id": repo.id, "near": NEAR}
        return await self._store.read(lambda tx: _pace(tx.all(_NEAR, params)))

    async def recorded_after(self, place: int, limit: int) -> list[Recorded]:
        """The steps of all tasks that were recorded after this place, in order."""
        params = {"after": place, "limit": limit}
        return await self._store.read(
            lambda tx: [_recorded(row) for row in tx.all(_RECORDED, params)]
        )


def spread(seconds: Iterable[float]) -> Spread | None:
    """Percentiles of durations; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    n = len(ordered)
    p50, p90, p95, p99 = (ordered[(n * percent - 1) // 100] for percent in (50, 90, 95, 99))
    return Spread(n=n, p50_s=p50, p90_s=p90, p95_s=p95, p99_s=p99)


def _pace(rows: Iterable[Row]) -> Pace:
    by_phase: dict[Phase, list[float]] = defaultdict(list)
    for row in rows:
        by_phase[Phase(row["phase"])].append(row["seconds"])
    return {phase: s for phase, values in by_phase.items() if (s := spread(values))}


def _history(tx: Tx) -> History:
    ended: dict[Status, int] = defaultdict(int)
    failures: list[Failures] = []
    for row in tx.all(_ENDED):
        status = Status(row["status"])
        ended[status] += row["n"]
        if status is not Status.COMPLETED:
            cause = Cause(row["cause"]) if row["cause"] else None
            failures.append(
                Failures(status=status, phase=Phase(row["phase"]), cause=cause, n=row["n"])
            )
    return History(
        phases=_pace(tx.all(_PHASES, {"window": WINDOW})),
        whole=spread(row["seconds"] for row in tx.all(_WHOLE, {"window": WINDOW})),
        ended=dict(ended),
        failures=tuple(failures),
    )


def _recorded(row: Row) -> Recorded:
    return Recorded(
        place=row["place"],
        phase=Phase(row["phase"]),
        outcome=Outcome(row["outcome"]),
        cause=Cause(row["cause"]) if row["cause"] else None,
        seconds=row["seconds"],
        spend=spend_from(row["spend_json"]),
    )
