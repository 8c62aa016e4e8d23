"""Real SQLite on the loop's own thread, and what is watched on its way in.

The driver, its group commit and every statement are the bot's; only aiosqlite's thread is left
out, whose pace would make a seed tell another story each time.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bot.domain import JournalLine, Status, Task
from bot.effects import Effect, EffectKind
from bot.tasks.inbox import NewDelivery
from bot.tasks.ledger import NOWHERE, Ledger, Place
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import BUSY_S, SqliteStore, _connect, _Connection, _prepare
from bot.tasks.store import Row
from tests.faults.boot import Boot
from tests.faults.points import Points

T = TypeVar("T")

Trouble = Callable[[], sqlite3.OperationalError | None]


class Inline(_Connection):
    """A connection whose work is done at once, while the process lives."""

    def __init__(self, path: Path, boot: Boot, trouble: Trouble | None = None) -> None:
        self._raw = _connect(path, read_only=trouble is None)
        self._boot = boot
        self._trouble = trouble

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        await self._boot.alive()
        if self._trouble is not None and (error := self._trouble()) is not None:
            await asyncio.sleep(BUSY_S)
            raise error
        result = function(self._raw, *args)
        await asyncio.sleep(0)
        return result

    async def close(self) -> None:
        self._raw.close()


def open_store(path: Path, boot: Boot, trouble: Trouble) -> SqliteStore:
    """The store of one boot; `trouble` says why it cannot be written now, if it cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = Inline(path, boot, trouble)
    _prepare(writer._raw, path)
    return SqliteStore(path, [writer, Inline(path, boot)])


@dataclass(slots=True)
class Watch:
    """What a history learns from the wrappers, over all boots."""

    wakes: dict[str, int] = field(default_factory=dict)  #: key → number of its last wake
    counter: int = 0
    claimed_at: dict[tuple[str, int], int] = field(default_factory=dict)
    ends: dict[str, list[Status]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    on_step: Callable[[Task, JournalLine], None] = lambda _task, _line: None
    text_of: Callable[[int], str] = lambda _issue: ""  #: of an issue, as it is on the hub now


class SimQueue(TaskQueue):
    """The queue, with crash points around claims and steps."""

    def __init__(self, *args: Any, points: Points, watch: Watch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._points = points
        self._watch = watch

    async def accept_all(self, deliveries: Sequence[NewDelivery]) -> list[bool]:
        names = " ".join(one.event_name for one in deliveries)
        await self._points.reach("before_accept", "webhook", names)
        are_new = await super().accept_all(deliveries)
        await self._points.reach("after_accept", "webhook", names)
        return are_new

    async def claim_some(self, owner: str, at_most: int) -> list[Task]:
        if await self.depth():
            await self._points.reach("before_claim", "pool", "")
        tasks = await super().claim_some(owner, at_most)
        for task in tasks:
            self._watch.claimed_at[task.id, task.fence] = self._watch.counter
        for task in tasks:
            await self._points.reach("after_claim", task.phase, "")
        return tasks

    async def record(
        self,
        before: Task,
        line: JournalLine,
        after: Task,
        *,
        keep: bool = False,
        picture_in: float = 0.0,
    ) -> Task:
        await self._points.reach("before_advance", before.phase, line.outcome)
        stored = await super().record(before, line, after, keep=keep, picture_in=picture_in)
        self._watch.on_step(stored, line)
        self._heed_wakes(before, stored)
        await self._points.reach("after_advance", before.phase, line.outcome)
        return stored

    async def wake(self, key: str, *, inbox_id: int | None = None) -> list[str]:
        woken = await super().wake(key, inbox_id=inbox_id)
        self._watch.counter += 1
        self._watch.wakes[key] = self._watch.counter
        return woken

    def _heed_wakes(self, before: Task, stored: Task) -> None:
        """A task may not go to sleep on a key that was called while its step ran."""
        if stored.status is not Status.WAITING or stored.wait is None or not stored.wait.key:
            return
        called = self._watch.wakes.get(stored.wait.key, 0)
        if called > self._watch.claimed_at.get((before.id, before.fence), self._watch.counter):
            self._watch.problems.append(f"I2: {stored.id} slept through {stored.wait.key}")


class SimLedger(Ledger):
    """The ledger, with crash points around effects; sees who sends under which claim."""

    def __init__(self, *args: Any, points: Points, watch: Watch) -> None:
        super().__init__(*args)
        self._points = points
        self._watch = watch
        self._phase: dict[str, str] = {}

    async def intend(
        self,
        key: str,
        task_id: str,
        kind: EffectKind,
        fence: int | None,
        request_hash: str,
        *,
        at: float | None = None,
        place: Place = NOWHERE,
    ) -> Effect:
        self._phase[key] = await self._phase_of(task_id) if fence is not None else "painter"
        return await super().intend(key, task_id, kind, fence, request_hash, at=at, place=place)

    async def sent(self, key: str, fence: int | None) -> Effect:
        effect = await super().sent(key, fence)
        await self._check_claim(effect, fence)
        await self._points.reach("before_effect", self._phase[key], effect.kind)
        return effect

    async def confirm(self, key: str, remote_id: str, remote_url: str = "") -> Effect:
        kind = EffectKind(key.split("/")[1])
        phase = self._phase.get(key, "painter")
        await self._points.reach("after_effect_before_record", phase, kind)
        effect = await super().confirm(key, remote_id, remote_url)
        await self._points.reach("after_record_before_advance", phase, kind)
        return effect

    async def _phase_of(self, task_id: str) -> str:
        row = await self._row(task_id)
        return row["phase"] if row is not None else "painter"

    async def _check_claim(self, effect: Effect, fence: int | None) -> None:
        if fence is None:
            return
        row = await self._row(effect.task_id)
        if row is not None and row["fence"] != fence:
            self._watch.problems.append(f"I8: {effect.key} was sent by a claim that was lost")

    async def _row(self, task_id: str) -> Row | None:
        sql = "SELECT fence, phase FROM task WHERE id = :id"
        return await self._store.read(lambda tx: tx.one(sql, {"id": task_id}))
