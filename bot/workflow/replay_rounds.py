"""Asks for the same rounds in a replay that somebody outside asked for when it was recorded.

A red check of the repository's CI, a deployment that failed, tests that were red on staging, a
person's review: no recording holds them, but the journal says after which step each of them came,
and the recorded coder's answer is all that the replay needs. What changed the code itself (a
person's commits, a newer base) is in no recording; there a replay ends.
"""

from collections.abc import Callable, Sequence
from typing import Any

from bot.domain import Bounds, Cause, JournalLine, Outcome, Phase, Status, Task
from bot.tasks.base import note
from bot.workflow.executor import ChimeraExecutor
from bot.workflow.sent_back import sent_back

_DEPLOYED = frozenset({Phase.STAGING_DEPLOYMENT, Phase.E2E_VALIDATION})


def steps(journal: Sequence[JournalLine]) -> list[JournalLine]:
    """The lines that decided something."""
    return [line for line in journal if line.outcome is not Outcome.WAIT]


def asked_outside(line: JournalLine, *, served_here: bool) -> bool:
    """Whether this line sent the work back for a reason that a clone does not have.

    `served_here`: staging was in the cage, and a replay finds out by itself what was wrong there.
    """
    if line.outcome is not Outcome.BACK:
        return False
    if line.cause is Cause.REVIEW:
        return bool(line.by)
    return line.cause is Cause.CI or (line.phase in _DEPLOYED and not served_here)


def beyond_replay(line: JournalLine) -> bool:
    """Whether the code was changed by somebody else, or the end was a person's."""
    back = line.outcome is Outcome.BACK and line.phase is Phase.PRODUCTION_DEPLOYMENT
    outside = asked_outside(line, served_here=False)
    moved = line.cause in (Cause.CONFLICT, Cause.PERSON)
    return moved or ((back or bool(line.by)) and not outside)


class ReplayExecutor(ChimeraExecutor):
    """Runs a workflow, and after each step asks for what was asked for after it then."""

    def __init__(
        self,
        recorded: Sequence[JournalLine],
        *,
        served_here: bool,
        bounds: Bounds,
        tell: Callable[[JournalLine], None],
        **parts: Any,
    ) -> None:
        """`recorded`: the journal as far as it can be played; `tell` hears of each played step."""
        super().__init__(**parts)
        self._recorded = steps(recorded)
        self._tell = tell
        self._served_here = served_here
        self._bounds = bounds

    async def advance(self, task: Task) -> Task:
        assert self._queue is not None
        stored = await super().advance(task)
        self._tell((await self._queue.journal(task.id))[-1])
        while not stored.status.ended and (line := await self._due(stored)) is not None:
            stored = await self._sent_back(stored, line)
        return stored

    async def _due(self, task: Task) -> JournalLine | None:
        """What came next then, if that was from outside and all before it went the same way."""
        assert self._queue is not None
        played = steps(await self._queue.journal(task.id))
        before, after = self._recorded[: len(played)], self._recorded[len(played) :]
        if [line.phase for line in before] != [line.phase for line in played]:
            return None
        if not after or not asked_outside(after[0], served_here=self._served_here):
            return None
        return after[0]

    async def _sent_back(self, task: Task, line: JournalLine) -> Task:
        assert self._queue is not None
        at = self._now()
        said = note(task, Outcome.BACK, line.summary, at, cause=line.cause, by=line.by)
        cause = line.cause or Cause.REVIEW
        return await self._queue.change(
            task.id,
            lambda now: sent_back(now, [line.summary], (), self._bounds, at, cause),
            line=said,
            expect=frozenset(status for status in Status if not status.ended),
        )
