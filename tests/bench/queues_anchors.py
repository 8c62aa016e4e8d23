"""What `queue` is held against: the usual durable queues of Python, on SQLite, WAL and FULL.

Each does for a task what it does for its users by default, in transactions of its own making, and
is synced to the disk at every commit, as ours is. Tuning goes in its favour, and is named.
"""

import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from tests.bench.meter import Meter
from tests.bench.model import Reading
from tests.bench.queues import CALLERS, reading, ten_callers

_JOBS = (
    "CREATE TABLE job (id INTEGER PRIMARY KEY, body TEXT, priority INTEGER, state TEXT,"
    " run_at REAL)",
    "CREATE INDEX job_next ON job (state, priority, id)",
)


async def sqlalchemy(count: int) -> Reading:
    """SQLAlchemy Core on aiosqlite, as one would write a queue by hand: a pooled connection for
    each of ten callers, a transaction for each submit, claim and end; a row of five columns.
    """
    from sqlalchemy import event, text
    from sqlalchemy.ext.asyncio import create_async_engine

    with tempfile.TemporaryDirectory() as folder:
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{folder}/queue.db",
            connect_args={"timeout": 60},
            pool_size=CALLERS,
        )

        @event.listens_for(engine.sync_engine, "connect")
        def _pragmas(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.close()

        async with engine.begin() as made:
            for statement in _JOBS:
                await made.execute(text(statement))
        insert = text("INSERT INTO job (body, priority, state, run_at) VALUES (:b, 5, 'queued', 0)")
        take = text(
            "UPDATE job SET state = 'running' WHERE id = (SELECT id FROM job"
            " WHERE state = 'queued' ORDER BY priority, id LIMIT 1) RETURNING id"
        )
        end = text("UPDATE job SET state = 'done' WHERE id = :id AND state = 'running'")
        numbers = iter(range(count))

        async def submit() -> bool:
            number = next(numbers, None)
            if number is not None:
                async with engine.begin() as connection:
                    await connection.execute(insert, {"b": f"feature {number} " * 10})
            return number is not None

        async def work() -> bool:
            async with engine.begin() as connection:
                row = (await connection.execute(take)).fetchone()
            if row is not None:
                async with engine.begin() as connection:
                    await connection.execute(end, {"id": row[0]})
            return row is not None

        submitting, working = await ten_callers(submit), await ten_callers(work)
        await engine.dispose()
    return reading(submitting, working, count)


def huey(count: int) -> Reading:
    """huey with `fsync`, ten threads, which is what its consumer's workers are.

    A submit is one commit (INSERT). A worker's turn is two: `dequeue` deletes the row; `execute`
    looks whether the task was revoked, calls it and stores what it returned, as is the default.
    """
    from huey import SqliteHuey  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder:
        queue = SqliteHuey(filename=f"{folder}/huey.db", fsync=True, timeout=60)

        @queue.task()  # type: ignore[untyped-decorator]
        def feature(text: str) -> int:
            return len(text)

        numbers = iter(range(count))
        lock = threading.Lock()

        def submit() -> bool:
            with lock:
                number = next(numbers, None)
            if number is not None:
                feature(f"feature {number} " * 10)
            return number is not None

        def work() -> bool:
            task = queue.dequeue()
            if task is not None:
                queue.execute(task)
            return task is not None

        submitting, working = _on_threads(submit), _on_threads(work)
        assert queue.storage.result_store_size() == count
        queue.storage.close()
    return reading(submitting, working, count)


def dbos(count: int) -> Reading:
    """DBOS on SQLite: workflows of one durable step through its queue, ten at once.

    Ten threads enqueue while the queue's worker has no room, so that a submit costs nothing else.
    Then it gets room for ten and the shortest poll that pays here (with 1 ms it spends the same);
    claims end when every result has been read. WAL is ours: its own default waits twice as often.
    """
    from dbos import DBOS, DBOSConfig

    with tempfile.TemporaryDirectory() as folder:
        config = DBOSConfig(
            name="bench",
            system_database_url=f"sqlite:///{folder}/dbos.db",
            log_level="CRITICAL",
        )
        DBOS(config=config)

        @DBOS.step()
        def measured(text: str) -> int:
            return len(text)

        @DBOS.workflow()
        def feature(text: str) -> int:
            length: int = measured(text)
            return length

        DBOS.launch()
        queue = DBOS.register_queue("bench", worker_concurrency=0)
        with closing(sqlite3.connect(f"{folder}/dbos.db", timeout=60)) as raw:
            raw.execute("PRAGMA journal_mode=WAL")
        numbers, lock = iter(range(count)), threading.Lock()
        handles = []

        def submit() -> bool:
            with lock:
                number = next(numbers, None)
            if number is not None:
                handles.append(queue.enqueue(feature, f"feature {number} " * 10))
            return number is not None

        submitting, working = _on_threads(submit), Meter()
        with working.running():
            queue.set_polling_interval_sec(0.01)
            queue.set_worker_concurrency(CALLERS)
            done = sum(handle.get_result() > 0 for handle in handles)
        assert done == count
        DBOS.destroy()
    return reading(submitting, working, count)


def bare(count: int) -> Reading:
    """No queue at all: rows of five columns, one index, ten in a commit, on one thread.

    What no submit that ten callers share can be cheaper than, whoever writes it in Python.
    """
    with tempfile.TemporaryDirectory() as folder, closing(_five_columns(folder)) as raw:
        meter = Meter()
        with meter.running():
            for first in range(0, count, CALLERS):
                raw.execute("BEGIN IMMEDIATE")
                for number in range(first, min(first + CALLERS, count)):
                    raw.execute(
                        "INSERT INTO job (body, priority, state, run_at)"
                        " VALUES (?, 5, 'queued', 0)",
                        (f"feature {number} " * 10,),
                    )
                raw.execute("COMMIT")
    return {f"submit_{name}": value for name, value in meter.reading(count).items()}


def _five_columns(folder: str) -> sqlite3.Connection:
    raw = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *_JOBS):
        raw.execute(statement)
    return raw


def _on_threads(one: Callable[[], bool]) -> Meter:
    def caller() -> None:
        while one():
            pass

    meter = Meter()
    with meter.running():
        threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return meter
