"""Deliveries: stored before they are acknowledged, read in order, kept to be looked at.

A row stays `new` until the transaction that acts on it also marks it done, so that nothing is
lost and nothing is done twice between the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from bot.errors import NotFound
from bot.tasks.base import Group
from bot.tasks.store import Row, Tx

AT_ONCE = 64  #: rows of one statement, and so the number of each that are ever prepared
MAX_TRIES = 100  #: with the daemon's backoff, about a day of trouble at GitHub


class InboxState(StrEnum):
    NEW = "new"  #: to be read, now or after `next_at`
    DONE = "done"  #: its command, if it meant one, is part of the same commit
    FAILED = "failed"  #: tried often enough; kept for a person, who can replay it


class NewDelivery(NamedTuple):
    """A delivery to be stored."""

    delivery_id: str  #: GitHub's GUID
    event_name: str
    action: str
    payload_text: str  #: the parsed event as JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """A delivery as it was accepted."""

    id: int
    delivery_id: str  #: GitHub's GUID
    event_name: str
    action: str
    payload_text: str  #: the parsed event as JSON, not the raw body
    state: InboxState
    received_at: float
    tries: int
    note: str  #: what became of it, in one line
    error: str


_ACCEPT = """
INSERT INTO inbox (delivery_id, event_name, action, payload_text, state, received_at, next_at)
VALUES {rows} ON CONFLICT (delivery_id) DO NOTHING
"""
_ACCEPT_ROW = "(:id_{n}, :event_{n}, :action_{n}, :payload_{n}, 'new', :now, :now)"
_LAST = "SELECT delivery_id FROM inbox ORDER BY id DESC LIMIT :count"
_PENDING = """
SELECT * FROM inbox WHERE state = 'new' AND next_at <= :now ORDER BY id LIMIT :limit
"""
_DONE = """
UPDATE inbox SET state = 'done', note = :note, error = '', done_at = :now
WHERE id = :id AND state = 'new'
"""
_FAILED = """
UPDATE inbox SET tries = tries + 1, error = :error, next_at = :retry_at,
    state = CASE WHEN tries + 1 >= :max_tries THEN 'failed' ELSE 'new' END
WHERE id = :id AND state = 'new'
"""
_REPLAY = """
UPDATE inbox SET state = 'new', next_at = :now, tries = 0, note = '', error = '', done_at = NULL
WHERE delivery_id = :delivery_id
"""
_DELIVERIES = """
SELECT * FROM inbox WHERE (:state IS NULL OR state = :state) AND id < :before
ORDER BY id DESC LIMIT :limit
"""
_NEXT = "SELECT min(next_at) AS at FROM inbox WHERE state = 'new'"
_KNOWN = "SELECT 1 FROM inbox WHERE delivery_id = :delivery_id"
_NEWEST = 2**62


class Inbox(Group):
    async def accept(
        self, delivery_id: str, event_name: str, action: str, payload_text: str
    ) -> bool:
        """Store a delivery durably; False if this GUID was stored before.

        Raises StoreError when it cannot be stored: then it must not be acknowledged.
        """
        one = NewDelivery(
            delivery_id=delivery_id,
            event_name=event_name,
            action=action,
            payload_text=payload_text,
        )
        return (await self.accept_all([one]))[0]

    async def accept_all(self, deliveries: Sequence[NewDelivery]) -> list[bool]:
        """`accept` for many in one commit; a GUID that is among them twice is new once."""
        now = self._now()
        parts = [deliveries[at : at + AT_ONCE] for at in range(0, len(deliveries), AT_ONCE)]
        inserts = [(part, _accepted(part, now)) for part in parts]
        self.bells.inbox.set()  # early: who reads then is answered by the same commit
        new = await self._store.write(lambda tx: _insert(tx, inserts))
        first = {one.delivery_id: one for one in reversed(deliveries)}
        return [one.delivery_id in new and first[one.delivery_id] is one for one in deliveries]

    async def known(self, delivery_id: str) -> bool:
        """Whether this GUID was accepted before; `accept` decides, this is for a quick answer."""
        params = {"delivery_id": delivery_id}
        return await self._store.read(lambda tx: tx.one(_KNOWN, params) is not None)

    async def pending(self, limit: int = 100) -> list[InboxRow]:
        """What is to be read now, oldest first.

        It stands in line with the writes: what was handed in before it is seen, and on the disk.
        """
        params = {"now": self._now(), "limit": limit}
        return await self._store.write(lambda tx: [_row(r) for r in tx.all(_PENDING, params)])

    async def inbox_done(self, inbox_id: int, note: str) -> None:
        """Close a delivery that asked for nothing. Idempotent."""
        await self._store.write(lambda tx: close_delivery(tx, inbox_id, note, self._now()))

    async def inbox_failed(self, inbox_id: int, error: str, retry_at: float) -> None:
        """Try a delivery again at `retry_at`; after `MAX_TRIES` it is kept as failed."""
        params = {"id": inbox_id, "error": error, "retry_at": retry_at, "max_tries": MAX_TRIES}
        await self._store.write(lambda tx: tx.run(_FAILED, params))
        self.bells.inbox.set()

    async def next_delivery(self) -> float | None:
        """The next instant at which a delivery is to be read, which may have passed."""

        def work(tx: Tx) -> float | None:
            row = tx.one(_NEXT)
            return None if row is None else row["at"]

        return await self._store.read(work)

    async def deliveries(
        self, *, state: InboxState | None = None, limit: int = 50, before: int | None = None
    ) -> list[InboxRow]:
        """What came, newest first; `before` is the id to go on from."""
        params = {
            "state": None if state is None else state.value,
            "limit": limit,
            "before": _NEWEST if before is None else before,
        }
        return await self._store.read(lambda tx: [_row(r) for r in tx.all(_DELIVERIES, params)])

    async def replay(self, delivery_id: str) -> None:
        """Read a stored delivery once more. Raises NotFound."""
        params = {"delivery_id": delivery_id, "now": self._now()}
        if not await self._store.write(lambda tx: tx.run(_REPLAY, params)):
            raise NotFound(f"no delivery {delivery_id!r}; `chimera deliveries list` shows them")
        self.bells.inbox.set()


def _insert(
    tx: Tx, inserts: Sequence[tuple[Sequence[NewDelivery], Mapping[str, str | float]]]
) -> set[str]:
    """Insert deliveries; the GUIDs that were not there before.

    Nearly always all of them, which their number tells. Else they are the last rows, for nobody
    writes at the same time. A `RETURNING` clause would take the interpreter for each row.
    """
    new: set[str] = set()
    for part, params in inserts:
        count = tx.run(_accept(len(part)), params)
        if count == len(part):
            new.update(one.delivery_id for one in part)
        elif count:
            new.update(row["delivery_id"] for row in tx.all(_LAST, {"count": count}))
    return new


@cache
def _accept(count: int) -> str:
    """One statement for so many rows: each by itself would hand the interpreter to and fro."""
    return _ACCEPT.format(rows=", ".join(_ACCEPT_ROW.format(n=n) for n in range(count)))


def _accepted(deliveries: Sequence[NewDelivery], now: float) -> dict[str, str | float]:
    params: dict[str, str | float] = {"now": now}
    for n, one in enumerate(deliveries):
        params[f"id_{n}"] = one.delivery_id
        params[f"event_{n}"] = one.event_name
        params[f"action_{n}"] = one.action
        params[f"payload_{n}"] = one.payload_text
    return params


def close_delivery(tx: Tx, inbox_id: int | None, note: str, now: float) -> None:
    """Mark a delivery done inside the transaction that acted on it; None: there was none."""
    if inbox_id is not None:
        tx.run(_DONE, {"id": inbox_id, "note": note, "now": now})


def _row(row: Row) -> InboxRow:
    return InboxRow(
        id=row["id"],
        delivery_id=row["delivery_id"],
        event_name=row["event_name"],
        action=row["action"],
        payload_text=row["payload_text"],
        state=InboxState(row["state"]),
        received_at=row["received_at"],
        tries=row["tries"],
        note=row["note"],
        error=row["error"],
    )
