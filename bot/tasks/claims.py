"""Who works on what: claims with a fence and a lease, and what happens when they are lost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bot.domain import Status, Task
from bot.tasks.base import READY, Bells, Clock, Group, Limits, give_back
from bot.tasks.rows import LOCAL_LANE, task_from
from bot.tasks.store import Row, Store, Tx
from bot.tasks.together import Together

_SPARE = 15  #: rows looked at beyond those wanted, before the lanes are: nearly always enough

_ROOM = f"""
CASE WHEN lane.held_since IS NOT NULL THEN 0
     WHEN lane.max_running IS NOT NULL THEN lane.max_running
     WHEN head.lane = '{LOCAL_LANE}' THEN 1000000
     ELSE :lane_limit END
- (SELECT count(*) FROM task AS busy WHERE busy.status = 'RUNNING' AND busy.lane = head.lane)
"""  # noqa: S608 - our own constants

#: The front, and the room in the lane of each: the same few microseconds at any length.
CLAIM_FRONT = f"""
WITH head AS MATERIALIZED (
    SELECT seq, lane, order_key FROM task WHERE status = 'QUEUED' AND ready = 1
    ORDER BY order_key, seq LIMIT :front)
SELECT head.seq, head.lane, {_ROOM} AS room FROM head LEFT JOIN lane ON lane.lane = head.lane
ORDER BY head.order_key, head.seq
"""  # noqa: S608 - our own constants

#: The front is full of busy lanes: jump from lane to lane (a skip-scan), compare their heads.
CLAIM_LANES = f"""
WITH RECURSIVE head (lane) AS (
    SELECT min(lane) FROM task WHERE status = 'QUEUED' AND ready = 1
    UNION ALL
    SELECT (SELECT min(t.lane) FROM task AS t
            WHERE t.status = 'QUEUED' AND t.ready = 1 AND t.lane > head.lane)
    FROM head WHERE head.lane IS NOT NULL)
SELECT first.seq FROM head LEFT JOIN lane ON lane.lane = head.lane
JOIN task AS first ON first.seq = (
    SELECT t.seq FROM task AS t WHERE t.status = 'QUEUED' AND t.ready = 1 AND t.lane = head.lane
    ORDER BY t.order_key, t.seq LIMIT 1)
WHERE head.lane IS NOT NULL AND {_ROOM} > 0
ORDER BY first.order_key, first.seq LIMIT 1
"""  # noqa: S608 - our own constants

_CLAIM = """
UPDATE task SET status = 'RUNNING', fence = fence + 1, owner = :owner, lease_until = :lease_until,
    started_at = coalesce(started_at, :now), updated_at = :now,
    picture_due = CASE WHEN picture_due <= :picture_due THEN picture_due ELSE :picture_due END
WHERE seq = :seq RETURNING *
"""
_SINCE = "SELECT run_at FROM task WHERE seq = :seq"
_HEARTBEAT = """
UPDATE task SET lease_until = :lease_until
WHERE id = :id AND fence = :fence AND status = 'RUNNING'
"""
#: A step that was recorded a moment ago has let go of its claim itself; nobody took it away.
_LET_GO = """
SELECT 1 AS yes FROM task
WHERE id = :id AND fence = :fence AND status <> 'RUNNING' AND lost = 0
"""
_HELD = "SELECT * FROM task WHERE id = :id AND fence = :fence AND status = 'RUNNING'"
_LOST = "SELECT * FROM task WHERE status = 'RUNNING' AND lease_until <= :now"
_OF_BOOT = """
SELECT * FROM task WHERE status = 'RUNNING' AND owner <> :owner
    AND substr(owner, 1, length(:prefix)) = :prefix
"""


def owner_name(name: str, boot_id: str) -> str:
    """Who holds a claim: the server's lasting name and this start of it."""
    return f"{name}/{boot_id}"


class Claims(Group):
    def __init__(self, store: Store, now: Clock, bells: Bells, limits: Limits) -> None:
        super().__init__(store, now, bells, limits)
        self._asking = Together(self._claim_for)

    async def claim(self, owner: str) -> Task | None:
        """The next runnable task with room in its lane, now RUNNING under a new fence.

        Cancelling the caller does not undo a claim that was committed; its lease will run out.
        """
        return await self._asking.ask(owner)

    async def claim_some(self, owner: str, at_most: int) -> list[Task]:
        """What `at_most` calls of `claim` would give, in one commit: ten slots, one wait for disk.

        Fewer tasks than that were asked for: there was no other that may run.
        """
        found = await self._claim_for([owner] * at_most)
        return [task for task in found if task is not None]

    async def _claim_for(self, owners: Sequence[str]) -> list[Task | None]:
        """A task for each of them in their order, as far as there are any."""
        now = self._now()
        params: dict[str, Any] = {"now": now, "lane_limit": self.limits.lane_limit}
        params["lease_until"] = now + self.limits.lease_s
        params["picture_due"] = now + self.limits.settle_s

        def work(tx: Tx) -> list[Task]:
            tx.run(READY, params)  # first, so that the scan never has to skip a row
            return [task_from(row) for row in _claim(tx, owners, params)]

        tasks = await self._store.write(work)
        if tasks:
            self._ring_for(Status.RUNNING, *(task.id for task in tasks))
        return [*tasks, *[None] * (len(owners) - len(tasks))]

    async def next_wait(self) -> float | None:
        """Seconds for which the task that a free slot would take has waited; None: there is none.

        Tasks that only wait for their repository's limit, or for a hold, are no reason for a slot.
        """
        params = {"now": self._now(), "lane_limit": self.limits.lane_limit}

        def work(tx: Tx) -> float | None:
            seqs = _front(tx, 1, params) or _lanes(tx, params)
            row = tx.one(_SINCE, {"seq": seqs[0]}) if seqs else None
            return None if row is None else max(0.0, self._now() - row["run_at"])

        return await self._store.read(work)

    async def heartbeat(self, claims: Iterable[tuple[str, int]]) -> set[str]:
        """Renew the leases of these (id, fence); the ids of those that nobody has lost."""
        until = self._now() + self.limits.lease_s
        wanted = [{"id": i, "fence": fence, "lease_until": until} for i, fence in claims]
        return await self._store.write(
            lambda tx: {
                str(claim["id"])
                for claim in wanted
                if tx.run(_HEARTBEAT, claim) or tx.one(_LET_GO, claim)
            }
        )

    async def release(
        self, task_id: str, fence: int, *, crashed: bool = False, delay_s: float = 0.0
    ) -> Task | None:
        """Give a claim back unrecorded: the same step runs again after `delay_s`.

        `crashed` counts towards poison. None when the claim is not held any more.
        """
        now = self._now()

        def work(tx: Tx) -> Task | None:
            row = tx.one(_HELD, {"id": task_id, "fence": fence})
            if row is None:
                return None
            return give_back(tx, row, now, self.limits, crashed=crashed, run_at=now + delay_s)

        task = await self._store.write(work)
        self._ring_for(Status.QUEUED, task_id)
        return task

    async def requeue_lost(self) -> list[Task]:
        """Give every task whose lease has run out to the next worker, or to a person."""
        now = self._now()
        return await self._give_back_all(lambda tx: tx.all(_LOST, {"now": now}), now)

    async def release_boot(self, name: str, boot_id: str) -> list[Task]:
        """At start: give back at once what an earlier boot of this name held."""
        params = {"prefix": owner_name(name, ""), "owner": owner_name(name, boot_id)}
        return await self._give_back_all(lambda tx: tx.all(_OF_BOOT, params), self._now())

    async def _give_back_all(self, find: Callable[[Tx], list[Row]], now: float) -> list[Task]:
        def work(tx: Tx) -> list[Task]:
            rows = find(tx)
            return [give_back(tx, r, now, self.limits, crashed=True, run_at=now) for r in rows]

        tasks = await self._store.write(work)
        if tasks:
            self._ring_for(Status.QUEUED, *(task.id for task in tasks))
        return tasks


def _claim(tx: Tx, owners: Sequence[str], params: Mapping[str, Any]) -> list[Row]:
    """The rows that are claimed now; only behind full lanes does each take a look of its own."""
    rows: list[Row] = []
    seqs = _front(tx, len(owners), params)
    for owner in owners:
        seqs = seqs or _lanes(tx, params)
        if not seqs:
            break
        rows += tx.all(_CLAIM, {**params, "owner": owner, "seq": seqs.pop(0)})
    return rows


def _front(tx: Tx, wanted: int, params: Mapping[str, Any]) -> list[int]:
    """So many of the front as may run, in the order in which single claims would take them."""
    seqs: list[int] = []
    room: dict[str, int] = {}
    for head in tx.all(CLAIM_FRONT, {**params, "front": wanted + _SPARE}):
        left = room.setdefault(head["lane"], head["room"])
        if left > 0 and len(seqs) < wanted:
            room[head["lane"]] = left - 1
            seqs.append(head["seq"])
    return seqs


def _lanes(tx: Tx, params: Mapping[str, Any]) -> list[int]:
    head = tx.one(CLAIM_LANES, params)
    return [] if head is None else [head["seq"]]
