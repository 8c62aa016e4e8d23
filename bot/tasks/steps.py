"""How a task moves on: a recorded step, a wake, a deadline, a person's command."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields, replace

from bot.domain import Cause, JournalLine, Outcome, RepoRef, Status, Task
from bot.errors import LeaseLost, WrongState
from bot.facts import Facts, Spend
from bot.tasks.base import READY, SIGNAL_AGE_S, Group, Trail, add_line, cancelled, load, save
from bot.tasks.inbox import close_delivery
from bot.tasks.rows import line_params, task_from
from bot.tasks.store import Row, Tx

_UNSIGNAL = "DELETE FROM signal WHERE key = :key"
_SIGNAL = "INSERT INTO signal (key, at) VALUES (:key, :now) RETURNING n"
_WAKE = """
UPDATE task SET status = 'QUEUED', run_at = :now, ready = 1, signal_n = :n, updated_at = :now,
    delivery = CASE WHEN :delivery = '' THEN delivery ELSE :delivery END,
    traceparent = CASE WHEN :delivery = '' THEN traceparent ELSE :traceparent END
WHERE status = 'WAITING' AND wait_key = :key RETURNING id
"""
_WAKE_DUE = """
UPDATE task SET status = 'QUEUED', run_at = :now, ready = 1, updated_at = :now
WHERE status = 'WAITING' AND wait_until <= :now RETURNING id
"""
_NEXT_DUE = """
SELECT min(at) AS at FROM (
    SELECT min(wait_until) AS at FROM task WHERE status = 'WAITING'
    UNION ALL SELECT min(run_at) FROM task WHERE status = 'QUEUED' AND ready = 0
    UNION ALL SELECT min(lease_until) FROM task WHERE status = 'RUNNING') AS times
"""

_CALLED = """
UPDATE task SET repo_owner = :owner, repo_name = :name, installation_id = :installation_id,
    default_branch = :default_branch,
    picture_due = CASE WHEN finished_at IS NULL THEN :now ELSE picture_due END
WHERE repo_id = :id AND (repo_owner <> :owner OR repo_name <> :name
    OR installation_id <> :installation_id OR default_branch <> :default_branch)
"""
_PURGE = (
    "DELETE FROM signal WHERE at < :day",
    "DELETE FROM idempotency WHERE at < :day",
    "DELETE FROM inbox WHERE state = 'done' AND done_at < :month",
    "DELETE FROM transcript WHERE at < :month",
)
_MONTH_S = 30 * 86_400.0

_LAST_SAID = "SELECT * FROM journal WHERE task_id = :task_id ORDER BY n DESC LIMIT 1"
_SAYING = ("phase", "round", "turn", "attempt", "outcome", "summary")

#: What a person may change while a step runs; the step's own change of it comes first.
_SHARED = (
    "repo",
    "issue",
    "title",
    "target_url",
    "priority",
    "budget_usd",
    "delivery",
    "traceparent",
)


class Steps(Group):
    async def record(
        self,
        before: Task,
        line: JournalLine,
        after: Task,
        *,
        keep: bool = False,
        picture_in: float = 0.0,
    ) -> Task:
        """Commit a step: its journal line and the task after it, in one transaction.

        `before` is the task as it was claimed; raises LeaseLost when that claim is not held any
        more, and then nothing is written. What people changed meanwhile is kept. `keep` holds
        the claim for the next step if the task goes on RUNNING; without it, it is queued. A
        park whose key was signalled meanwhile is queued, and a cancelled task is CANCELLED.
        Returns the task as stored.
        """
        now = self._now()

        def work(tx: Tx) -> Task:
            row = load(tx, before.id)
            if row["fence"] != before.fence or row["status"] != Status.RUNNING:
                raise LeaseLost(f"{before.id}: claim {before.fence} is not held any more")
            task = _released(_merged(before, after, task_from(row)), keep=keep, now=now)
            task, said = _obeyed(task, line)
            if not _said_already(tx, said):
                add_line(tx, before.id, said)
            until = now + self.limits.lease_s
            return save(tx, row, task, now, picture_in=picture_in, lease_until=until)

        task = await self._store.write(work)
        self._ring_for(task.status, task.id)
        return task

    async def change(
        self,
        task_id: str,
        fn: Callable[[Task], Task],
        *,
        line: JournalLine | None = None,
        inbox_id: int | None = None,
        expect: Iterable[Status] | None = None,
        picture_in: float = 0.0,
    ) -> Task:
        """Change a task for a person: read, `fn`, write, in one transaction.

        A step that is running loses its lease when the task leaves RUNNING. Raises NotFound, and
        WrongState when the task is in none of the expected states.
        """
        now, trail = self._now(), Trail.here()
        allowed = None if expect is None else frozenset(expect)

        def work(tx: Tx) -> Task:
            row = load(tx, task_id)
            task = task_from(row)
            if allowed is not None and task.status not in allowed:
                raise WrongState(_refusal(task, allowed))
            close_delivery(tx, inbox_id, f"task {task_id}", now)
            if line is not None:
                add_line(tx, task_id, line)
            changed = trail.on(fn(task))
            return self._changed(tx, row, changed, now=now, picture_in=picture_in)

        task = await self._store.write(work)
        self._ring_for(task.status, task.id)
        return task

    async def cancel(self, task_id: str, by: str, *, inbox_id: int | None = None) -> Task:
        """End a task for a person. A running one is returned RUNNING with `cancel_by` set.

        The caller then tells the pool, and the running step ends it with its next record or when
        it is let go of. Raises NotFound, and WrongState when it has ended already.
        """
        now, trail = self._now(), Trail.here()

        def work(tx: Tx) -> Task:
            row = load(tx, task_id)
            task = task_from(row)
            if task.status.ended:
                raise WrongState(f"{task_id} has ended ({task.status}) and cannot be cancelled")
            close_delivery(tx, inbox_id, f"task {task_id} cancelled", now)
            if task.status is not Status.RUNNING:
                return cancelled(tx, row, by, now, trail)
            asked = trail.on(replace(task, cancel_by=task.cancel_by or by))
            return self._changed(tx, row, asked, now=now, picture_in=0.0)

        task = await self._store.write(work)
        self._ring_for(task.status, task.id)
        return task

    async def wake(self, key: str, *, inbox_id: int | None = None) -> list[str]:
        """Queue every task that waits for `key`; their ids.

        The signal is kept for a day, so that a task which parks on it later, because its step
        was still running, sees it. A task never sees the same signal twice.
        """
        now = self._now()
        params = {"key": key, "now": now, **asdict(Trail.here())}

        def work(tx: Tx) -> list[str]:
            tx.run(_UNSIGNAL, {"key": key})  # a signal that comes again gets a new number
            signal = tx.one(_SIGNAL, {"key": key, "now": now})
            assert signal is not None
            rows = tx.all(_WAKE, {**params, "n": signal["n"]})
            woken = [row["id"] for row in rows]
            close_delivery(tx, inbox_id, _who_woke(woken), now)
            return woken

        if not key:
            return []
        self._ring_early()
        woken = await self._store.write(work)
        if woken:
            self._ring_for(Status.QUEUED, *woken)
        return woken

    async def wake_due(self) -> list[str]:
        """Make every parked or delayed task claimable whose time has come; their ids."""
        now = self._now()

        def work(tx: Tx) -> list[str]:
            rows = tx.all(READY, {"now": now}) + tx.all(_WAKE_DUE, {"now": now})
            return [row["id"] for row in rows]

        woken = await self._store.write(work)
        if woken:
            self._ring_for(Status.QUEUED, *woken)
        return woken

    async def repository_is(self, repo: RepoRef) -> bool:
        """Have every task of a repository know its present name; whether one knew another."""
        now = self._now()
        params = {
            "id": repo.id,
            "owner": repo.owner,
            "name": repo.name,
            "installation_id": repo.installation_id,
            "default_branch": repo.default_branch,
            "now": now,
        }
        changed = await self._store.write(lambda tx: tx.run(_CALLED, params))
        if changed:
            self.bells.pictures.set()
        return changed > 0

    async def next_due(self) -> float | None:
        """The next instant at which a deadline, a delayed try or a lease runs out."""

        def work(tx: Tx) -> float | None:
            row = tx.one(_NEXT_DUE)
            return None if row is None else row["at"]

        return await self._store.read(work)

    async def purge(self) -> None:
        """Forget what is old: signals, keys, done deliveries, what agents were heard to say."""
        now = self._now()
        params = {"day": now - SIGNAL_AGE_S, "month": now - _MONTH_S}
        await self._store.write(lambda tx: [tx.run(sql, params) for sql in _PURGE])

    def _changed(self, tx: Tx, row: Row, new: Task, *, now: float, picture_in: float) -> Task:
        old = task_from(row)
        leaves = old.status is Status.RUNNING and new.status is not Status.RUNNING
        new = replace(new, id=old.id, fence=old.fence + leaves)
        return save(
            tx,
            row,
            new,
            now,
            picture_in=picture_in,
            lost=row["lost"] if new.status is old.status else 0,
            lease_until=row["lease_until"],
        )


def _merged(before: Task, after: Task, stored: Task) -> Task:
    """What the step changed, on top of what people changed while it ran."""
    if stored == before and _own(after) == _own(stored):
        return after
    kept = {n: getattr(stored, n) for n in _SHARED if getattr(after, n) == getattr(before, n)}
    facts = _merged_facts(before.facts, after.facts, stored.facts)
    return replace(
        after, id=stored.id, fence=stored.fence, cancel_by=stored.cancel_by, facts=facts, **kept
    )


def _own(task: Task) -> tuple[str, int, str]:
    """What no step changes."""
    return task.id, task.fence, task.cancel_by


def _merged_facts(before: Facts, after: Facts, stored: Facts) -> Facts:
    if stored == before:
        return after
    names = [field.name for field in fields(Facts)]
    changed = {n: getattr(after, n) for n in names if getattr(after, n) != getattr(before, n)}
    return replace(stored, **changed)


def _released(task: Task, *, keep: bool, now: float) -> Task:
    if task.status is Status.RUNNING and not keep:
        return replace(task, status=Status.QUEUED, run_at=now)
    return task


def _said_already(tx: Tx, line: JournalLine) -> bool:
    """Whether a look at what is waited for has found nothing new, and cost nothing.

    A task that looks every few minutes, for days, would bury its story otherwise.
    """
    if line.outcome is not Outcome.WAIT or line.spend != Spend() or line.evidence:
        return False
    last, new = tx.one(_LAST_SAID, {"task_id": line.task_id}), line_params(line)
    return last is not None and all(last[name] == new[name] for name in _SAYING)


def _obeyed(task: Task, line: JournalLine) -> tuple[Task, JournalLine]:
    """A cancellation that was asked for ends the task now, unless it has just ended by itself."""
    if not task.cancel_by or task.status.ended:
        return task, line
    summary = f"Cancelled by {task.cancel_by}"
    ended = replace(task, status=Status.CANCELLED, cause=Cause.PERSON, summary=summary)
    said = replace(line, summary=f"{line.summary} ({summary})", by=line.by or task.cancel_by)
    return ended, said


def _refusal(task: Task, allowed: frozenset[Status]) -> str:
    possible = ", ".join(sorted(allowed))
    return f"{task.id} is {task.status}; this is possible when it is {possible}"


def _who_woke(woken: Sequence[str]) -> str:
    if len(woken) == 1:
        return f"task {woken[0]} goes on"
    return f"{len(woken)} tasks go on" if woken else "no task waited for it"
