"""The one place that decides what broken machinery means for a task.

Retry at a time, wait for what is down, wait for a person, or end: in this order. "No" is a
verdict of a phase and never comes here.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from bot.domain import Cause, Outcome, Phase, StepResult, Task, Verdict, Wait, WaitFor
from bot.errors import (
    AuthFailed,
    ChimeraError,
    ConfigError,
    Conflict,
    Deadline,
    Parked,
    Refused,
    StepError,
    Uncertain,
)
from bot.log import get, mask
from bot.tasks.queue import TaskQueue
from bot.workflow.breakers import Breakers, dependency_of
from bot.workflow.ground import Survey, installation_key, permission_key, verdict_on

log = get("workflow")

RATE_LIMIT_S = 60.0  #: where a limit does not say when it ends
PERSON_ENDS = {Cause.CONFIG: WaitFor.CONFIGURATION, Cause.BUDGET: WaitFor.BUDGET}

#: Trouble of ours rather than a verdict on the change: such a task is DEAD and can be requeued.
DEADLY = frozenset(
    {
        Cause.TRANSIENT,
        Cause.TIMEOUT,
        Cause.AUTH,
        Cause.PERMISSION,
        Cause.BAD_OUTPUT,
        Cause.CONFLICT,
        Cause.POISON,
        Cause.BUG,
    }
)
_SHUT_OUT = frozenset({Cause.AUTH, Cause.PERMISSION})  #: where a person has to open


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a passing failure is tried again, and how far apart. Times are seconds."""

    tries: int = 3
    first_s: float = 1.0
    longest_s: float = 30.0

    def delay_s(self, tries: int, chance: float) -> float:
        """Exponential, with full jitter over its upper half; `chance` is in 0…1."""
        whole = min(self.longest_s, self.first_s * 2 ** min(tries - 1, 30))
        return float(whole * (0.5 + chance / 2))


DEFAULT_RETRIES = Retries()


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """Answers every error of a step. Without a hub there is no ground to survey."""

    queue: TaskQueue
    now: Callable[[], float]
    retries_of: Callable[[Phase], Retries] = lambda _phase: DEFAULT_RETRIES
    breakers: Breakers | None = None
    survey: Survey | None = None

    async def answer(self, task: Task, error: Exception) -> StepResult:
        """What becomes of a task whose step has raised this."""
        if (elsewhere := await self._on_other_ground(task, error)) is not None:
            return elsewhere
        match error:
            case Parked():
                if isinstance(error.__cause__, Uncertain):  # a write that nobody answered
                    error.__cause__.dependency = error.dependency
                    await self._tell_breaker(task, error.__cause__)
                return parked(task, error.on, str(error), error.retry_at, key=error.key)
            case StepError():
                await self._tell_breaker(task, error)
                return await self._of_step(task, error)
            case ConfigError():
                return parked(task, WaitFor.CONFIGURATION, str(error), None, cause=Cause.CONFIG)
            case TimeoutError():
                return await self._retried(task, Deadline("the phase's deadline ran out"))
            case _:
                log.error("step_broke", task=task.id, phase=task.phase, exc_info=error)
                return await self._retried(task, _unforeseen(error))

    async def _of_step(self, task: Task, error: StepError) -> StepResult:
        if error.cause is Cause.RATE_LIMIT:
            until = error.retry_at or self.now() + RATE_LIMIT_S
            return parked(task, WaitFor.RATE_LIMIT, str(error), until, cause=error.cause)
        if error.cause in PERSON_ENDS:
            on = PERSON_ENDS[error.cause]
            return parked(task, on, str(error), None, cause=error.cause)
        return await self._retried(task, error)

    async def _on_other_ground(self, task: Task, error: Exception) -> StepResult | None:
        """Where GitHub refuses: whether the place is another than it was, which explains it."""
        refused = isinstance(error, Refused | AuthFailed | Conflict) and not error.dependency
        if not refused or self.survey is None or task.repo is None:
            return None
        try:
            found = await self.survey.look(task)
        except (ChimeraError, TimeoutError) as trouble:
            log.info("ground_unknown", task=task.id, error=str(trouble))
            return None
        if (verdict := verdict_on(found, task)) is not None:
            log.info("other_ground", task=task.id, ground=found.ground)
            return StepResult(verdict=verdict, facts=task.facts)
        if await self.queue.repository_is(found.repo):
            text = f"The repository is {found.repo.full_name} now"
            return _again(task, text, Cause.CONFLICT, self.now())
        return None

    async def _retried(self, task: Task, error: StepError) -> StepResult:
        """Another try at its time; after the last one, what can help is waited for."""
        text, retries = mask(str(error)), self.retries_of(task.phase)
        if task.tries + 1 >= retries.tries:
            return await self._used_up(task, error, f"{text} ({retries.tries} tries)")
        chance = random.random()  # noqa: S311 - it spreads tries, and hides nothing
        until = self.now() + retries.delay_s(task.tries + 1, chance)
        return _again(task, text, error.cause, max(until, error.retry_at or 0.0))

    async def _used_up(self, task: Task, error: StepError, text: str) -> StepResult:
        name = dependency_of(task, error)
        if self.breakers is not None and name:
            until = await self.breakers.open_until(name)
            if until is not None:  # it fails for everybody: the task waits for it and is not lost
                reason = f"{name} is down ({mask(str(error))}); resumes by itself"
                return parked(task, WaitFor.BREAKER, reason, until, cause=error.cause)
        if error.cause in _SHUT_OUT and task.repo is not None and not error.dependency:
            number = task.repo.installation_id
            shut_out = error.cause is Cause.AUTH
            key = installation_key(number) if shut_out else permission_key(number)
            return parked(task, WaitFor.ACCESS, text, None, key=key, cause=error.cause)
        verdict = Verdict(outcome=Outcome.FAIL, summary=text, cause=_deadly(error.cause))
        return StepResult(verdict=verdict, facts=task.facts)

    async def _tell_breaker(self, task: Task, error: StepError) -> None:
        name = dependency_of(task, error)
        if self.breakers is not None and name and not error.counted:
            await self.breakers.failed(name, error)


def parked(
    task: Task,
    on: WaitFor,
    reason: str,
    until: float | None,
    *,
    key: str = "",
    cause: Cause | None = None,
) -> StepResult:
    """The step waits: for an instant, a key, or a person."""
    reason = mask(reason)
    wait = Wait(on=on, reason=reason, key=key, until=until)
    verdict = Verdict(outcome=Outcome.WAIT, summary=reason, cause=cause, wait=wait)
    return StepResult(verdict=verdict, facts=task.facts)


def _again(task: Task, text: str, cause: Cause, until: float) -> StepResult:
    return parked(task, WaitFor.RETRY, text, until, cause=cause)


def _deadly(cause: Cause) -> Cause:
    return cause if cause in DEADLY else Cause.POISON


def _unforeseen(error: Exception) -> StepError:
    """An error of ours, in the tree of those that have a cause: BUG."""
    return StepError(str(error) or type(error).__name__)
