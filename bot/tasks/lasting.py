"""Small things that have to survive a restart: holds, limits, breakers, budgets, notes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain import RepoRef
from bot.tasks.base import Clock
from bot.tasks.rows import lane_of
from bot.tasks.store import Row, Store, Tx

Points = Sequence[tuple[float, float]]  #: (instant, value), oldest first


class BreakerState(StrEnum):
    CLOSED = "closed"  #: all is well
    OPEN = "open"  #: nobody tries before `probe_at`
    HALF_OPEN = "half_open"  #: one probe is on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What is known of a dependency that fails."""

    name: str
    state: BreakerState
    failures: int  #: in a row
    changed_at: float
    probe_at: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Starts in this lane wait until a person lifts the hold."""

    lane: str
    by: str
    reason: str
    since: float


_HOLD = """
INSERT INTO lane (lane, held_by, reason, held_since) VALUES (:lane, :by, :reason, :now)
ON CONFLICT (lane) DO UPDATE SET held_by = :by, reason = :reason, held_since = :now
"""
_UNHOLD = "UPDATE lane SET held_by = '', reason = '', held_since = NULL WHERE lane = :lane"
_HOLDS = "SELECT * FROM lane WHERE held_since IS NOT NULL ORDER BY held_since"
_LIMIT = """
INSERT INTO lane (lane, max_running) VALUES (:lane, :max_running)
ON CONFLICT (lane) DO UPDATE SET max_running = :max_running
"""
_SAVE_BREAKER = """
INSERT INTO breaker (name, state, failures, changed_at, probe_at, reason)
VALUES (:name, :state, :failures, :changed_at, :probe_at, :reason)
ON CONFLICT (name) DO UPDATE SET state = :state, failures = :failures,
    changed_at = :changed_at, probe_at = :probe_at, reason = :reason
"""
_BREAKERS = "SELECT * FROM breaker ORDER BY name"
_BREAKER = "SELECT * FROM breaker WHERE name = :name"
_PROBE = """
UPDATE breaker SET state = 'half_open', changed_at = :now
WHERE name = :name AND (state = 'open' AND probe_at <= :now
    OR state = 'half_open' AND changed_at <= :stale)
"""
_SPEND = """
INSERT INTO daily_budget (day, scope, amount) VALUES (:day, :scope, :amount)
ON CONFLICT (day, scope) DO UPDATE SET amount = daily_budget.amount + :amount
RETURNING amount
"""
_SPENT_BY_DAY = """
SELECT day, amount FROM daily_budget WHERE scope = :scope AND day > :after ORDER BY day
"""
_SPENT = "SELECT amount FROM daily_budget WHERE day = :day AND scope = :scope"
_SET = """
INSERT INTO kv (key, value, at) VALUES (:key, :value, :now)
ON CONFLICT (key) DO UPDATE SET value = :value, at = :now
"""
_TAKE = """
INSERT INTO kv (key, value, at) SELECT :key, :value, :now WHERE :old = ''
    OR EXISTS (SELECT 1 FROM kv WHERE key = :key)
ON CONFLICT (key) DO UPDATE SET value = :value, at = :now WHERE kv.value = :old
"""
_GET = "SELECT value FROM kv WHERE key = :key"
_SAMPLE = """
INSERT INTO metric_history (name, at, value) VALUES (:name, :now, :value)
ON CONFLICT (name, at) DO UPDATE SET value = :value
"""
_SAMPLES = """
SELECT at, value FROM metric_history WHERE name = :name AND at >= :since ORDER BY at
"""
_FORGET_SAMPLES = "DELETE FROM metric_history WHERE at < :before"
_TRANSCRIPT = """
INSERT INTO transcript (task_id, run_id, role, at, events_json)
VALUES (:task_id, :run_id, :role, :now, :events)
ON CONFLICT (task_id, run_id) DO UPDATE SET role = :role, at = :now, events_json = :events
"""
_TRANSCRIPTS = """
SELECT run_id, events_json FROM transcript WHERE task_id = :task_id ORDER BY at, run_id
"""


class Lasting:
    """One row a thing; every method is one transaction."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def hold(self, repo: RepoRef | None, by: str, reason: str) -> None:
        """Claim nothing more of this repository; what runs goes on."""
        await self._write(_HOLD, lane=lane_of(repo), by=by, reason=reason)

    async def unhold(self, repo: RepoRef | None) -> None:
        """Lift a hold. The caller rings `bells.work`, so that what waited is claimed."""
        await self._write(_UNHOLD, lane=lane_of(repo))

    async def holds(self) -> list[Hold]:
        """Every hold, oldest first."""
        return await self._store.read(lambda tx: [_hold(row) for row in tx.all(_HOLDS)])

    async def limit_lane(self, repo: RepoRef | None, max_running: int | None) -> None:
        """How many tasks of a repository may run at once; None: the queue's own limit."""
        await self._write(_LIMIT, lane=lane_of(repo), max_running=max_running)

    async def save_breaker(self, breaker: Breaker) -> None:
        """Store a breaker as it is now."""
        await self._write(
            _SAVE_BREAKER,
            name=breaker.name,
            state=breaker.state.value,
            failures=breaker.failures,
            changed_at=breaker.changed_at,
            probe_at=breaker.probe_at,
            reason=breaker.reason,
        )

    async def breaker(self, name: str) -> Breaker | None:
        """The breaker of a dependency, if it has ever failed."""
        row = await self._store.read(lambda tx: tx.one(_BREAKER, {"name": name}))
        return None if row is None else _breaker(row)

    async def breakers(self) -> list[Breaker]:
        """Every breaker that was ever stored."""
        return await self._store.read(lambda tx: [_breaker(row) for row in tx.all(_BREAKERS)])

    async def take_probe(self, name: str, *, stale_s: float) -> bool:
        """Whether the caller is the one that may probe an open breaker now.

        A probe that has not come back for `stale_s` is followed by another, again one.
        """
        return await self._write(_PROBE, name=name, stale=self._now() - stale_s) == 1

    async def spend(self, scope: str, amount: float) -> float:
        """Add to what a scope has used today (UTC); today's sum with it."""
        params = {"day": self._today(), "scope": scope, "amount": amount}
        rows = await self._store.write(lambda tx: tx.all(_SPEND, params))
        return float(rows[0]["amount"])

    async def spent(self, scope: str) -> float:
        """What a scope has used today (UTC)."""
        params = {"day": self._today(), "scope": scope}
        row = await self._store.read(lambda tx: tx.one(_SPENT, params))
        return 0.0 if row is None else float(row["amount"])

    async def spent_by_day(self, scope: str, *, days: int) -> dict[str, float]:
        """What a scope has used on each of the last days (UTC) on which it used anything."""
        after = datetime.fromtimestamp(self._now(), UTC).date() - timedelta(days=days)
        params = {"scope": scope, "after": after.isoformat()}
        return await self._store.read(
            lambda tx: {row["day"]: row["amount"] for row in tx.all(_SPENT_BY_DAY, params)}
        )

    async def put(self, key: str, value: str) -> None:
        """Remember a small text."""
        await self._write(_SET, key=key, value=value)

    async def add(self, key: str, **said: str) -> None:
        """Remember more under a key that holds a JSON object of texts: one wait for the disk."""
        now = self._now()

        def work(tx: Tx) -> None:
            row = tx.one(_GET, {"key": key})
            known = {} if row is None else json.loads(row["value"])
            tx.run(_SET, {"key": key, "value": json.dumps({**known, **said}), "now": now})

        await self._store.write(work)

    async def said(self, key: str) -> dict[str, str]:
        """What `add` has remembered under a key; nothing where it was never told."""
        said: dict[str, str] = json.loads(await self.value(key) or "{}")
        return said

    async def take(self, key: str, value: str, *, instead_of: str) -> bool:
        """`put`, but only over this value (empty: over none); whether it was done."""
        return await self._write(_TAKE, key=key, value=value, old=instead_of) == 1

    async def value(self, key: str) -> str | None:
        """What `put` was given last."""
        row = await self._store.read(lambda tx: tx.one(_GET, {"key": key}))
        return None if row is None else str(row["value"])

    async def sample(self, name: str, value: float) -> None:
        """Add a point to a metric's history."""
        await self._write(_SAMPLE, name=name, value=value)

    async def samples(self, name: str, since: float) -> Points:
        """The points of a metric."""
        params = {"name": name, "since": since}
        return await self._store.read(
            lambda tx: [(row["at"], row["value"]) for row in tx.all(_SAMPLES, params)]
        )

    async def forget_samples(self, before: float) -> None:
        """Drop the points of every metric that are older than this instant."""
        await self._write(_FORGET_SAMPLES, before=before)

    async def save_transcript(self, task_id: str, run_id: str, role: str, events: str) -> None:
        """Keep what an agent said and did in one run, as JSON text."""
        await self._write(_TRANSCRIPT, task_id=task_id, run_id=run_id, role=role, events=events)

    async def transcripts(self, task_id: str) -> dict[str, str]:
        """The transcripts of a task by run, in order."""
        params = {"task_id": task_id}
        return await self._store.read(
            lambda tx: {r["run_id"]: r["events_json"] for r in tx.all(_TRANSCRIPTS, params)}
        )

    async def _write(self, sql: str, **values: Any) -> int:
        params = values | {"now": self._now()}
        return await self._store.write(lambda tx: tx.run(sql, params))

    def _today(self) -> str:
        return datetime.fromtimestamp(self._now(), UTC).date().isoformat()


def _hold(row: Row) -> Hold:
    return Hold(lane=row["lane"], by=row["held_by"], reason=row["reason"], since=row["held_since"])


def _breaker(row: Row) -> Breaker:
    return Breaker(
        name=row["name"],
        state=BreakerState(row["state"]),
        failures=row["failures"],
        changed_at=row["changed_at"],
        probe_at=row["probe_at"],
        reason=row["reason"],
    )
