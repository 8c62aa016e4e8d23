"""The rows of outward effects; the protocol that uses them is `workflow/effects.py`.

`intended → sent → confirmed | uncertain | failed`. Only one caller gets from intended to sent,
and only while its claim is held; the transaction that says so is on disk before the call goes
out, so that whatever ends the process in between, the next one knows what to look for.
"""

from typing import Any

from bot.domain import Effect, EffectKind, EffectState
from bot.errors import LeaseLost, NotFound, WrongState
from bot.tasks.base import Clock
from bot.tasks.rows import effect_from
from bot.tasks.sqlite import SqliteStore, Tx

_GET = "SELECT * FROM effect WHERE key = :key"
_OF_TASK = "SELECT * FROM effect WHERE task_id = :task_id ORDER BY intent_at, key"
_HELD = "SELECT 1 FROM task WHERE id = :task_id AND fence = :fence AND status = 'RUNNING'"
_INTEND = """
INSERT INTO effect (key, task_id, kind, state, intent_at, fence, request_hash, updated_at)
VALUES (:key, :task_id, :kind, 'intended', :at, :fence, :request_hash, :now)
ON CONFLICT (key) DO NOTHING
"""
_SENT = """
UPDATE effect SET state = 'sent', fence = :fence, intent_at = :now, updated_at = :now
WHERE key = :key AND state = 'intended' RETURNING *
"""
_CONFIRM = """
UPDATE effect SET state = 'confirmed', remote_id = :remote_id, remote_url = :remote_url,
    error = '', updated_at = :now
WHERE key = :key RETURNING *
"""
_UNCERTAIN = """
UPDATE effect SET state = 'uncertain', error = :error, updated_at = :now
WHERE key = :key AND state IN ('sent', 'uncertain') RETURNING *
"""
_FAIL = """
UPDATE effect SET state = 'failed', error = :error, updated_at = :now
WHERE key = :key AND state <> 'confirmed' RETURNING *
"""
_FORGET = """
UPDATE effect SET state = 'intended', intent_at = :now, error = '', updated_at = :now
WHERE key = :key AND state <> 'confirmed' RETURNING *
"""


class Ledger:
    """The effects of every task. `fence=None` means: not part of a step (a painter's effect)."""

    def __init__(self, store: SqliteStore, now: Clock) -> None:
        self._store = store
        self._now = now

    async def intend(
        self,
        key: str,
        task_id: str,
        kind: EffectKind,
        fence: int | None,
        request_hash: str,
        *,
        at: float | None = None,
    ) -> Effect:
        """Write an intent down, or return the row that this key has already.

        Raises LeaseLost when the claim is not held; then nothing is written.
        """
        now = self._now()
        params = {
            "key": key,
            "task_id": task_id,
            "kind": kind.value,
            "fence": fence or 0,
            "request_hash": request_hash,
            "at": now if at is None else at,
            "now": now,
        }

        def work(tx: Tx) -> Effect:
            _check_claim(tx, task_id, fence)
            tx.run(_INTEND, params)
            return _get(tx, key)

        return await self._store.write(work)

    async def sent(self, key: str, fence: int | None) -> Effect:
        """Say that the call goes out now: the last write before it, and only once.

        Raises LeaseLost when the claim is not held, WrongState when the effect is not merely
        intended: somebody has tried it, and it has to be looked up first.
        """
        now = self._now()

        def work(tx: Tx) -> Effect:
            effect = _get(tx, key)
            _check_claim(tx, effect.task_id, fence)
            return _moved(tx, effect, _SENT, {"fence": fence or 0, "now": now})

        return await self._store.write(work)

    async def confirm(self, key: str, remote_id: str, remote_url: str = "") -> Effect:
        """GitHub has it, under this id. Also for what was found by looking it up."""
        return await self._move(key, _CONFIRM, {"remote_id": remote_id, "remote_url": remote_url})

    async def uncertain(self, key: str, error: str) -> Effect:
        """No readable answer came back. Raises WrongState unless it was sent."""
        return await self._move(key, _UNCERTAIN, {"error": error})

    async def fail(self, key: str, error: str) -> Effect:
        """GitHub's final no. Raises WrongState when it was confirmed before."""
        return await self._move(key, _FAIL, {"error": error})

    async def forget(self, key: str) -> Effect:
        """Looked up and surely absent: intended anew, from now. WrongState when confirmed."""
        return await self._move(key, _FORGET, {})

    async def get(self, key: str) -> Effect | None:
        """The effect with this key, if it was ever intended."""

        def work(tx: Tx) -> Effect | None:
            row = tx.one(_GET, {"key": key})
            return None if row is None else effect_from(row)

        return await self._store.read(work)

    async def of_task(self, task_id: str) -> list[Effect]:
        """Every effect of a task, oldest intent first."""
        params = {"task_id": task_id}
        return await self._store.read(lambda tx: [effect_from(r) for r in tx.all(_OF_TASK, params)])

    async def _move(self, key: str, sql: str, values: dict[str, Any]) -> Effect:
        now = self._now()
        return await self._store.write(
            lambda tx: _moved(tx, _get(tx, key), sql, values | {"now": now})
        )


def _get(tx: Tx, key: str) -> Effect:
    row = tx.one(_GET, {"key": key})
    if row is None:
        raise NotFound(f"effect {key!r} was never intended")
    return effect_from(row)


def _check_claim(tx: Tx, task_id: str, fence: int | None) -> None:
    if fence is not None and tx.one(_HELD, {"task_id": task_id, "fence": fence}) is None:
        raise LeaseLost(f"{task_id}: claim {fence} is not held any more; nothing was sent")


def _moved(tx: Tx, effect: Effect, sql: str, values: dict[str, Any]) -> Effect:
    row = tx.one(sql, values | {"key": effect.key})
    if row is None:
        states = ", ".join(EffectState)
        raise WrongState(f"effect {effect.key!r} is {effect.state} (of {states}), which forbids it")
    return effect_from(row)
