"""The painter: makes GitHub show what the row says: comment, pin, label, reactions, checks.

Pictures are pure (`report`); this decides when to paint one. Progress coalesces, a change that a
person waits for goes out at once, and the last state is never lost: whatever was put off comes
back as the time of the next look.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from bot.domain import Status, Task, WaitFor
from bot.effects import EffectKind, EffectState
from bot.errors import AuthFailed, Conflict, LeaseLost, RateLimited, Refused, StepError
from bot.github.repo import Repo
from bot.tasks.queue import TaskQueue
from bot.workflow import tracing
from bot.workflow.effects import Effects, Remote
from bot.workflow.ground import Ground, Survey
from bot.workflow.paint_checks import CheckPainter
from bot.workflow.painted import Painted, doubtful, dump, following, load
from bot.workflow.report.labels import state_label
from bot.workflow.report.marker import read_marker
from bot.workflow.report.status import status_comment
from bot.workflow.report.view import View

LABEL_SETTLE_S = 3.0  #: a label that would be gone again in a moment is not worth two calls
SHUT_S = 3600.0  #: between two looks at a place that lets nobody write for a time
REACTIONS = {Status.COMPLETED: "rocket", Status.FAILED: "-1", Status.DEAD: "-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Easel:
    """What painting one task needs."""

    repo: Repo
    effects: Effects
    view: View
    now: float
    settle_s: float
    spare_at: float  #: when there is room for news that no work waits for; past: there is


EaselFor = Callable[[Task], Awaitable[Easel | None]]  #: None: the task is shown nowhere
Part = Callable[[Easel, Painted], Awaitable[float | None]]  #: when to look again


class Painter:
    """One per process; an issue is painted on by one caller at a time."""

    def __init__(
        self,
        queue: TaskQueue,
        easel_for: EaselFor,
        survey: Survey,
        now: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._easel_for = easel_for
        self._survey = survey
        self._now = now
        self._locks: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()

    async def paint(self, task: Task) -> float | None:
        """Paint the task as it is stored now; returns when to look again, None: all is shown."""
        async with self._lock(task):
            before = await self._queue.picture(task.id)  # first: a row read later is no older
            now = await self._queue.get(task.id)
            try:
                with tracing.picture(now):
                    looks, refused = await self._paint(now, before)
                if refused and not looks:  # what was put off comes first: it is not asked for again
                    raise next(iter(refused.values()))
            except (Refused, AuthFailed, Conflict) as refusal:
                return await self._shut_out(now, refusal)
        return min(looks, default=None)

    async def _shut_out(self, task: Task, refusal: StepError) -> float | None:
        """When to look again at a place that does not let us paint; None: it is not ours now.

        Raises the refusal where the place is as it was.
        """
        found = await self._survey.look(task)
        if found.ground in (Ground.OUT, Ground.GONE):
            return None
        if found.ground in (Ground.SUSPENDED, Ground.ARCHIVED):
            return self._now() + SHUT_S
        if await self._queue.repository_is(found.repo):
            return self._now()
        raise refusal

    async def paint_now(self, task: Task) -> None:
        """Show this state before going on, whatever would otherwise be put off.

        Raises LeaseLost where the step that wants it shown has lost its claim, and what GitHub says
        of the checks: others wait for those. A locked issue, which takes no comment, holds up
        nothing; the next round of `paint` offers it again.
        """
        async with self._lock(task):
            before = await self._queue.picture(task.id)
            if (await self._queue.get(task.id)).fence != task.fence:
                raise LeaseLost(f"{task.id}: claim {task.fence} is not held any more")
            _, refused = await self._paint(task, before)
        if _checks in refused:
            raise refused[_checks]

    async def _paint(self, task: Task, before: str) -> tuple[list[float], Mapping[Part, StepError]]:
        """When to look again, and what was refused."""
        easel = await self._easel_for(task)
        if easel is None:
            return [], {}
        painted = load(before)
        earlier, is_newest = await self._queue.others_of_issue(task)
        if not painted.status and earlier is not None:
            painted = following(load(earlier))
        if painted.status != task.status:
            painted.status = task.status.value
            await self._queue.queue_moved()
        parts = PARTS if is_newest else [part for part in PARTS if part not in OF_THE_ISSUE]
        put_off: list[float] = []
        if easel.spare_at > easel.now and _begins_later(task):
            parts, put_off = [part for part in parts if part in WHILE_CROWDED], [easel.spare_at]
        try:
            looks, refused = await _all(parts, easel, painted)
            return [*put_off, *looks], refused
        finally:
            if not await self._queue.save_picture(task.id, dump(painted), was=before):
                await self._doubt(task.id)

    async def _doubt(self, task_id: str) -> None:
        """Another process painted meanwhile: nobody knows whose call came last, so all is drawn."""
        while True:
            before = await self._queue.picture(task_id)
            if await self._queue.save_picture(task_id, dump(doubtful(load(before))), was=before):
                return await self._queue.picture_soon(task_id)

    async def check_again(self, task_id: str, check_id: int) -> None:
        """Have one check told once more: who asks GitHub for it again sets its suite spinning.

        https://docs.github.com/en/rest/checks/runs#rerequest-a-check-run
        """
        async with self._lock(await self._queue.get(task_id)):
            before = await self._queue.picture(task_id)
            painted = load(before)
            for check in painted.checks.values():
                if check.id == check_id:
                    check.look, check.at = "", 0.0
            await self._queue.save_picture(task_id, dump(painted), was=before)
        await self._queue.picture_soon(task_id)

    def _lock(self, task: Task) -> asyncio.Lock:
        key = (task.repo.id if task.repo is not None else 0, task.issue)
        return self._locks.setdefault(key, asyncio.Lock())


async def _receipt(easel: Easel, painted: Painted) -> float | None:
    """👀 while the task lives; at the end it goes, and 🚀 or 👎 comes. One of them at a time."""
    task, repo = easel.view.task, easel.repo
    wanted = REACTIONS.get(task.status, "") if task.status.ended else "eyes"
    if wanted == painted.reaction:
        return None
    number = painted.reactions + 1

    async def remove() -> Remote:
        await repo.unreact_to_issue(task.issue, painted.reaction_id)
        return Remote(id=str(painted.reaction_id))

    async def add() -> Remote:
        return Remote(id=str(await repo.react_to_issue(task.issue, wanted)))

    if painted.reaction:
        name = f"{number}-{painted.reaction}"
        await easel.effects.ensure(EffectKind.REACTION_REMOVE, name, {}, remove)
    made = 0
    if wanted:
        name = f"{number}-{wanted}"
        made = int((await easel.effects.ensure(EffectKind.REACTION_ADD, name, {}, add)).id)
    painted.reaction, painted.reaction_id, painted.reactions = wanted, made, number
    return None


async def _comment(easel: Easel, painted: Painted) -> float | None:
    """The one status comment: created once, then edited."""
    task = easel.view.task
    text = status_comment(easel.view)
    look = _hash(text)
    if look == painted.text:
        return None
    if not painted.comment_id:
        return await _first_comment(easel, painted, text, look)
    due = painted.text_at + easel.settle_s
    if not _urgent(task) and easel.now < due:
        return due
    await _edit(easel, painted, text, look)
    painted.text, painted.text_at = look, easel.now
    return None


async def _first_comment(easel: Easel, painted: Painted, text: str, look: str) -> float | None:
    """Made, or found again: then it still says what an earlier try wanted, and is edited next."""
    task, repo, key = easel.view.task, easel.repo, easel.view.hmac_key
    said = ""

    async def call() -> Remote:
        nonlocal said
        made = await repo.create_comment(task.issue, text)
        said = look
        return Remote(id=str(made.id), url=made.url)

    async def look_up(_since: float) -> Remote | None:
        for comment in await repo.comments(task.issue):
            mark = read_marker(key, comment.body) if comment.author.is_bot else None
            if mark is not None and mark.task_id == task.id:
                return Remote(id=str(comment.id), url=comment.html_url)
        return None

    made = await easel.effects.ensure(EffectKind.STATUS_COMMENT, "1", {"body": text}, call, look_up)
    painted.comment_id, painted.text, painted.text_at = int(made.id), said, 0.0
    return None if said else easel.now


async def _edit(easel: Easel, painted: Painted, text: str, look: str) -> None:
    async def call() -> Remote:
        await easel.repo.edit_comment(painted.comment_id, text)
        return Remote(id=str(painted.comment_id))

    # Before the call: a try that failed may have been carried out.
    painted.edits, painted.text = painted.edits + 1, ""
    name = f"{painted.edits}-{look[:12]}"
    await easel.effects.ensure(EffectKind.COMMENT_EDIT, name, {"body": text}, call)


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
    if wanted == painted.label and not painted.swapping:
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
    task, repo = easel.view.task, easel.repo
    # Before the calls: a try that failed may have been carried out, in part.
    painted.labels, painted.swapping = painted.labels + 1, True

    async def add() -> Remote:
        await repo.add_label(task.issue, wanted)
        return Remote(id=wanted)

    await easel.effects.ensure(EffectKind.LABEL_ADD, f"{painted.labels}-{wanted}", {}, add)
    for old in await _left_on(easel, painted, wanted):

        async def remove(label: str = old) -> Remote:
            await repo.remove_label(task.issue, label)
            return Remote(id=label)

        name = f"{painted.labels}-{old}"
        await easel.effects.ensure(EffectKind.LABEL_REMOVE, name, {}, remove)
    painted.label, painted.doubt, painted.swapping = wanted, False, False


async def _left_on(easel: Easel, painted: Painted, wanted: str) -> list[str]:
    """The state labels that may be on the issue besides: the ledger knows of every try."""
    added: dict[str, int] = {}
    for name, _ in await easel.effects.tried(EffectKind.LABEL_ADD):
        number, _, label = name.partition("-")
        added[label] = max(added.get(label, 0), int(number))
    removed: dict[str, int] = {}
    for name, state in await easel.effects.tried(EffectKind.LABEL_REMOVE):
        number, _, label = name.partition("-")
        if state is EffectState.CONFIRMED:
            removed[label] = max(removed.get(label, 0), int(number))
    left = [
        label
        for label, number in added.items()
        if label != wanted and (painted.doubt or number > removed.get(label, 0))
    ]
    before = painted.label  # perhaps an earlier task's
    return [*left, before] if before not in ("", wanted, *left) else left


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
PARTS: Sequence[Part] = (_receipt, _comment, _pin, _checks, _label, _close)
#: What an issue has once, and which therefore is its newest task's.
OF_THE_ISSUE = frozenset({_receipt, _pin, _label, _close})
#: What a task that begins later may say while its news would take the room of others' work.
WHILE_CROWDED = frozenset({_receipt})


async def _all(
    parts: Sequence[Part], easel: Easel, painted: Painted
) -> tuple[list[float], Mapping[Part, StepError]]:
    """When each part wants another look, and what was refused: one part does not stop the others.

    A locked issue takes no comment, and its labels and checks go on telling the truth.
    """
    looks: list[float] = []
    refused: dict[Part, StepError] = {}
    for part in parts:
        try:
            at = await part(easel, painted)
        except (Refused, Conflict, RateLimited) as error:
            refused[part] = error
        else:
            looks += [at] if at is not None else []
    return looks, refused


def _urgent(task: Task) -> bool:
    """A change that a person waits for is not put off."""
    asked = task.wait is not None and task.wait.on.needs_person
    return task.status.ended or asked


def _begins_later(task: Task) -> bool:
    """One of a flood, whose hour has not come: its news can wait, and others' work cannot."""
    held = task.wait is not None and task.wait.on is WaitFor.RATE_LIMIT
    return held and not task.facts.base_sha


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
