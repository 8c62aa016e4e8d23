"""What the method groups of the queue share: the store, the clock, the bells, the task's row."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.domain import MAX_PRIORITY, MIN_PRIORITY, Cause, JournalLine, Outcome, Status, Task
from bot.errors import NotFound, WrongState
from bot.log import bound
from bot.tasks.changes import Changes
from bot.tasks.estimates import learn
from bot.tasks.rows import (
    TASK_COLUMNS,
    TURN_S,
    lane_of,
    line_params,
    order_key,
    task_from,
    task_params,
)
from bot.tasks.store import Row, Store, Tx

SIGNAL_AGE_S = 86_400.0  #: a wake nobody waited for is kept this long

Clock = Callable[[], float]

_LOAD = "SELECT * FROM task WHERE id = :id"

#: Queued rows whose time has come get into the order of the claims.
READY = """
UPDATE task SET ready = 1 WHERE status = 'QUEUED' AND ready = 0 AND run_at <= :now RETURNING id
"""

#: Only what is different is written: every other column would touch each index that it is in.
_SAVE = """
UPDATE task SET {changes}
    owner = CASE :status WHEN 'RUNNING' THEN owner ELSE '' END,
    lease_until = :lease_until,
    picture_due = CASE WHEN picture_due <= :picture_due THEN picture_due ELSE :picture_due END
WHERE seq = :seq AND fence = :held_fence
"""
_SAVED = (*TASK_COLUMNS, "enqueued_at", "order_key", "lost", "signal_n")

_ADD_LINE = """
INSERT INTO journal (task_id, n, phase, round, turn, attempt, outcome, summary, cause,
    started_at, seconds, spend_json, by_whom, evidence)
VALUES (:task_id, (SELECT coalesce(max(n), 0) + 1 FROM journal WHERE task_id = :task_id),
    :phase, :round, :turn, :attempt, :outcome, :summary, :cause,
    :started_at, :seconds, :spend_json, :by_whom, :evidence)
"""

_OTHER_LIVE = """
SELECT id FROM task WHERE repo_id = :repo_id AND issue = :issue AND issue > 0 AND id <> :id
    AND finished_at IS NULL
"""
_LAST_TURN = f"""
WITH level(n) AS (VALUES {", ".join(f"({n})" for n in range(MIN_PRIORITY, MAX_PRIORITY + 1))})
SELECT max((
    SELECT max(enqueued_at) FROM task
    WHERE status = 'QUEUED' AND ready = 1 AND lane = :lane AND priority = level.n
)) AS at FROM level WHERE n >= :priority
"""  # noqa: S608 - our own constants
_EARLY_SIGNAL = "SELECT n FROM signal WHERE key = :key AND n > :seen AND at > :since"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bells:
    """Rung after a commit, so that nobody polls. A ring too many costs one look."""

    inbox: asyncio.Event = field(default_factory=asyncio.Event)  #: a delivery can be read
    work: asyncio.Event = field(default_factory=asyncio.Event)  #: a task can be claimed
    due: asyncio.Event = field(default_factory=asyncio.Event)  #: the next deadline has moved
    pictures: asyncio.Event = field(default_factory=asyncio.Event)  #: one may be out of date
    changes: Changes = field(default_factory=Changes)  #: any task has changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The queue's numbers; every one can be set where the queue is made."""

    lease_s: float = 60.0  #: a worker that is silent for so long has lost its task
    lane_limit: int = 2  #: running tasks of one repository
    poison_after: int = 3  #: leases lost at one step before a person has to look
    settle_s: float = 10.0  #: how long a picture of the queue's own changes may wait for more


class Group:
    """One group of the queue's methods; each public method is one transaction."""

    def __init__(self, store: Store, now: Clock, bells: Bells, limits: Limits) -> None:
        self.bells = bells
        self.limits = limits
        self._store = store
        self._now = now

    def _ring_early(self) -> None:
        """Call the pool before a write that queues a task, so that both share one commit.

        Works run in the order in which they were handed in: a claim that follows sees the task,
        and is answered when both are on the disk.
        """
        self.bells.work.set()

    def _ring_for(self, status: Status, *task_ids: str) -> None:
        """Tell the loops what a change of these tasks means to them."""
        self.bells.pictures.set()
        self.bells.due.set()
        self.bells.changes.ring(task_ids)
        if status is not Status.RUNNING:  # claimable now, or its lane has become free
            self.bells.work.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The delivery that is being acted on; empty where none is."""

    delivery: str
    traceparent: str

    @classmethod
    def here(cls) -> "Trail":
        """As it was bound at the door. Taken before a write, whose work runs on another thread."""
        return cls(delivery=bound("delivery"), traceparent=bound("traceparent"))

    def on(self, task: Task) -> Task:
        """The task, moved by this delivery; as it was, if there is none."""
        if not self.delivery:
            return task
        return replace(task, delivery=self.delivery, traceparent=self.traceparent)


def ids(task: Task) -> dict[str, str]:
    """What every line of the log about a task has."""
    known = {"task": task.id, "delivery": task.delivery}
    return {name: value for name, value in known.items() if value}


def load(tx: Tx, task_id: str) -> Row:
    """The row of a task. Raises NotFound."""
    row = tx.one(_LOAD, {"id": task_id})
    if row is None:
        raise NotFound(f"no task {task_id!r}; `chimera task list` shows what there is")
    return row


def save(
    tx: Tx,
    row: Row,
    task: Task,
    now: float,
    *,
    picture_in: float,
    lost: int = 0,
    lease_until: float | None = None,
) -> Task:
    """Write a task over the row it was read from, and return it as it was stored.

    A task that parks on a key whose signal has come in the meantime is queued at once.
    """
    seen = row["signal_n"]
    task = _dated(task, now)
    if task.status is Status.WAITING and (signal := _early_signal(tx, task, seen, now)):
        seen = signal
        task = replace(task, status=Status.QUEUED, run_at=now)
    revived = Status(row["status"]).ended and not task.status.ended
    if revived:
        _check_alone(tx, task)
        task = replace(task, cancel_by="")  # an old cancellation must not end it again
    if task.status is Status.COMPLETED and row["status"] != Status.COMPLETED:
        learn(tx, task)
    enqueued_at = next_turn(tx, task, now) if revived else row["enqueued_at"]
    params = task_params(task, now) | {
        "seq": row["seq"],
        "held_fence": row["fence"],
        "enqueued_at": enqueued_at,
        "order_key": order_key(enqueued_at, task.priority, row["estimate_s"]),
        "lost": lost,
        "signal_n": seen,
        "lease_until": lease_until if task.status is Status.RUNNING else None,
        "picture_due": now + picture_in,
    }
    changes = "".join(f"{name} = :{name}, " for name in _SAVED if params[name] != row[name])
    tx.run(_SAVE.format(changes=changes), params)
    return task


def next_turn(tx: Tx, task: Task, now: float) -> float:
    """The instant from which a task that is queued now counts as waiting: its place in the order.

    That of a repository with nothing as urgent in the queue is now, and each further one is a turn
    later, so that those of others come in between, and nothing less urgent of its own.
    """
    last = tx.one(_LAST_TURN, {"lane": lane_of(task.repo), "priority": task.priority})
    at = None if last is None else last["at"]
    return now if at is None else max(now, at + TURN_S)


def add_line(tx: Tx, task_id: str, line: JournalLine) -> None:
    """Append a line to a task's journal; the store gives the number."""
    tx.run(_ADD_LINE, line_params(line) | {"task_id": task_id})


def note(
    task: Task, outcome: Outcome, summary: str, now: float, *, cause: Cause | None, by: str = ""
) -> JournalLine:
    """A journal line for what happened to a task outside of a step."""
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=task.phase,
        cursor=task.cursor,
        outcome=outcome,
        summary=summary,
        cause=cause,
        started_at=now,
        seconds=0.0,
        by=by,
    )


def cancelled(tx: Tx, row: Row, by: str, now: float, trail: Trail | None = None) -> Task:
    """End a task because a person said so; the journal says who."""
    summary = f"Cancelled by {by}"
    task = replace(
        task_from(row),
        status=Status.CANCELLED,
        cause=Cause.PERSON,
        summary=summary,
        cancel_by=by,
    )
    task = task if trail is None else trail.on(task)
    add_line(tx, task.id, note(task, Outcome.FAIL, summary, now, cause=Cause.PERSON, by=by))
    return save(tx, row, task, now, picture_in=0.0)


def give_back(
    tx: Tx, row: Row, now: float, limits: Limits, *, crashed: bool, run_at: float
) -> Task:
    """What becomes of a task whose worker has let go of it without recording its step."""
    task = task_from(row)
    if task.cancel_by:
        return cancelled(tx, row, task.cancel_by, now)
    lost = row["lost"] + crashed
    if lost < limits.poison_after:
        task = replace(task, status=Status.QUEUED, run_at=run_at)
        return save(tx, row, task, now, picture_in=limits.settle_s, lost=lost)
    summary = f"The step was begun {lost} times and never came to an end"
    task = replace(task, status=Status.DEAD, cause=Cause.POISON, summary=summary)
    add_line(tx, task.id, note(task, Outcome.FAIL, summary, now, cause=Cause.POISON))
    return save(tx, row, task, now, picture_in=0.0, lost=lost)


def _dated(task: Task, now: float) -> Task:
    changes: dict[str, Any] = {"updated_at": now}
    if task.status.ended:
        changes |= {"finished_at": task.finished_at or now, "wait": None}
    else:
        changes |= {"finished_at": None}
    if task.status is Status.RUNNING:
        changes |= {"wait": None}
    return replace(task, **changes)


def _check_alone(tx: Tx, task: Task) -> None:
    repo_id = None if task.repo is None else task.repo.id
    other = tx.one(_OTHER_LIVE, {"repo_id": repo_id, "issue": task.issue, "id": task.id})
    if other is not None:
        raise WrongState(
            f"{task.id} cannot begin again: its issue has another live task, {other['id']}"
        )


def _early_signal(tx: Tx, task: Task, seen: int, now: float) -> int | None:
    if task.wait is None or not task.wait.key:
        return None
    params = {"key": task.wait.key, "seen": seen, "since": now - SIGNAL_AGE_S}
    row = tx.one(_EARLY_SIGNAL, params)
    return None if row is None else int(row["n"])
