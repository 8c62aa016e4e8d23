"""What can be asked about tasks; nothing here changes what a task is."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain import JournalLine, Phase, RepoRef, Status, Task
from bot.errors import InputError
from bot.tasks.base import Group, load
from bot.tasks.rows import lane_of, line_from, task_from
from bot.tasks.store import Tx

MAX_PAGE = 500  #: rows; a page is one answer of the API

_OF_ISSUE = """
SELECT * FROM task WHERE repo_id = :repo_id AND issue = :issue ORDER BY seq DESC LIMIT 1
"""
_OF_PULL = """
SELECT * FROM task WHERE repo_id = :repo_id AND pull = :pull AND pull > 0
ORDER BY seq DESC LIMIT 1
"""
_OF_BRANCH = """
SELECT * FROM task WHERE repo_id = :repo_id AND branch = :branch AND branch <> ''
ORDER BY seq DESC LIMIT 1
"""
_OF_REPO_LIVE = """
SELECT * FROM task WHERE repo_id = :repo_id AND status IN ('QUEUED', 'RUNNING', 'WAITING')
ORDER BY seq
"""
_OF_INSTALLATION_LIVE = """
SELECT * FROM task WHERE installation_id = :id AND status IN ('QUEUED', 'RUNNING', 'WAITING')
ORDER BY seq
"""
_LIVE_PLACES = """
SELECT DISTINCT repo_id FROM task
WHERE status IN ('QUEUED', 'RUNNING', 'WAITING') AND repo_id IS NOT NULL
"""
_BEGINS = """
SELECT begins_at FROM task WHERE repo_id = :repo_id AND begins_at > :since
    AND (:requester = '' OR requester = :requester) ORDER BY begins_at
"""
_JOURNAL = "SELECT * FROM journal WHERE task_id = :id ORDER BY n"
_JOURNAL_AFTER = """
SELECT rowid AS place, * FROM journal
WHERE rowid > :after AND (:id IS NULL OR task_id = :id) ORDER BY rowid LIMIT :limit
"""
_JOURNAL_HEAD = "SELECT coalesce(max(rowid), 0) AS place FROM journal"
_COUNTS = "SELECT status, count(*) AS n FROM task GROUP BY status"
_DEPTH = "SELECT count(*) AS n FROM task WHERE status = 'QUEUED'"
_AHEAD = """
SELECT count(*) AS n FROM task WHERE status = 'QUEUED' AND ready = 1
    AND (order_key, seq) < (:order_key, :seq)
"""

#: Hops from one repository to the next by the index, however many tasks each has.
_REPOSITORIES = """
WITH RECURSIVE known (id) AS (
    SELECT min(repo_id) FROM task WHERE repo_id IS NOT NULL
    UNION ALL
    SELECT (SELECT min(repo_id) FROM task WHERE repo_id > known.id) FROM known
    WHERE known.id IS NOT NULL
)
SELECT * FROM task WHERE seq IN (
    SELECT (SELECT max(seq) FROM task WHERE repo_id = known.id) FROM known
    WHERE known.id IS NOT NULL)
"""
_NEXT_UP = """
SELECT * FROM task WHERE status = 'QUEUED' AND ready = 1 ORDER BY order_key, seq LIMIT :limit
"""
_LATER = """
SELECT * FROM task WHERE status = 'QUEUED' AND ready = 0 ORDER BY run_at LIMIT :limit
"""
_LANE_BUSY = "SELECT count(*) AS n FROM task WHERE status = 'RUNNING' AND lane = :lane"
_LANE = "SELECT * FROM lane WHERE lane = :lane"
_FRONT = """
UPDATE task SET picture_due = CASE WHEN picture_due <= :now THEN picture_due ELSE :now END
WHERE seq IN (
    SELECT seq FROM task WHERE status = 'QUEUED' AND ready = 1 ORDER BY order_key, seq LIMIT :n)
"""
NEIGHBOURS = 20  #: queued tasks whose place is shown anew when one moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What keeps a repository's queued tasks from starting."""

    limit: int = 0  #: of tasks that run at once, where it is reached; 0: it is not
    held_by: str = ""
    hold_reason: str = ""  #: foreign text


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Tasks, newest first; `cursor` is where the next page begins, None on the last one."""

    tasks: tuple[Task, ...]
    cursor: str | None


class Views(Group):
    async def get(self, task_id: str) -> Task:
        """The task with this id. Raises NotFound."""
        return await self._store.read(lambda tx: task_from(load(tx, task_id)))

    async def find(self, repo_id: int, issue: int) -> Task | None:
        """The latest task of an issue, ended or not."""
        return await self._latest(_OF_ISSUE, {"repo_id": repo_id, "issue": issue})

    async def find_by_pull(self, repo_id: int, pull: int) -> Task | None:
        """The latest task with this pull request."""
        return await self._latest(_OF_PULL, {"repo_id": repo_id, "pull": pull})

    async def find_by_branch(self, repo_id: int, branch: str) -> Task | None:
        """The latest task that works on this branch."""
        return await self._latest(_OF_BRANCH, {"repo_id": repo_id, "branch": branch})

    async def begins_since(self, repo_id: int, since: float, *, requester: str = "") -> list[float]:
        """From when on a repository's tasks may or might begin, as it was when they were made: the
        instants after `since`, those to come as well; of one person's tasks, or of all.
        """
        params = {"repo_id": repo_id, "since": since, "requester": requester}
        return await self._store.read(
            lambda tx: [row["begins_at"] for row in tx.all(_BEGINS, params)]
        )

    async def live_of_repo(self, repo_id: int) -> list[Task]:
        """Every task of a repository that has not ended, oldest first."""
        params = {"repo_id": repo_id}
        return await self._store.read(
            lambda tx: [task_from(row) for row in tx.all(_OF_REPO_LIVE, params)]
        )

    async def live_repositories(self) -> set[int]:
        """The numbers of the repositories in which a task has not ended."""
        return await self._store.read(
            lambda tx: {int(row["repo_id"]) for row in tx.all(_LIVE_PLACES)}
        )

    async def live_of_installation(self, installation_id: int) -> list[Task]:
        """Every task that has not ended and works where the App is installed so."""
        params = {"id": installation_id}
        return await self._store.read(
            lambda tx: [task_from(row) for row in tx.all(_OF_INSTALLATION_LIVE, params)]
        )

    async def page(
        self,
        *,
        status: Iterable[Status] = (),
        repo_id: int | None = None,
        repo: str = "",
        phase: Phase | None = None,
        among: frozenset[int] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Tasks by status, repository (number, or owner/name) and phase, newest first.

        `among` are the numbers of the repositories that may be seen; None: all.

        Raises InputError for a cursor that no page has given.
        """
        wanted = [s.value for s in status]
        params: dict[str, str | int] = {f"status{i}": value for i, value in enumerate(wanted)}
        where = ["1 = 1"]
        if wanted:
            where.append(f"status IN ({', '.join(f':status{i}' for i in range(len(wanted)))})")
        if repo_id is not None:
            where.append("repo_id = :repo_id")
            params["repo_id"] = repo_id
        if repo:
            where.append("lower(repo_owner || '/' || repo_name) = :repo")
            params["repo"] = repo.lower()
        if among is not None:
            where.append(_among(among))
        if phase is not None:
            where.append("phase = :phase")
            params["phase"] = phase.value
        if cursor is not None:
            where.append("seq < :before")
            params["before"] = _position(cursor)
        params["limit"] = min(limit, MAX_PAGE) + 1
        sql = f"""
            SELECT * FROM task WHERE {" AND ".join(where)} ORDER BY seq DESC LIMIT :limit
        """  # noqa: S608 - conditions of ours; what was asked for is bound
        return await self._store.read(lambda tx: _page(tx, sql, params))

    async def front(self, limit: int) -> list[Task]:
        """The queue as it would be claimed, the next first; then what is delayed, by its time."""

        def work(tx: Tx) -> list[Task]:
            ready = tx.all(_NEXT_UP, {"limit": limit})
            later = tx.all(_LATER, {"limit": limit - len(ready)}) if len(ready) < limit else []
            return [task_from(row) for row in (*ready, *later)]

        return await self._store.read(work)

    async def repositories(self) -> list[RepoRef]:
        """Every repository that has ever had a task, as its newest one names it."""

        def work(tx: Tx) -> list[RepoRef]:
            refs = [task_from(row).repo for row in tx.all(_REPOSITORIES)]
            return [ref for ref in refs if ref is not None]

        return await self._store.read(work)

    async def journal(self, task_id: str) -> list[JournalLine]:
        """Every recorded step of a task, in order."""
        return await self._store.read(
            lambda tx: [line_from(row) for row in tx.all(_JOURNAL, {"id": task_id})]
        )

    async def journal_after(
        self, after: int, *, task_id: str | None = None, limit: int = 100
    ) -> list[tuple[int, JournalLine]]:
        """Steps of one task, or of all, in the order they were recorded, each with its place.

        The place grows with every recorded step; hand the last one in to go on from there.
        """
        params = {"after": after, "id": task_id, "limit": limit}
        return await self._store.read(
            lambda tx: [(row["place"], line_from(row)) for row in tx.all(_JOURNAL_AFTER, params)]
        )

    async def journal_head(self) -> int:
        """The place of the newest recorded step; 0 before there is one."""

        def work(tx: Tx) -> int:
            row = tx.one(_JOURNAL_HEAD)
            return 0 if row is None else int(row["place"])

        return await self._store.read(work)

    async def counts(self) -> dict[Status, int]:
        """How many tasks are in each status."""

        def work(tx: Tx) -> dict[Status, int]:
            found = {row["status"]: row["n"] for row in tx.all(_COUNTS)}
            return {status: found.get(status.value, 0) for status in Status}

        return await self._store.read(work)

    async def depth(self) -> int:
        """How many tasks wait for a slot."""

        def work(tx: Tx) -> int:
            row = tx.one(_DEPTH)
            return 0 if row is None else int(row["n"])

        return await self._store.read(work)

    async def position(self, task_id: str) -> int | None:
        """The place of a queued task, the next one being 1; None when it is not queued.

        Limits of repositories may let later ones pass. Raises NotFound.
        """

        def work(tx: Tx) -> int | None:
            row = load(tx, task_id)
            if row["status"] != Status.QUEUED:
                return None
            ahead = tx.one(_AHEAD, {"order_key": row["order_key"], "seq": row["seq"]})
            return 1 if ahead is None else int(ahead["n"]) + 1

        return await self._store.read(work)

    async def lane(self, repo: RepoRef | None) -> Lane:
        """What keeps the queued tasks of a repository where they are."""
        params = {"lane": lane_of(repo)}

        def work(tx: Tx) -> Lane:
            busy, row = tx.one(_LANE_BUSY, params), tx.one(_LANE, params)
            assert busy is not None
            said = row["max_running"] if row is not None else None
            limit = self.limits.lane_limit if said is None else int(said)
            held = row is not None and row["held_since"] is not None
            return Lane(
                limit=limit if busy["n"] >= limit else 0,
                held_by=row["held_by"] if row is not None and held else "",
                hold_reason=row["reason"] if row is not None and held else "",
            )

        return await self._store.read(work)

    async def queue_moved(self) -> None:
        """Have the first of the queue painted anew: their place may be another."""
        params = {"now": self._now(), "n": NEIGHBOURS}
        if await self._store.write(lambda tx: tx.run(_FRONT, params)):
            self.bells.pictures.set()

    async def _latest(self, sql: str, params: dict[str, str | int]) -> Task | None:
        def work(tx: Tx) -> Task | None:
            row = tx.one(sql, params)
            return None if row is None else task_from(row)

        return await self._store.read(work)


def _page(tx: Tx, sql: str, params: dict[str, str | int]) -> Page:
    rows = tx.all(sql, params)
    more = len(rows) == params["limit"]
    rows = rows[:-1] if more else rows
    cursor = str(rows[-1]["seq"]) if more and rows else None
    return Page(tasks=tuple(task_from(row) for row in rows), cursor=cursor)


def _among(repos: frozenset[int]) -> str:
    """A condition on numbers that came from GitHub; of no repository nothing is seen."""
    return f"repo_id IN ({', '.join(str(int(each)) for each in sorted(repos)) or 'NULL'})"


def _position(cursor: str) -> int:
    if not cursor.isdecimal() or len(cursor) > 18:
        raise InputError(f"cursor {cursor!r} is not one that a page of tasks has given")
    return int(cursor)
