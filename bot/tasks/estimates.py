"""How long a task will work, learned from the repository's own, for its place in the queue."""

from bot.domain import Task
from bot.tasks.rows import AGING_S, lane_of
from bot.tasks.store import Tx

SIZES = (500, 2_000, 8_000)  #: characters of the wish; each bound begins another class
MEMORY = 20  #: tasks after which an older one hardly counts
LONGEST_S = AGING_S  #: what counts at most: as much as one step of priority

#: Of this size if there was one, else of the size that there were most of.
_KNOWN = """
SELECT seconds FROM duration WHERE lane = :lane
ORDER BY CASE WHEN size = :size THEN 0 ELSE 1 END, n DESC LIMIT 1
"""
_LEARN = """
INSERT INTO duration (lane, size, n, seconds)
SELECT :lane, :size, 1, coalesce(sum(seconds), 0) FROM journal WHERE task_id = :id
ON CONFLICT (lane, size) DO UPDATE SET n = duration.n + 1,
    seconds = duration.seconds + (excluded.seconds - duration.seconds)
        / CASE WHEN duration.n < :memory THEN duration.n + 1 ELSE :memory END
"""


def estimated_s(tx: Tx, task: Task) -> float:
    """Seconds of work to expect of a new task; 0 while the repository has no history."""
    row = tx.one(_KNOWN, _params(task))
    return 0.0 if row is None else min(LONGEST_S, float(row["seconds"]))


def learn(tx: Tx, task: Task) -> None:
    """Take the work of a task that has just completed into account; waits are not work."""
    tx.run(_LEARN, _params(task) | {"id": task.id, "memory": MEMORY})


def _params(task: Task) -> dict[str, str | int | float]:
    size = sum(len(task.feature) >= bound for bound in SIZES)
    return {"lane": lane_of(task.repo), "size": size}
