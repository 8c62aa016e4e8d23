"""The painter: makes GitHub show what the row says: comment, pin, label, reactions, checks.

Pictures are pure (`report`); this decides when to paint one. Progress coalesces, a change that a
person waits for goes out at once, and the last state is never lost: whatever was put off comes
back as the time of the next look.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.domain import EffectKind, Status, Task
from bot.github.repo import Repo
from bot.tasks.queue import TaskQueue
from bot.workflow.effects import Effects, Remote
from bot.workflow.paint_checks import CheckPainter
from bot.workflow.painted import Painted, dump, load
from bot.workflow.report.labels import state_label
from bot.workflow.report.marker import read_marker
from bot.workflow.report.status import status_comment
from bot.workflow.report.view import View

LABEL_SETTLE_S = 3.0  #: a label that would be gone again in a moment is not worth two calls
REACTIONS = {Status.COMPLETED: "rocket", Status.FAILED: "-1", Status.DEAD: "-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Easel:
    """What painting one task needs."""

    repo: Repo
    effects: Effects
    view: View
    now: float
    settle_s: float


EaselFor = Callable[[Task], Awaitable[Easel | None]]  #: None: the task is shown nowhere


class Painter:
    """One per process; a task is painted by one caller at a time."""

    def __init__(self, queue: TaskQueue, easel_for: EaselFor) -> None:
        self._queue = queue
        self._easel_for = easel_for
        self._locks: dict[str, asyncio.Lock] = {}

    async def paint(self, task: Task) -> float | None:
        """Paint what is due; returns when to look again, or None when all is shown."""
        async with self._lock(task.id):
            easel = await self._easel_for(task)
            if easel is None:
                return None
            painted = load(await self._queue.picture(task.id))
            try:
                looks = [await part(easel, painted) for part in PARTS]
            finally:
                await self._queue.save_picture(task.id, dump(painted))
        if task.status.ended:
            self._locks.pop(task.id, None)
        return min((at for at in looks if at is not None), default=None)

    async def paint_now(self, task: Task) -> None:
        """Show this state before going on, whatever would otherwise be put off."""
        await self.paint(task)

    def _lock(self, task_id: str) -> asyncio.Lock:
        return self._locks.setdefault(task_id, asyncio.Lock())


async def _receipt(easel: Easel, painted: Painted) -> float | None:
    """👀 as soon as the task exists; away at the end, when 🚀 or 👎 comes."""
    task, repo = easel.view.task, easel.repo

    async def look() -> Remote:
        return Remote(id=str(await repo.react_to_issue(task.issue, "eyes")))

    async def look_away() -> Remote:
        await repo.unreact_to_issue(task.issue, painted.eyes)
        return Remote(id=str(painted.eyes))

    async def say() -> Remote:
        return Remote(id=str(await repo.react_to_issue(task.issue, REACTIONS[task.status])))

    if not painted.eyes and not task.status.ended:
        made = await easel.effects.ensure(EffectKind.REACTION_ADD, "eyes", {}, look)
        painted.eyes = int(made.id)
    if task.status.ended and painted.eyes > 0:
        await easel.effects.ensure(
            EffectKind.REACTION_REMOVE, f"eyes-{painted.eyes}", {}, look_away
        )
        painted.eyes = -1
    if (wanted := REACTIONS.get(task.status, "")) and painted.verdict != wanted:
        await easel.effects.ensure(EffectKind.REACTION_ADD, wanted, {}, say)
        painted.verdict = wanted
    return None


async def _comment(easel: Easel, painted: Painted) -> float | None:
    """The one status comment: created once, then edited."""
    task = easel.view.task
    text = status_comment(easel.view)
    look = _hash(text)
    if look == painted.text:
        return None
    if not painted.comment_id:
        painted.comment_id = await _first_comment(easel, text)
    else:
        due = painted.text_at + easel.settle_s
        if not _urgent(task) and easel.now < due:
            return due
        await _edit(easel, painted, text, look)
    painted.text, painted.text_at = look, easel.now
    return None


async def _first_comment(easel: Easel, text: str) -> int:
    task, repo, key = easel.view.task, easel.repo, easel.view.hmac_key

    async def call() -> Remote:
        made = await repo.create_comment(task.issue, text)
        return Remote(id=str(made.id), url=made.url)

    async def look_up(_since: float) -> Remote | None:
        for comment in await repo.comments(task.issue):
            mark = read_marker(key, comment.body) if comment.author.is_bot else None
            if mark is not None and mark.task_id == task.id:
                return Remote(id=str(comment.id), url=comment.html_url)
        return None

    made = await easel.effects.ensure(EffectKind.STATUS_COMMENT, "1", {"body": text}, call, look_up)
    return int(made.id)


async def _edit(easel: Easel, painted: Painted, text: str, look: str) -> None:
    async def call() -> Remote:
        await easel.repo.edit_comment(painted.comment_id, text)
        return Remote(id=str(painted.comment_id))

    name = f"{painted.edits + 1}-{look[:12]}"
    await easel.effects.ensure(EffectKind.COMMENT_EDIT, name, {"body": text}, call)
    painted.edits += 1


async def _pin(easel: Easel, painted: Painted) -> float | None:
    async def call() -> Remote:
        await easel.repo.pin_comment(painted.comment_id)
        return Remote(id=str(painted.comment_id))

    if easel.view.config.comment.pin and painted.comment_id and not painted.pinned:
        await easel.effects.ensure(EffectKind.PIN, str(painted.comment_id), {}, call)
        painted.pinned = True
    return None


async def _label(easel: Easel, painted: Painted) -> float | None:
    """Exactly one state label, once the state has lasted a moment or is the last."""
    task = easel.view.task
    wanted = state_label(task, easel.view.config.labels).name
    if wanted == painted.label:
        painted.wanted_label = wanted
        return None
    if wanted != painted.wanted_label:
        painted.wanted_label, painted.wanted_since = wanted, easel.now
    due = painted.wanted_since + min(LABEL_SETTLE_S, easel.settle_s)
    if not task.status.ended and easel.now < due:
        return due
    await _swap_label(easel, painted, wanted)
    return None


async def _swap_label(easel: Easel, painted: Painted, wanted: str) -> None:
    task, repo, old = easel.view.task, easel.repo, painted.label
    number = painted.labels + 1

    async def add() -> Remote:
        await repo.add_label(task.issue, wanted)
        return Remote(id=wanted)

    async def remove() -> Remote:
        await repo.remove_label(task.issue, old)
        return Remote(id=old)

    await easel.effects.ensure(EffectKind.LABEL_ADD, f"{number}-{wanted}", {}, add)
    if old:
        await easel.effects.ensure(EffectKind.LABEL_REMOVE, f"{number}-{old}", {}, remove)
    painted.label, painted.labels = wanted, number


async def _checks(easel: Easel, painted: Painted) -> float | None:
    painter = CheckPainter(easel.repo, easel.effects, easel.view, easel.now, easel.settle_s)
    return await painter.paint(painted)


async def _close(easel: Easel, painted: Painted) -> float | None:
    """The issue is closed when the work is done, and not by the merge."""
    task = easel.view.task

    async def call() -> Remote:
        await easel.repo.close_issue(task.issue)
        return Remote(id=str(task.issue))

    if task.status is Status.COMPLETED and not painted.closed:
        await easel.effects.ensure(EffectKind.ISSUE_CLOSE, str(task.issue), {}, call)
        painted.closed = True
    return None


#: In this order: the receipt is what a person sees first.
PARTS = (_receipt, _comment, _pin, _checks, _label, _close)


def _urgent(task: Task) -> bool:
    """A change that a person waits for is not put off."""
    asked = task.wait is not None and task.wait.on.needs_person
    return task.status.ended or asked


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
