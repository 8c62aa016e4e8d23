"""The rows of outward effects; the protocol that uses them is `workflow/effects.py`.

`intended → sent → confirmed | uncertain | failed`. Only one caller gets from intended to sent,
and only while its claim is held; the transaction that says so is on disk before the call goes
out, so that whatever ends the process in between, the next one knows what to look for.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from bot.effects import Effect, EffectKind, EffectState
from bot.errors import LeaseLost, NotFound, RateLimited, WrongState
from bot.tasks.base import Clock
from bot.tasks.rows import effect_from
from bot.tasks.store import Store, Tx

MOST_WORDS = 20  #: comments of ours on one issue and its pull request within a day
DAY_S = 86_400.0

#: What people are notified of; a review with all its remarks is one.
WORDS = frozenset({EffectKind.STATUS_COMMENT, EffectKind.REVIEW, EffectKind.THREAD_REPLY})

#: What goes out by POST, and so counts against GitHub's limits for creating calls.
CREATING = WORDS | {
    EffectKind.TASK_ISSUE,
    EffectKind.LABEL_ADD,
    EffectKind.LABEL_CREATE,
    EffectKind.REACTION_ADD,
    EffectKind.PULL,
    EffectKind.PULL_READY,
    EffectKind.CHECK,
    EffectKind.DISPATCH,
    EffectKind.RUN_CANCEL,
    EffectKind.ENQUEUE,
    EffectKind.PROTECTION_ANSWER,
    EffectKind.REVERT_PULL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where effects are made; a zero is not known, or does not apply."""

    installation_id: int = 0
    repo_id: int = 0
    issue: int = 0


NOWHERE = Place()

_GET = "SELECT * FROM effect WHERE key = :key"
_OF_TASK = "SELECT * FROM effect WHERE task_id = :task_id ORDER BY intent_at, key"
_HELD = "SELECT 1 FROM task WHERE id = :task_id AND fence = :fence AND status = 'RUNNING'"
_INTEND = """
INSERT INTO effect (key, task_id, kind, state, intent_at, fence, request_hash, updated_at,
    installation_id, repo_id, issue)
VALUES (:key, :task_id, :kind, 'intended', :at, :fence, :request_hash, :now,
    :installation_id, :repo_id, :issue)
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
_SAID = """
SELECT one.intent_at AS at FROM effect AS one JOIN effect AS next
    ON one.repo_id = next.repo_id AND one.issue = next.issue AND one.issue > 0
WHERE next.key = :key AND one.key <> :key AND one.intent_at > :since
    AND one.state IN ('sent', 'confirmed', 'uncertain') ORDER BY one.intent_at
"""
_MADE = """
SELECT installation_id, intent_at FROM effect
WHERE installation_id > 0 AND intent_at > :since AND state <> 'intended' ORDER BY intent_at
"""


class Ledger:
    """The effects of every task. `fence=None` means: not part of a step (a painter's effect)."""

    def __init__(self, store: Store, now: Clock) -> None:
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
        place: Place = NOWHERE,
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
            "installation_id": place.installation_id if kind in CREATING else 0,
            "repo_id": place.repo_id if kind in WORDS else 0,
            "issue": place.issue if kind in WORDS else 0,
        }

        def work(tx: Tx) -> Effect:
            _check_claim(tx, task_id, fence)
            tx.run(_INTEND, params)
            return _get(tx, key)

        return await self._store.write(work)

    async def sent(self, key: str, fence: int | None) -> Effect:
        """Say that the call goes out now: the last write before it, and only once.

        Raises LeaseLost when the claim is not held, WrongState when the effect is not merely
        intended: somebody has tried it, and it has to be looked up first. Raises RateLimited
        where its issue has heard enough of us for today.
        """
        now = self._now()

        def work(tx: Tx) -> Effect:
            effect = _get(tx, key)
            _check_claim(tx, effect.task_id, fence)
            _check_words(tx, effect, now)
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

    async def made_since(self, since: float) -> dict[int, list[float]]:
        """When creating calls went out after this instant, by installation, oldest first."""

        def work(tx: Tx) -> dict[int, list[float]]:
            made: dict[int, list[float]] = defaultdict(list)
            for row in tx.all(_MADE, {"since": since}):
                made[row["installation_id"]].append(row["intent_at"])
            return dict(made)

        return await self._store.read(work)

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


def _check_words(tx: Tx, effect: Effect, now: float) -> None:
    if effect.kind not in WORDS:
        return
    said = tx.all(_SAID, {"key": effect.key, "since": now - DAY_S})
    if len(said) >= MOST_WORDS:
        text = f"{MOST_WORDS} comments of ours stand on this issue since yesterday: our own limit"
        raise RateLimited(text, retry_at=said[-MOST_WORDS]["at"] + DAY_S)


def _moved(tx: Tx, effect: Effect, sql: str, values: dict[str, Any]) -> Effect:
    row = tx.one(sql, values | {"key": effect.key})
    if row is None:
        states = ", ".join(EffectState)
        raise WrongState(f"effect {effect.key!r} is {effect.state} (of {states}), which forbids it")
    return effect_from(row)
