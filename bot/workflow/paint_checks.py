"""Paints the check runs of a task on the commit that they speak of.

A check is created when there is something to say, completed states go out at once, progress
coalesces. When the head moves, what still spins on the old commit is completed there.
"""

import hashlib
from dataclasses import replace

from bot.effects import EffectKind
from bot.github.repo import Repo
from bot.github.types import Check, CheckStatus, Conclusion
from bot.workflow.effects import Effects, Remote
from bot.workflow.painted import Painted, PaintedCheck
from bot.workflow.report.checks import CHECKS, TASK
from bot.workflow.report.view import View

PROGRESS = 6  #: times the settling time between two texts of a check whose state stays
FIRST_S = 3.0  #: a check that is complete by then is created complete, in one call
SUPERSEDED = Check(
    status=CheckStatus.COMPLETED,
    conclusion=Conclusion.NEUTRAL,
    title="A newer commit is checked",
    summary="The branch has moved on; see the checks of its newest commit.",
)


class CheckPainter:
    """Paints one task's checks once."""

    def __init__(
        self, repo: Repo, effects: Effects, view: View, now: float, settle_s: float
    ) -> None:
        self._repo = repo
        self._effects = effects
        self._view = view
        self._now = now
        self._settle_s = settle_s

    async def paint(self, painted: Painted) -> float | None:
        """Returns when to look again, or None when all is shown."""
        facts = self._view.task.facts
        if not facts.pull:
            return None
        await self._recall(painted)
        looks = [
            await self._picture(painted, name, self._drawn(name), facts.head_sha) for name in CHECKS
        ]
        await self._supersede(painted, facts.head_sha)
        return min((at for at in looks if at is not None), default=None)

    async def _recall(self, painted: Painted) -> None:
        """Take in what an earlier painter did and could not save: the ledger knows of every try.

        Else what it left spinning on a commit from which the head has moved on would spin for ever.
        """
        for key, made in await self._effects.made(EffectKind.CHECK):
            new = PaintedCheck(id=int(made), look="", at=0.0, completed=False)
            painted.checks.setdefault(key, new)
        for name, _ in await self._effects.tried(EffectKind.CHECK_UPDATE):
            key, _, update = name.rpartition("/")
            number, known = update.partition("-")[0], painted.checks.get(key)
            if known is not None and number.isdecimal() and int(number) > known.updates:
                known.updates, known.look, known.at, known.completed = int(number), "", 0.0, False

    def _drawn(self, name: str) -> Check:
        return replace(CHECKS[name](self._view), details_url=self._view.links.task_page)

    async def _picture(self, painted: Painted, name: str, check: Check, sha: str) -> float | None:
        key = f"{name}@{sha}"
        known = painted.checks.get(key)
        look = _hash(check)
        if known is None:
            return await self._create(painted, key, check, look, name=name, sha=sha)
        if known.look == look:
            return None
        due = known.at + self._patience_s(known, check)
        if self._now < due:
            return due
        await self._update(known, key, check, look)
        return None

    def _patience_s(self, known: PaintedCheck, check: Check) -> float:
        """How long a new look may wait: a new state not at all, other words for longer."""
        if self._view.task.status.ended:
            return 0.0
        if known.state == _state(check):
            return self._settle_s * PROGRESS
        return 0.0 if check.status is CheckStatus.COMPLETED else self._settle_s

    async def _create(
        self, painted: Painted, key: str, check: Check, look: str, *, name: str, sha: str
    ) -> float | None:
        waits = self._not_yet(painted, key, check)
        if waits is not None:
            return waits or None
        task = self._view.task
        external = f"{task.id}/{task.cursor.attempt}"
        made_now = False

        async def call() -> Remote:
            nonlocal made_now
            made = await self._repo.create_check(name, sha=sha, external_id=external, check=check)
            made_now = True
            return Remote(id=str(made.id), url=made.url)

        async def look_up(_since: float) -> Remote | None:
            for run in await self._repo.checks(sha, name=name, app_id=self._repo.github.app_id):
                if run.external_id.partition("/")[0] == task.id:
                    return Remote(id=str(run.id), url=run.html_url)
            return None

        made = await self._effects.ensure(EffectKind.CHECK, key, {"look": look}, call, look_up)
        painted.waiting_checks.pop(key, None)
        if not made_now:  # found again: it still says what an earlier try wanted
            painted.checks[key] = PaintedCheck(id=int(made.id), look="", at=0.0, completed=False)
            return self._now
        painted.checks[key] = PaintedCheck(
            id=int(made.id),
            look=look,
            at=self._now,
            completed=check.status is CheckStatus.COMPLETED,
            state=_state(check),
            annotated=bool(check.annotations),
        )
        return None

    def _not_yet(self, painted: Painted, key: str, check: Check) -> float | None:
        """When to create it instead; 0 when there is nothing to say; None: now."""
        if check.status is CheckStatus.COMPLETED or key.startswith(f"{TASK}@"):
            return None
        if check.status is CheckStatus.QUEUED:
            return 0.0
        since = painted.waiting_checks.setdefault(key, self._now)
        due = since + min(FIRST_S, self._settle_s)
        return None if self._now >= due else due

    async def _update(self, known: PaintedCheck, key: str, check: Check, look: str) -> None:
        if known.annotated:
            check = replace(check, annotations=())

        async def call() -> Remote:
            await self._repo.update_check(known.id, check)
            return Remote(id=str(known.id))

        # Before the call: a try that failed may have been carried out.
        known.updates, known.look, known.completed = known.updates + 1, "", False
        name = f"{key}/{known.updates}-{look[:12]}"
        await self._effects.ensure(EffectKind.CHECK_UPDATE, name, {"look": look}, call)
        known.look, known.at = look, self._now
        known.completed, known.state = check.status is CheckStatus.COMPLETED, _state(check)
        known.annotated = known.annotated or bool(check.annotations)

    async def _supersede(self, painted: Painted, sha: str) -> None:
        """On commits that are not the head any more nothing spins, asks or can be pressed."""
        for key, known in painted.checks.items():
            last = None if key.endswith(f"@{sha}") else _last_word(known)
            if last is None:
                continue

            async def call(check_id: int = known.id, last: Check = last) -> Remote:
                await self._repo.update_check(check_id, last)
                return Remote(id=str(check_id))

            known.updates += 1  # before the call, as of every other update
            name = f"{key}/{known.updates}-superseded"
            await self._effects.ensure(EffectKind.CHECK_UPDATE, name, {}, call)
            known.completed, known.state, known.look = True, _state(last), ""


def _last_word(known: PaintedCheck) -> Check | None:
    """What is left to say of a commit that is not the head any more; None: nothing."""
    conclusion, *buttons = known.state.split()[1:] or [""]
    if not known.completed or conclusion == Conclusion.ACTION_REQUIRED:
        return SUPERSEDED
    if not buttons:
        return None
    # What it found stays; only the buttons go.
    return Check(status=CheckStatus.COMPLETED, conclusion=Conclusion(conclusion))


def _state(check: Check) -> str:
    conclusion = check.conclusion.value if check.conclusion else ""
    return " ".join([check.status.value, conclusion, *(b.identifier for b in check.buttons)])


def _hash(check: Check) -> str:
    said = (
        check.status.value,
        check.conclusion.value if check.conclusion else "",
        check.title,
        check.summary,
        check.text,
        str([b.identifier for b in check.buttons]),
    )
    return hashlib.sha256("\0".join(said).encode("utf-8", "surrogatepass")).hexdigest()
