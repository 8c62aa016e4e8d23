"""Tasks in bulk for the benches of the queue."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from bot.domain import JournalLine, Outcome, RepoRef, Status, Task, Wait, WaitFor
from bot.tasks.ids import new_id
from bot.tasks.rows import order_key, task_params

CHUNK = 10_000


def repo(number: int) -> RepoRef:
    return RepoRef(id=number, owner="octo", name=f"shop{number}")


def wish(number: int, *, of: int = 1) -> Task:
    """A new task for issue `number` of repository `of`."""
    title = f"feature {number}"
    return Task(id="", feature=title * 10, title=title, repo=repo(of), issue=number)


def step(task: Task, now: float) -> JournalLine:
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=task.phase,
        cursor=task.cursor,
        outcome=Outcome.PASS,
        summary="step done",
        started_at=now,
        seconds=0.1,
    )


def done(task: Task) -> Task:
    return replace(task, status=Status.COMPLETED)


def parked(task: Task, key: str) -> Task:
    wait = Wait(on=WaitFor.RUN, reason="a run is going on", key=key)
    return replace(task, status=Status.WAITING, wait=wait)


def fill(path: Path, count: int, lanes: int, now: float, *, waiting: bool = False) -> None:
    """Put queued (or parked) tasks into a store that exists, past the queue for speed."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        for start in range(0, count, CHUNK):
            numbers = range(start, min(start + CHUNK, count))
            rows = [_row(number, number % lanes + 1, now, waiting) for number in numbers]
            names = list(rows[0])
            values = ", ".join(f":{name}" for name in names)
            sql = f"INSERT INTO task ({', '.join(names)}) VALUES ({values})"
            with raw:
                raw.executemany(sql, rows)


def _row(number: int, of: int, now: float, waiting: bool) -> dict[str, object]:
    at = now - 1_000_000 + number * 0.5
    task = replace(wish(number + 1, of=of), id=new_id(at), created_at=at, run_at=at)
    task = parked(task, f"run:{of}/{number}") if waiting else task
    return task_params(task, now) | {
        "order_key": order_key(at, task.priority, 0.0),
        "enqueued_at": at,
        "picture_due": None,
    }
