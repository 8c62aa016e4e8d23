"""Which pictures of a task (comment, checks, labels) may be out of date, and who paints them.

Every change that people can see makes a picture due, at once or after it has settled. A painter
takes it under a lease; a change in the meantime makes it due again.
"""

from dataclasses import dataclass

from bot.domain import Task
from bot.tasks.base import Group, load
from bot.tasks.rows import task_from
from bot.tasks.store import Row, Tx

PAINT_LEASE_S = 30.0  #: a painter that is silent for so long has ended

_DUE = """
SELECT * FROM task WHERE seq IN (
    SELECT seq FROM task WHERE picture_due <= :now AND picture_lease IS NULL
    UNION SELECT seq FROM task WHERE picture_lease <= :now)
ORDER BY coalesce(picture_due, picture_lease) LIMIT :limit
"""
_TAKE = """
UPDATE task SET picture_due = NULL, picture_lease = :until, picture_fence = picture_fence + 1
WHERE seq = :seq RETURNING picture_fence
"""
#: A change since the take has set picture_due again; the earlier of the two counts.
_DONE = """
UPDATE task SET picture_lease = NULL, picture_tries = :tries,
    picture_due = CASE WHEN :next_due IS NULL OR picture_due <= :next_due THEN picture_due
        ELSE :next_due END
WHERE id = :id AND picture_fence = :fence
"""
_NEXT = """
SELECT min(at) AS at FROM (
    SELECT min(picture_due) AS at FROM task
    WHERE picture_due IS NOT NULL AND picture_lease IS NULL
    UNION ALL SELECT min(picture_lease) FROM task WHERE picture_lease IS NOT NULL) AS times
"""
_SOON = """
UPDATE task SET picture_due = CASE WHEN picture_due <= :due THEN picture_due ELSE :due END
WHERE id = :id
"""
_EARLIER = """
SELECT picture_json FROM task
WHERE repo_id = :repo_id AND issue = :issue AND seq < :seq AND picture_json <> '{}'
ORDER BY seq DESC LIMIT 1
"""
_LATER = "SELECT 1 FROM task WHERE repo_id = :repo_id AND issue = :issue AND seq > :seq LIMIT 1"
_SAVE = "UPDATE task SET picture_json = :picture WHERE id = :id AND picture_json = :was"


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePicture:
    """A task to be painted, and the claim to paint it."""

    task: Task
    fence: int
    tries: int  #: failed ones since the last that went well


class Pictures(Group):
    async def pictures_due(self, limit: int = 10) -> list[DuePicture]:
        """Take the pictures that are due, the longest due first."""
        now = self._now()

        def work(tx: Tx) -> list[DuePicture]:
            rows = tx.all(_DUE, {"now": now, "limit": limit})
            return [_taken(tx, row, now + PAINT_LEASE_S) for row in rows]

        return await self._store.write(work)

    async def picture_done(self, due: DuePicture, next_due: float | None) -> None:
        """The picture shows `due.task`; look again at `next_due`, or after the next change."""
        await self._finish(due, next_due, tries=0)

    async def picture_failed(self, due: DuePicture, retry_at: float) -> None:
        """It could not be painted; try again at `retry_at`."""
        await self._finish(due, retry_at, tries=due.tries + 1)

    async def picture_soon(self, task_id: str, delay_s: float = 0.0) -> None:
        """Have a task painted although its row has not changed."""
        params = {"id": task_id, "due": self._now() + delay_s}
        await self._store.write(lambda tx: tx.run(_SOON, params))
        self.bells.pictures.set()

    async def next_picture(self) -> float | None:
        """The next instant at which a picture is due, or a painter's lease runs out."""

        def work(tx: Tx) -> float | None:
            row = tx.one(_NEXT)
            return None if row is None else row["at"]

        return await self._store.read(work)

    async def save_picture(self, task_id: str, picture: str, *, was: str) -> bool:
        """Remember what was painted last, as one JSON text of the painter's.

        False, and nothing is written, where it is not `was` any more: another painter of this
        task, whose lease had run out or has begun since, saved one in between.
        """
        params = {"id": task_id, "picture": picture, "was": was}
        return await self._store.write(lambda tx: tx.run(_SAVE, params) == 1)

    async def picture(self, task_id: str) -> str:
        """What `save_picture` was given; `{}` before the first time. Raises NotFound."""
        return await self._store.read(lambda tx: str(load(tx, task_id)["picture_json"]))

    async def others_of_issue(self, task: Task) -> tuple[str | None, bool]:
        """The last picture of the task that was painted on this task's issue before it, and
        whether this task is the issue's newest. Raises NotFound.
        """

        def work(tx: Tx) -> tuple[str | None, bool]:
            row = load(tx, task.id)
            place = {"repo_id": row["repo_id"], "issue": row["issue"], "seq": row["seq"]}
            earlier = tx.one(_EARLIER, place) if row["issue"] else None
            later = tx.one(_LATER, place) if row["issue"] else None
            return None if earlier is None else str(earlier["picture_json"]), later is None

        return await self._store.read(work)

    async def _finish(self, due: DuePicture, next_due: float | None, *, tries: int) -> None:
        params = {
            "id": due.task.id,
            "fence": due.fence,
            "tries": tries,
            "next_due": next_due,
        }
        await self._store.write(lambda tx: tx.run(_DONE, params))
        self.bells.pictures.set()


def _taken(tx: Tx, row: Row, until: float) -> DuePicture:
    taken = tx.one(_TAKE, {"seq": row["seq"], "until": until})
    assert taken is not None
    return DuePicture(task=task_from(row), fence=taken["picture_fence"], tries=row["picture_tries"])
