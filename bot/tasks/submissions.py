"""How a wish becomes a task, exactly once."""

from dataclasses import replace
from typing import Any

from bot.domain import Status, Task
from bot.errors import InputError
from bot.tasks.base import Group, Trail, load, next_turn
from bot.tasks.estimates import estimated_s
from bot.tasks.ids import new_id
from bot.tasks.inbox import close_delivery
from bot.tasks.rows import TASK_COLUMNS, order_key, task_from, task_params
from bot.tasks.store import Row, Tx

_OWN = ("label_event_id", "estimate_s", "order_key", "enqueued_at", "begins_at", "picture_due")
_COLUMNS = (*TASK_COLUMNS, *_OWN)

_INSERT = f"""
INSERT INTO task ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
"""  # noqa: S608 - our own column names
_OF_ISSUE = """
SELECT id, finished_at, label_event_id FROM task WHERE repo_id = :repo_id AND issue = :issue
ORDER BY seq DESC
"""
_SAME_ID = "SELECT * FROM task WHERE id = :id"
_REMEMBERED = "SELECT request_hash, task_id FROM idempotency WHERE key = :key"
_LABELLED = "UPDATE task SET label_event_id = :event WHERE id = :id"
_REMEMBER = """
INSERT INTO idempotency (key, request_hash, task_id, at)
VALUES (:key, :request_hash, :task_id, :now)
"""


class Submissions(Group):
    async def submit(
        self,
        new: Task,
        *,
        inbox_id: int | None = None,
        label_event_id: str = "",
        idempotency_key: str = "",
        request_hash: str = "",
    ) -> tuple[Task, bool]:
        """Store a new task; or return the one that this wish has already become, and False.

        An issue has one live task. A finished one is followed by another only for a newer label
        event than it knew. An empty `new.id` is given here. With an idempotency key the same
        request gets the same task; raises InputError for another request under the same key.
        """
        now, new = self._now(), Trail.here().on(new)

        def work(tx: Tx) -> tuple[Task, bool]:
            known = _by_key(tx, idempotency_key, request_hash) or _existing(tx, new, label_event_id)
            task = task_from(known) if known else _insert(tx, new, label_event_id, now)
            if idempotency_key:
                _remember(tx, idempotency_key, request_hash, task.id, now)
            close_delivery(tx, inbox_id, f"task {task.id}", now)
            return task, known is None

        if new.status is Status.QUEUED:
            self._ring_early()
        task, created = await self._store.write(work)
        if created:
            self._ring_for(task.status, task.id)
        return task, created

    async def submitted(self, idempotency_key: str, request_hash: str) -> Task | None:
        """The task that a request with this key became; raises InputError for another request."""

        def look(tx: Tx) -> Task | None:
            row = _by_key(tx, idempotency_key, request_hash)
            return task_from(row) if row else None

        return await self._store.read(look)

    async def labelled_again(self, task_id: str, label_event_id: str) -> None:
        """A task knows a newer label event: the same event, told later, starts no other task."""
        params = {"id": task_id, "event": label_event_id}
        await self._store.write(lambda tx: tx.run(_LABELLED, params))


def _by_key(tx: Tx, key: str, request_hash: str) -> Row | None:
    row = tx.one(_REMEMBERED, {"key": key}) if key else None
    if row is None:
        return None
    if row["request_hash"] != request_hash:
        raise InputError("this Idempotency-Key was used with another request; use a new one")
    return load(tx, row["task_id"])


def _remember(tx: Tx, key: str, request_hash: str, task_id: str, now: float) -> None:
    if tx.one(_REMEMBERED, {"key": key}) is None:
        tx.run(
            _REMEMBER,
            {"key": key, "request_hash": request_hash, "task_id": task_id, "now": now},
        )


def _existing(tx: Tx, new: Task, label_event_id: str) -> Row | None:
    if new.id and (same := tx.one(_SAME_ID, {"id": new.id})):
        return same
    if new.repo is None or not new.issue:
        return None
    for row in tx.all(_OF_ISSUE, {"repo_id": new.repo.id, "issue": new.issue}):
        if row["finished_at"] is None or not _newer(label_event_id, row["label_event_id"]):
            return load(tx, row["id"])
    return None


def _newer(event_id: str, than: str) -> bool:
    """Event ids of GitHub are numbers that grow; an unknown one is taken as news."""
    if event_id.isdecimal() and than.isdecimal():
        return int(event_id) > int(than)
    return not event_id or event_id != than


def _insert(tx: Tx, new: Task, label_event_id: str, now: float) -> Task:
    task = replace(
        new,
        id=new.id or new_id(now),
        created_at=now,
        updated_at=now,
        run_at=max(new.run_at, now),
    )
    estimate_s = estimated_s(tx, task)
    begins_at = now if task.wait is None else task.wait.until or now
    turn = max(begins_at, next_turn(tx, task, now))
    params: dict[str, Any] = task_params(task, now) | {
        "label_event_id": label_event_id,
        "enqueued_at": turn,
        "begins_at": begins_at,
        "estimate_s": estimate_s,
        "order_key": order_key(turn, task.priority, estimate_s),
        "picture_due": now,
    }
    tx.run(_INSERT, params)
    return task
