"""What has not been done yet, and how long it has been waiting: for metrics, alerts and people."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain import WaitFor
from bot.tasks.base import Group
from bot.tasks.inbox import InboxState
from bot.tasks.store import Tx

_WAITS = "SELECT wait_json, updated_at FROM task WHERE status = 'WAITING' AND wait_json IS NOT NULL"
_QUEUED = (
    "SELECT count(*) AS n, min(run_at) AS since FROM task WHERE status = 'QUEUED' AND ready = 1"
)
_INBOX = """
SELECT state, count(*) AS n, min(received_at) AS since
FROM inbox WHERE state IN ('new', 'failed') GROUP BY state
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pile:
    """Things of one kind that wait."""

    n: int = 0
    oldest_s: float = 0.0  #: how long the first of them has been waiting; 0 where there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Everything that waits at one moment."""

    queued: Pile  #: could run now, if a slot and its repository's lane were free
    waits: Mapping[WaitFor, Pile]  #: parked tasks by what they wait for; every kind is there
    deliveries: Mapping[InboxState, Pile]  #: those that are new, and those that were given up


class Backlogs(Group):
    async def backlog(self) -> Backlog:
        """What waits now. Costs what waits, not what has been."""
        return await self._store.read(self._backlog)

    def _backlog(self, tx: Tx) -> Backlog:
        now = self._now()
        waiting: dict[WaitFor, list[float]] = {what: [] for what in WaitFor}
        for row in tx.all(_WAITS):
            wait = json.loads(row["wait_json"])
            waiting[WaitFor(wait["on"])].append(wait.get("since") or row["updated_at"])
        queued = tx.one(_QUEUED)
        assert queued is not None, "an aggregate always has its row"
        inbox = {row["state"]: _pile(row["n"], row["since"], now) for row in tx.all(_INBOX)}
        return Backlog(
            queued=_pile(queued["n"], queued["since"], now),
            waits={what: _of(since, now) for what, since in waiting.items()},
            deliveries={
                state: inbox.get(state.value, Pile())
                for state in (InboxState.NEW, InboxState.FAILED)
            },
        )


def _of(since: Iterable[float], now: float) -> Pile:
    instants = list(since)
    return _pile(len(instants), min(instants, default=None), now)


def _pile(n: int, since: float | None, now: float) -> Pile:
    return Pile(n=n, oldest_s=0.0 if since is None else max(0.0, now - since))
