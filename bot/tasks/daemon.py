"""ChimeraDaemon: the loops around the queue, each of which sleeps until it is needed.

Deliveries are read, deadlines wake tasks, leases are renewed, pictures are painted, sweeps run.
A loop waits for a bell or for a known instant; none of them asks again and again. What breaks in
one round of one loop is logged and tried again, and no other loop hears of it.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from structlog.contextvars import bound_contextvars

from bot import log
from bot.domain import Task
from bot.errors import Refused, StepError, is_gone
from bot.tasks.base import Clock, ids
from bot.tasks.inbox import InboxRow
from bot.tasks.opening import Alone, Company
from bot.tasks.pictures import DuePicture
from bot.tasks.pool import ExecutorPool
from bot.tasks.pulse import Pulse
from bot.tasks.queue import TaskQueue

MAX_SLEEP_S = 60.0  #: so that a clock that was set back is noticed
LOOP_RETRY_S = 1.0  #: after a round that broke, usually because the store did
INTAKE_RETRY_S = 5.0  #: doubled with every try of the same delivery
GONE_TRIES = 7  #: about ten minutes: what is not there yet is there by then
PAINT_RETRY_S = 5.0  #: doubled with every try of the same picture
MAX_RETRY_S = 900.0
MOST_REFUSALS = 12  #: of one picture, within two hours; then it stays as it is until a change
LAST_SWEEP_S = 10.0  #: nobody waits longer for the end of a program
PAINTERS = 4  #: pictures painted at once

Intake = Callable[[InboxRow], Awaitable[None]]
Paint = Callable[[Task], Awaitable[float | None]]

_log = log.get("tasks.daemon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long each piece of work may take; then it is given up and tried again later. Seconds."""

    delivery_s: float = 90.0  #: a few calls, each with a deadline of its own
    picture_s: float = 90.0  #: its calls spaced
    sweep_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Something to be looked over soon after the start and every so often."""

    name: str
    every_s: float
    first_s: float = 0.0  #: after the start
    last: bool = False  #: also once when everything else has stopped
    run: Callable[[], Awaitable[object]]  #: what it returns is for other callers
    bell: asyncio.Event = field(default_factory=asyncio.Event)  #: rung, it is done at once
    everywhere: bool = False  #: on each of many machines, not on the leading one alone


class ChimeraDaemon:
    """`intake(row)` acts on a delivery, `paint(task)` draws what people see of a task.

    `intake` closes its row in the transaction in which it acts; a row that it leaves open asked
    for nothing and is closed here. `paint` returns when it wants to be called again, or None.
    Of a `company` of machines the one that leads reads the deliveries: their order has a meaning.
    """

    def __init__(
        self,
        queue: TaskQueue,
        pool: ExecutorPool,
        *,
        now: Clock,
        intake: Intake,
        paint: Paint,
        sweeps: Sequence[Sweep] = (),
        grace_s: float = 30.0,
        deadlines: Deadlines | None = None,
        company: Company | None = None,
    ) -> None:
        self._queue = queue
        self._pool = pool
        self._now = now
        self._intake = intake
        self._paint = paint
        self._sweeps = sweeps
        self._grace_s = grace_s
        self._deadlines = deadlines or Deadlines()
        self._company = company or Alone()
        self._stopping = asyncio.Event()
        self.pulse = Pulse()

    async def run(self) -> None:
        """Run until `stop()`, then drain the pool. Every loop has ended when this returns."""
        async with self._company.joined(self._pool):
            await self._run()

    async def _run(self) -> None:
        released = await self._queue.release_boot(self._pool.name, self._pool.boot_id)
        _log.info("daemon started", resumed=len(released), slots=self._pool.slots)
        self._pool.start()
        loops = [
            asyncio.create_task(self._for_ever(name, one_round), name=name)
            for name, one_round in self._rounds()
        ]
        try:
            await self._stopping.wait()
        finally:
            heartbeat, *others = loops  # leases are renewed while the last steps end
            await _end(others)
            await self._pool.drain(self._grace_s)
            await _end([heartbeat])
            await self._sweep_up()
        _log.info("daemon stopped")

    @property
    def stopping(self) -> bool:
        """Whether the end has begun: nothing new is taken on."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin to shut down. Safe to call twice."""
        self._stopping.set()

    async def _sweep_up(self) -> None:
        """What a drain between two steps leaves has nobody else who would take it away."""
        for sweep in self._sweeps:
            if sweep.last:
                try:
                    async with asyncio.timeout(LAST_SWEEP_S):
                        await sweep.run()
                except Exception:
                    _log.exception("last sweep failed", sweep=sweep.name)

    def _rounds(self) -> list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        most_s = self._deadlines.sweep_s
        sweeps = [(one.name, _sweeping(one, self._company, most_s)) for one in self._sweeps]
        return [
            ("heartbeat", self._beat),
            ("inbox", self._read_inbox),
            ("waker", self._wake),
            ("painter", self._paint_due),
            *sweeps,
        ]

    async def _for_ever(self, name: str, one_round: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await one_round()
            except Exception:
                _log.exception("loop round failed", loop=name)
                await asyncio.sleep(LOOP_RETRY_S)

    async def _beat(self) -> None:
        self.pulse.beat("heartbeat")
        await asyncio.sleep(self._queue.limits.lease_s / 3)
        for loop, since_s in self.pulse.silent().items():
            _log.error("loop silent", loop=loop, since_s=round(since_s))
        claims = self._pool.running()
        held = await self._queue.heartbeat(claims) if claims else set()
        self._pool.drop((task_id, fence) for task_id, fence in claims if task_id not in held)

    async def _read_inbox(self) -> None:
        self._queue.bells.inbox.clear()
        while self._company.leads and (rows := await self._queue.pending()):
            for row in rows:  # one after the other: the order of events is their meaning
                self.pulse.beat("inbox")
                await self._read(row)
        self.pulse.beat("inbox")
        due = await self._queue.next_delivery() if self._company.leads else None
        await self._ring_or(self._queue.bells.inbox, due)

    async def _read(self, row: InboxRow) -> None:
        with bound_contextvars(delivery=row.delivery_id):
            try:
                async with asyncio.timeout(self._deadlines.delivery_s):
                    await self._intake(row)
                await self._queue.inbox_done(row.id, "nothing to do")
                _log.info("delivery read", event_name=row.event_name, action=row.action)
            except Exception as error:
                await self._unread(row, error)

    async def _unread(self, row: InboxRow, error: Exception) -> None:
        what = row.event_name
        retry_at = self._now() + _backoff_s(INTAKE_RETRY_S, row.tries)
        if is_gone(error) and row.tries >= GONE_TRIES:
            _log.info("delivery about what is gone", event_name=what, error=str(error))
            await self._queue.inbox_done(row.id, f"gone: {error}")
            return
        if is_gone(error):
            _log.info("delivery about what is not there yet", event_name=what, error=str(error))
        elif isinstance(error, StepError):  # a limit, or trouble at GitHub: nobody here erred
            _log.warning("delivery could not be read", event_name=what, error=str(error))
            retry_at = max(retry_at, error.retry_at or 0.0)
        else:
            _log.error("delivery could not be read", event_name=what, exc_info=error)
        await self._queue.inbox_failed(row.id, f"{type(error).__name__}: {error}", retry_at)

    async def _wake(self) -> None:
        self.pulse.beat("waker")
        self._queue.bells.due.clear()
        due = await self._queue.next_due()
        if due is None or due > self._now():
            await self._ring_or(self._queue.bells.due, due)
            return
        await self._queue.wake_due()
        await self._queue.requeue_lost()

    async def _paint_due(self) -> None:
        self._queue.bells.pictures.clear()
        while due := await self._queue.pictures_due(PAINTERS):
            self.pulse.beat("painter")
            await asyncio.gather(*map(self._paint_one, due))
        self.pulse.beat("painter")
        await self._ring_or(self._queue.bells.pictures, await self._queue.next_picture())

    async def _paint_one(self, due: DuePicture) -> None:
        with bound_contextvars(**ids(due.task)):
            try:
                async with asyncio.timeout(self._deadlines.picture_s):
                    next_due = await self._paint(due.task)
            except Refused as refusal:
                await self._refused(due, refusal)
            except StepError as error:  # a limit, or trouble at GitHub: nobody here erred
                _log.warning("picture put off", tries=due.tries, error=str(error))
                await self._paint_later(due, error.retry_at or 0.0)
            except Exception:
                _log.exception("picture could not be painted")
                await self._paint_later(due)
            else:
                await self._queue.picture_done(due, next_due)

    async def _refused(self, due: DuePicture, refusal: Refused) -> None:
        """It is not offered for ever, as to an issue that is locked; the next change asks again."""
        _log.warning("picture refused", tries=due.tries, error=str(refusal))
        if due.tries >= MOST_REFUSALS:
            await self._queue.picture_done(due, None)
        else:
            await self._paint_later(due)

    async def _paint_later(self, due: DuePicture, not_before: float = 0.0) -> None:
        retry_at = self._now() + _backoff_s(PAINT_RETRY_S, due.tries)
        await self._queue.picture_failed(due, max(retry_at, not_before))

    async def _ring_or(self, bell: asyncio.Event, at: float | None) -> None:
        """Sleep until the bell rings or the instant has come."""
        timeout_s = MAX_SLEEP_S if at is None else min(MAX_SLEEP_S, max(0.0, at - self._now()))
        try:
            async with asyncio.timeout(timeout_s):
                await bell.wait()
        except TimeoutError:
            return


def install_signals(daemon: ChimeraDaemon) -> None:
    """SIGTERM and SIGINT shut down in order; the second of them ends the process at once.

    That is harmless: whatever was acknowledged is on disk, and the leases run out.
    """
    received: list[int] = []

    def handle(number: int) -> None:
        if received:
            os._exit(128 + number)
        received.append(number)
        _log.info("signal received, draining", signal=signal.Signals(number).name)
        daemon.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)


def _sweeping(
    sweep: Sweep, company: Company, most_s: float
) -> Callable[[], Coroutine[Any, Any, None]]:
    delay_s = sweep.first_s

    async def one_round() -> None:
        nonlocal delay_s
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await sweep.bell.wait()
        sweep.bell.clear()
        delay_s = sweep.every_s
        if not (sweep.everywhere or company.leads):
            return
        try:
            async with asyncio.timeout(most_s):
                await sweep.run()
        except StepError as error:  # a limit, or trouble at GitHub: the next round asks again
            _log.warning("sweep put off", sweep=sweep.name, error=str(error))
        except Exception:
            _log.exception("sweep failed", sweep=sweep.name)

    return one_round


def _backoff_s(first_s: float, tries: int) -> float:
    return min(MAX_RETRY_S, first_s * 2.0 ** min(tries, 16))


async def _end(loops: Sequence[asyncio.Task[None]]) -> None:
    for loop in loops:
        loop.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
