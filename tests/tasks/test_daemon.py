import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.domain import Status, Task
from bot.errors import RateLimited, Refused
from bot.tasks.daemon import GONE_TRIES, ChimeraDaemon, Deadlines, Sweep
from bot.tasks.inbox import InboxRow, InboxState
from bot.tasks.pool import ExecutorPool
from bot.tasks.pulse import SILENT_S, Pulse
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore

from .making import finish, line, parked, until, until_stored, wish


@dataclass
class House:
    """A daemon on the real clock, with an intake that makes a task of every delivery."""

    queue: TaskQueue
    read: list[str] = field(default_factory=list)
    painted: list[Task] = field(default_factory=list)
    swept: int = 0
    trouble: int = 0  #: how many more calls of everything fail
    told: Exception = field(default_factory=lambda: RuntimeError("trouble"))  #: and with what

    async def intake(self, row: InboxRow) -> None:
        self.maybe_fail()
        self.read.append(row.delivery_id)
        if row.event_name == "issues":
            await self.queue.submit(wish(len(self.read), of=None), inbox_id=row.id)

    async def paint(self, task: Task) -> float | None:
        self.maybe_fail()
        self.painted.append(task)
        return None

    async def sweep(self) -> None:
        self.swept += 1
        self.maybe_fail()

    async def advance(self, task: Task) -> Task:
        if task.wait is None:
            later = parked(task, until=time.time() + 0.05)
            return await self.queue.record(task, line(task), later)
        return await finish(self.queue, task)

    def maybe_fail(self) -> None:
        if self.trouble:
            self.trouble -= 1
            raise self.told

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ChimeraDaemon]:
        daemon = ChimeraDaemon(
            self.queue,
            ExecutorPool(self.queue, self.advance),
            now=time.time,
            intake=self.intake,
            paint=self.paint,
            sweeps=[Sweep(name="sweep", every_s=0.02, run=self.sweep)],
        )
        running = asyncio.create_task(daemon.run())
        yield daemon
        daemon.stop()
        async with asyncio.timeout(20):
            await running


@asynccontextmanager
async def house(path: Path, *, lease_s: float = 0.3) -> AsyncIterator[House]:
    store = await SqliteStore.open(path / "chimera.db")
    try:
        yield House(TaskQueue(store, time.time, lease_s=lease_s, settle_s=0.01))
    finally:
        await store.close()


async def ended(queue: TaskQueue) -> int:
    return sum(n for status, n in (await queue.counts()).items() if status.ended)


async def until_ended(queue: TaskQueue, number: int) -> None:
    async def enough() -> bool:
        return await ended(queue) >= number

    await until_stored(enough)


async def test_a_delivery_becomes_a_task_that_is_worked_on_parked_woken_and_painted(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as home, home.open():
        await home.queue.accept("guid", "issues", "labeled", "{}")
        await until_ended(home.queue, 1)
        await until(lambda: bool(home.painted) and home.painted[-1].status.ended)
        (row,) = await home.queue.deliveries()
    assert row.state is InboxState.DONE
    assert row.note.startswith("task ")
    assert home.swept >= 1


async def test_a_delivery_that_asks_for_nothing_is_closed(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.open():
        await home.queue.accept("guid", "push", "", "{}")
        await until(lambda: home.read == ["guid"])

        async def closed() -> bool:
            return (await home.queue.deliveries())[0].state is InboxState.DONE

        await until_stored(closed)


@pytest.mark.parametrize(
    "told",
    [
        Refused("the issue: 410 Gone", status=410),
        Refused("no such repository: 404", status=404),
        Refused("no commit found for SHA: 422", status=422),
    ],
)
async def test_a_delivery_about_something_that_stays_gone_is_closed(
    tmp_path: Path, told: Refused
) -> None:
    async with house(tmp_path) as home:
        await home.queue.accept("guid", "issues", "labeled", "{}")
        (row,) = await home.queue.pending()
        for _ in range(GONE_TRIES):
            await home.queue.inbox_failed(row.id, "not there", time.time())
        home.trouble, home.told = 1_000_000, told
        async with home.open():

            async def closed() -> bool:
                return (await home.queue.deliveries())[0].state is InboxState.DONE

            await until_stored(closed)
        (row,) = await home.queue.deliveries()
    assert row.note == f"gone: {told}"


async def test_what_met_a_limit_of_githubs_waits_for_its_end_and_is_no_error(
    tmp_path: Path,
) -> None:
    until_s = time.time() + 3000
    async with house(tmp_path) as home:
        await home.queue.accept("guid", "issues", "labeled", "{}")
        home.trouble, home.told = 1_000_000, RateLimited("GitHub's limit", retry_at=until_s)
        with capture_logs() as logged:
            async with home.open():

                async def waits() -> bool:
                    return (await home.queue.next_delivery() or 0.0) == until_s

                await until_stored(waits)
        (row,) = await home.queue.deliveries()
    assert row.error == "RateLimited: GitHub's limit"
    told = {line["event"]: line["log_level"] for line in logged}
    assert (told["delivery could not be read"], told["sweep put off"]) == ("warning", "warning")
    assert "error" not in told.values()


async def test_a_picture_that_met_a_limit_waits_for_its_end_without_an_error(
    tmp_path: Path,
) -> None:
    until_s = time.time() + 3000
    async with house(tmp_path) as home:
        await home.queue.submit(wish(1, of=None))
        home.trouble, home.told = 1_000_000, RateLimited("GitHub's limit", retry_at=until_s)
        with capture_logs() as logged:
            async with home.open():

                async def waits() -> bool:
                    return (await home.queue.next_picture() or 0.0) == until_s

                await until_stored(waits)
    told = {line["log_level"] for line in logged if "picture" in line["event"]}
    assert told == {"warning"}


async def test_trouble_in_every_loop_stops_none(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.open():
        home.trouble = 6
        await home.queue.accept("first", "issues", "labeled", "{}")
        await until(lambda: home.trouble == 0)
        await home.queue.accept("second", "issues", "labeled", "{}")
        await until_ended(home.queue, 1)
        swept = home.swept
        await until(lambda: home.swept > swept)


async def test_an_idle_daemon_sleeps(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.open():
        await home.queue.accept("guid", "issues", "labeled", "{}")
        await until_ended(home.queue, 1)
        await until(lambda: bool(home.painted) and home.painted[-1].status.ended)

        async def nothing_due() -> bool:
            return not (await home.queue.next_due() or await home.queue.next_picture())

        await until_stored(nothing_due)
        began = time.process_time()
        await asyncio.sleep(0.5)  # the point is that nothing happens in this time
        assert time.process_time() - began < 0.15


async def test_a_long_step_keeps_its_lease(tmp_path: Path) -> None:
    async with house(tmp_path, lease_s=2.0) as home:
        claims = 0

        async def slow(task: Task) -> Task:
            nonlocal claims
            claims += 1
            await asyncio.sleep(4.0)  # twice the lease, which a busy machine does not miss
            return await finish(home.queue, task)

        pool = ExecutorPool(home.queue, slow)
        daemon = ChimeraDaemon(
            home.queue, pool, now=time.time, intake=home.intake, paint=home.paint
        )
        running = asyncio.create_task(daemon.run())
        await home.queue.submit(wish(1))
        await until_ended(home.queue, 1)
        daemon.stop()
        await running
    assert claims == 1


async def test_a_start_resumes_a_thousand_tasks_of_the_boot_before(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await asyncio.gather(*(home.queue.submit(wish(of=None)) for _ in range(1000)))
        claims = [home.queue.claim("chimera/before") for _ in range(1000)]
        assert all(await asyncio.gather(*claims))
    async with house(tmp_path) as home:
        began = time.monotonic()
        async with home.open():
            await until_ended(home.queue, 1000)
        assert time.monotonic() - began < 60
        assert (await home.queue.counts())[Status.COMPLETED] == 1000


async def test_stopping_releases_what_runs(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        started = asyncio.Event()

        async def endless(task: Task) -> Task:
            started.set()
            await asyncio.Event().wait()
            return replace(task)

        pool = ExecutorPool(home.queue, endless)
        daemon = ChimeraDaemon(
            home.queue, pool, now=time.time, intake=home.intake, paint=home.paint, grace_s=0.05
        )
        running = asyncio.create_task(daemon.run())
        await home.queue.submit(wish(1))
        await started.wait()
        daemon.stop()
        daemon.stop()
        await running
        assert (await home.queue.counts())[Status.QUEUED] == 1


async def test_the_last_sweep_finds_everything_stopped_and_its_trouble_keeps_nobody(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as home:
        found: list[tuple[int, int]] = []
        started = asyncio.Event()

        async def endless(task: Task) -> Task:
            started.set()
            await asyncio.Event().wait()
            return replace(task)

        async def look() -> None:
            found.append((pool.active, (await home.queue.counts())[Status.RUNNING]))
            raise RuntimeError("trouble")

        pool = ExecutorPool(home.queue, endless)
        daemon = ChimeraDaemon(
            home.queue, pool, now=time.time, intake=home.intake, paint=home.paint, grace_s=0.05,
            sweeps=[Sweep(name="tidy", every_s=3600, first_s=3600, last=True, run=look)],
        )  # fmt: skip
        running = asyncio.create_task(daemon.run())
        await home.queue.submit(wish(1))
        await started.wait()
        daemon.stop()
        await running
        assert found == [(0, 0)]


async def test_a_delivery_a_picture_and_a_sweep_that_hang_are_given_up_and_hold_up_nothing(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as home:
        hung: list[str] = []

        async def hang_once(what: str) -> None:
            if what not in hung:
                hung.append(what)
                await asyncio.Event().wait()

        async def intake(row: InboxRow) -> None:
            if row.delivery_id == "first":
                await hang_once("delivery")
            await home.intake(row)

        async def paint(task: Task) -> float | None:
            await hang_once("picture")
            return await home.paint(task)

        async def sweep() -> None:
            await hang_once("sweep")
            home.swept += 1

        daemon = ChimeraDaemon(
            home.queue,
            ExecutorPool(home.queue, home.advance),
            now=time.time,
            intake=intake,
            paint=paint,
            sweeps=[Sweep(name="sweep", every_s=0.01, run=sweep)],
            deadlines=Deadlines(delivery_s=0.05, picture_s=0.05, sweep_s=0.05),
        )
        running = asyncio.create_task(daemon.run())
        await home.queue.accept("first", "issues", "labeled", "{}")
        await home.queue.accept("second", "issues", "labeled", "{}")
        await until_ended(home.queue, 1)
        await until(lambda: home.swept > 0 and "picture" in hung)
        daemon.stop()
        await running
        _, first = await home.queue.deliveries()
    assert (home.read, set(hung)) == (["second"], {"delivery", "picture", "sweep"})
    assert (first.state, first.error) == (InboxState.NEW, "TimeoutError: ")


async def test_a_loop_that_hangs_becomes_silent_and_is_named() -> None:
    at = 100.0
    pulse = Pulse(lambda: at)
    for loop in ("inbox", "painter"):
        pulse.beat(loop)
    at += SILENT_S - 1
    pulse.beat("inbox")
    assert pulse.silent() == {}
    at += 2
    assert pulse.silent() == {"painter": SILENT_S + 1}


async def test_every_loop_beats(tmp_path: Path) -> None:
    async with house(tmp_path) as home, home.open() as daemon:
        loops = {"heartbeat", "inbox", "waker", "painter"}
        await until(lambda: set(daemon.pulse.silent(-1.0)) == loops)
