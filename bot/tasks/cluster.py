"""Many machines on one store: who looks for work, who hears of what, and who leads.

Procrastinate carries the word that something can be claimed; which task that is, the row says at
the claim, and its fence makes a word that is heard twice harmless. A machine that hears it fills
its slots, passes the word on where there may be more, and listens again when a slot is free. The
other bells ring on every machine through LISTEN and NOTIFY; the loops that one machine has to run
alone belong to the holder of a session's advisory lock.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial

import procrastinate
import psycopg
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, ProcrastinateException
from psycopg.conninfo import make_conninfo

from bot import log
from bot.errors import StoreError
from bot.tasks.base import Bells
from bot.tasks.changes import Changes
from bot.tasks.pool import ExecutorPool
from bot.tasks.postgres import RECONNECT_S, SharedClock

CHANNEL = "chimera"
QUEUE = "chimera"
LEAD = 0x4C454144  #: the leader's lock ("LEAD")
SCHEMA = 0x53434845  #: held while Procrastinate's tables are made ("SCHE")
PULSE_S = 5.0  #: between two signs of life; also how long a lost word can go unnoticed
SILENCE_S = 20.0  #: of a session, after which the server ends it and its lock is free
CLOCK_S = 60.0  #: between two looks at the database's clock
RETRY_S = 1.0  #: before a connection that broke is made anew

#: A machine that lost its power says nothing: the operating system has to notice.
_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}

_log = log.get("tasks.cluster")


class LoudBell(asyncio.Event):
    """A bell that is also heard elsewhere."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def set(self) -> None:
        super().set()
        self._tell()

    def ring_here(self) -> None:
        """Ring without telling anybody: what was heard from elsewhere."""
        super().set()


class LoudChanges(Changes):
    """Changes that event streams of other machines hear of, too."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def ring(self, task_ids: Iterable[str]) -> None:
        known = list(task_ids)
        super().ring(known)
        for task_id in known:
            self._tell(task_id)

    def ring_here(self, task_id: str) -> None:
        super().ring([task_id])


class Cluster:
    """One machine's part. Made before the queue, whose bells it provides; runs inside `joined`."""

    shared = True

    def __init__(self, url: str, clock: SharedClock) -> None:
        self._url = url
        self._clock = clock
        self._news: set[str] = set()
        self._has_news = asyncio.Event()
        self._leads = False
        self._lost = asyncio.Event()  #: the database went away
        self._own = 0  #: the session that speaks; what it says was heard here already
        inbox, due, pictures = (LoudBell(partial(self._tell, n)) for n in _NAMES)
        self._bells = {"inbox": inbox, "due": due, "pictures": pictures}
        self._changes = LoudChanges(lambda task_id: self._tell(f"task {task_id}"))
        self.bells = Bells(inbox=inbox, due=due, pictures=pictures, changes=self._changes)
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=url, min_size=1, max_size=4, reconnect_timeout=RECONNECT_S
            )
        )

    @property
    def leads(self) -> bool:
        """Whether this machine runs the loops that one has to run alone."""
        return self._leads

    @contextlib.asynccontextmanager
    async def joined(self, pool: ExecutorPool) -> AsyncIterator[None]:
        """Take part until the block ends; the pool is told when to look. Raises StoreError."""
        pool.dispatches = False
        look = self._declared(pool)
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._app.open_async())
                await self._make_tables()
            except (psycopg.Error, ConnectorException) as error:
                raise StoreError(f"PostgreSQL: {error}. Is the server up?") from error
            loops = [
                asyncio.create_task(self._for_ever(round_), name=f"cluster {round_.__name__}")
                for round_ in (self._listen, self._speak, self._lead, self._keep_time)
            ]
            loops.append(asyncio.create_task(self._for_ever(partial(self._point, look))))
            loops.append(asyncio.create_task(self._for_ever(self._work)))
            try:
                yield
            finally:
                for loop in loops:
                    loop.cancel()
                await asyncio.gather(*loops, return_exceptions=True)

    def _declared(self, pool: ExecutorPool) -> Callable[[], Awaitable[None]]:
        async def look() -> None:
            with contextlib.suppress(AlreadyEnqueued):  # one word that waits is enough
                await task.defer_async()

        @self._app.task(name="chimera.look", queue=QUEUE, queueing_lock="chimera.look")
        async def task() -> None:
            await pool.take(look)

        return look

    async def _work(self) -> None:
        """Fetch words until the database goes away: Procrastinate's own listener ends with it."""
        self._lost.clear()
        worker = asyncio.create_task(
            self._app.run_worker_async(
                queues=[QUEUE],
                concurrency=1,  # a word is kept for as long as every slot is taken
                install_signal_handlers=False,  # the server has its own, and drains
                fetch_job_polling_interval=PULSE_S,
                delete_jobs="always",
                shutdown_graceful_timeout=0,
            )
        )
        lost = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait((worker, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            worker.cancel()
            ended = await asyncio.gather(worker, lost, return_exceptions=True)
        if isinstance(ended[0], Exception):
            raise ended[0]

    async def _point(self, look: Callable[[], Awaitable[None]]) -> None:
        """Turn the bell of work into a word for whoever has a slot; also without any ring."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PULSE_S):
                await self.bells.work.wait()
        self.bells.work.clear()
        await look()

    def _tell(self, news: str) -> None:
        self._news.add(news)
        self._has_news.set()

    async def _speak(self) -> None:
        async with await self._connected() as connection:
            self._own = connection.info.backend_pid
            while True:
                await self._has_news.wait()
                self._has_news.clear()
                news, self._news = self._news, set()
                for word in news:
                    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, word))

    async def _listen(self) -> None:
        async with await self._connected() as connection:
            await connection.execute(f"LISTEN {CHANNEL}".encode())
            for bell in self._bells.values():  # something may have happened while nobody listened
                bell.ring_here()
            try:
                async for notify in connection.notifies():
                    if notify.pid != self._own:
                        self._heard(notify.payload)
            finally:
                self._lost.set()

    def _heard(self, news: str) -> None:
        if bell := self._bells.get(news):
            bell.ring_here()
        elif news.startswith("task "):
            self._changes.ring_here(news.removeprefix("task "))

    async def _lead(self) -> None:
        """Hold the leader's lock, or wait for it; the session's end frees it at once."""
        async with await self._connected() as connection:
            await connection.execute(f"SET idle_session_timeout = '{SILENCE_S:g}s'".encode())
            try:
                while True:
                    self._is_leader(await _locked(connection))
                    await asyncio.sleep(PULSE_S)
            finally:
                self._is_leader(False)

    async def _keep_time(self) -> None:
        await asyncio.sleep(CLOCK_S)
        await self._clock.set()

    def _is_leader(self, leads: bool) -> None:
        if leads != self._leads:
            _log.info("leadership", leads=leads)
            self._leads = leads
            if leads:
                self._bells["inbox"].ring_here()

    async def _connected(self) -> "psycopg.AsyncConnection[tuple[object, ...]]":
        conninfo = make_conninfo(self._url, **_KEEPALIVE)
        return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)

    async def _make_tables(self) -> None:
        async with await self._connected() as connection:
            await connection.execute("SELECT pg_advisory_lock(%s)", (SCHEMA,))
            if not await self._app.check_connection_async():
                await self._app.schema_manager.apply_schema_async()

    async def _for_ever(self, one_round: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await one_round()
            except (StoreError, psycopg.Error, ProcrastinateException) as error:
                _log.warning("cluster connection lost", error=str(error).strip())
                await asyncio.sleep(RETRY_S)
            except Exception:
                _log.exception("cluster loop failed")
                await asyncio.sleep(RETRY_S)


_NAMES = ("inbox", "due", "pictures")


async def _locked(connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> bool:
    """Whether this session has the leader's lock, taking it where it is free."""
    sql = """
        SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s
            AND pid = pg_backend_pid() AND granted) OR pg_try_advisory_lock(%s)"""
    row = await (await connection.execute(sql, (LEAD, LEAD))).fetchone()
    return bool(row and row[0])
