"""What `queue` is held against: the usual durable queues of Python, on SQLite, WAL and FULL."""

import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

from tests.bench.meter import Meter
from tests.bench.model import Reading
from tests.bench.queues import CALLERS, reading, ten_callers


async def sqlalchemy(count: int) -> Reading:
    """SQLAlchemy Core on aiosqlite: a transaction of its own for each operation."""
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
            await made.execute(
                text(
                    "CREATE TABLE job (id INTEGER PRIMARY KEY, body TEXT, priority INTEGER,"
                    " state TEXT, run_at REAL)"
                )
            )
            await made.execute(text("CREATE INDEX job_next ON job (state, priority, id)"))
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
    """huey's SQLite storage with fsync on, its callers on threads."""
    from huey import SqliteHuey  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder:
        queue = SqliteHuey(filename=f"{folder}/huey.db", fsync=True, results=False, timeout=60)

        @queue.task()  # type: ignore[untyped-decorator]
        def feature(_text: str) -> None:
            return None

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
        queue.storage.close()
    return reading(submitting, working, count)


def dbos(count: int) -> Reading:
    """DBOS on SQLite: workflows of one step through its queue, from submit to the last result."""
    from dbos import DBOS, DBOSConfig

    with tempfile.TemporaryDirectory() as folder:
        config = DBOSConfig(
            name="bench",
            system_database_url=f"sqlite:///{folder}/dbos.db",
            log_level="CRITICAL",
        )
        DBOS(config=config)

        @DBOS.workflow()
        def feature(text: str) -> int:
            return len(text)

        DBOS.launch()
        queue = DBOS.register_queue("bench", worker_concurrency=CALLERS, polling_interval_sec=0.01)
        with closing(sqlite3.connect(f"{folder}/dbos.db", timeout=60)) as raw:
            raw.execute("PRAGMA journal_mode=WAL")
        submitting, working = Meter(), Meter()
        with submitting.running():
            handles = [queue.enqueue(feature, f"feature {n} " * 10) for n in range(count)]
        with working.running():
            for handle in handles:
                handle.get_result()
        DBOS.destroy()
    return reading(submitting, working, count)


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
