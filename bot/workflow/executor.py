"""ChimeraExecutor: runs one step of one task, journals it, and answers every kind of trouble.

The pool calls `advance`; a program calls `execute_workflow`. Nothing else writes a task's cursor.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bot.agents.agent import Agent
from bot.domain import (
    DEFAULT_PRIORITY,
    MAX_PRIORITY,
    MIN_PRIORITY,
    Bounds,
    Cause,
    JournalLine,
    Outcome,
    RepoRef,
    Role,
    Status,
    StepResult,
    Task,
    Verdict,
    Wait,
    WaitFor,
)
from bot.errors import ConfigError, Deadline, InputError, LeaseLost, Parked, StepError
from bot.log import get, mask
from bot.tasks.ids import new_id
from bot.tasks.queue import TaskQueue
from bot.workflow.breakers import Breakers, dependency_of, hub_of
from bot.workflow.flow import ChimeraWorkflow, bounds_of, exhausted, follow, status_at
from bot.workflow.phases.step import Ctx, Meter
from bot.workflow.phases.table import PHASES
from bot.workflow.steering import waited
from bot.workflow.submitting import with_issue

log = get("workflow")

MAX_FEATURE = 65_536  #: characters; GitHub's own limit for an issue's body
PERSON_ENDS = {Cause.CONFIG: WaitFor.CONFIGURATION, Cause.BUDGET: WaitFor.BUDGET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a passing failure is tried again, and how far apart. Times are seconds."""

    tries: int = 3
    first_s: float = 1.0
    longest_s: float = 30.0

    def delay_s(self, tries: int, chance: float) -> float:
        """Exponential, with full jitter over its upper half; `chance` is in 0…1."""
        whole = min(self.longest_s, self.first_s * 2 ** (tries - 1))
        return float(whole * (0.5 + chance / 2))


ContextFor = Callable[[Task, Meter], Awaitable[Ctx]]


class ChimeraExecutor:
    """Runs workflows, one step at a time.

    For the pool it is given the queue and a maker of contexts. For a program,
    `ChimeraExecutor(agents_registry=…, repository=…)` brings its own: the workflow then runs on
    a local git repository (the present directory by default), without a hub.
    """

    def __init__(
        self,
        *,
        agents_registry: Mapping[Role | str, Agent] | None = None,
        repository: Path | str = ".",
        queue: TaskQueue | None = None,
        context_for: ContextFor | None = None,
        now: Callable[[], float] = time.time,
        retries: Retries | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        self._agents = {_role(role): agent for role, agent in (agents_registry or {}).items()}
        self._repository = Path(repository)
        self._queue = queue
        self._context_for = context_for
        self._now = now
        self._retries = retries or Retries()
        self._breakers = breakers

    async def execute_workflow(self, task: Task) -> ChimeraWorkflow:
        """Run a task to its end, or to where only a person can go on; returns it finished.

        Raises InputError where the repository or an agent is missing, CageMissing.
        """
        if self._queue is not None:
            return ChimeraWorkflow(task=await self._to_the_end(self._queue, task))
        from bot.workflow.local import local_parts  # noqa: PLC0415 - it builds an executor of its own

        async with local_parts(self._repository, self._agents, now=self._now) as parts:
            executor = ChimeraExecutor(
                queue=parts.queue, context_for=parts.contexts.context_for, now=self._now
            )
            return await executor.execute_workflow(task)

    async def advance(self, task: Task) -> Task:
        """One step of a claimed task, recorded. Raises LeaseLost where the claim is gone.

        Its checkouts stay while the claim goes on with another step, and are gone otherwise.
        """
        async with contextlib.AsyncExitStack() as at_the_end:
            stored = await self._step(task, at_the_end)
            if stored.status is Status.RUNNING:
                at_the_end.pop_all()
            return stored

    async def _step(self, task: Task, at_the_end: contextlib.AsyncExitStack) -> Task:
        queue, started, meter, claimed = self._queue, self._now(), Meter(), task
        task = waited(task, task.run_at)  # where an event ended the wait, and nobody counted it
        assert queue is not None, "only an executor with a queue advances tasks"
        bounds = Bounds()
        try:
            ctx = await self._context(task, meter)
            at_the_end.push_async_callback(ctx.workspace.remove)
            bounds = bounds_of(ctx.config)
            await self._admit(task)
            task = await with_issue(task, ctx)
            deadline_s = ctx.config.limits.phase_minutes * 60
            result = _overdue(task, ctx, started) or await _within(
                deadline_s, PHASES[task.phase](task, ctx)
            )
        except LeaseLost:
            raise
        except Exception as error:
            result = self._trouble(task, error)
            await self._tell_breaker(task, error)
        else:
            await self._tell_breaker(task, None)
        after = self._after(task, result, meter, bounds)
        line = _line(task, bounds, result, started, self._now() - started, meter)
        _say(task, after, line)
        soon = after.status is Status.RUNNING and after.phase is task.phase
        return await queue.record(
            claimed,
            line,
            after,
            keep=after.status is Status.RUNNING,
            picture_in=10.0 if soon else 0.0,
        )

    async def _admit(self, task: Task) -> None:
        if self._breakers is not None and (hub := hub_of(task)):
            await self._breakers.admit(hub)

    async def _tell_breaker(self, task: Task, error: Exception | None) -> None:
        if self._breakers is None:
            return
        match error:
            case None if hub := hub_of(task):
                await self._breakers.succeeded(hub)
            case Parked():
                return
            case StepError() if name := dependency_of(task, error):
                await self._breakers.failed(name, error)

    async def _context(self, task: Task, meter: Meter) -> Ctx:
        assert self._context_for is not None
        return await self._context_for(task, meter)

    def _after(self, task: Task, result: StepResult, meter: Meter, bounds: Bounds) -> Task:
        """The row as it shall be, given what the step said."""
        verdict, now = result.verdict, self._now()
        cursor = follow(task.cursor, verdict, bounds)
        moved = cursor != task.cursor or verdict.outcome is not Outcome.WAIT
        retrying = verdict.wait is not None and verdict.wait.on is WaitFor.RETRY
        dead = verdict.outcome is Outcome.FAIL and verdict.cause in DEADLY
        status = Status.DEAD if dead else status_at(cursor, verdict)
        return replace(
            task,
            cursor=task.cursor if dead else cursor,
            status=status,
            facts=result.facts,
            wait=replace(verdict.wait, since=now) if verdict.wait is not None else None,
            spend=task.spend + meter.total,
            tries=task.tries + 1 if retrying else 0 if moved else task.tries,
            cause=verdict.cause,
            summary=verdict.summary,
            run_at=now,
        )

    def _trouble(self, task: Task, error: Exception) -> StepResult:
        """The one place that decides what broken machinery means for a task."""
        now = self._now()
        match error:
            case Parked():
                return _park(task, error.on, str(error), error.retry_at, error.key)
            case StepError() if error.cause is Cause.RATE_LIMIT:
                return _park(task, WaitFor.RATE_LIMIT, str(error), error.retry_at or now + 60)
            case StepError() if error.cause in PERSON_ENDS:
                return _park(task, PERSON_ENDS[error.cause], str(error), None)
            case ConfigError():
                return _park(task, WaitFor.CONFIGURATION, str(error), None)
            case StepError():
                return self._retry(task, error, error.cause)
            case TimeoutError():
                return self._retry(task, Deadline("the phase's deadline ran out"), Cause.TIMEOUT)
            case _:
                log.error("step_broke", task=task.id, phase=task.phase, exc_info=error)
                return self._retry(task, error, Cause.BUG)

    def _retry(self, task: Task, error: Exception, cause: Cause) -> StepResult:
        text = mask(f"{error}") or type(error).__name__
        if task.tries + 1 >= self._retries.tries:
            verdict = Verdict(
                outcome=Outcome.FAIL,
                summary=f"{text} ({self._retries.tries} tries)",
                cause=cause if cause in DEADLY else Cause.POISON,
            )
            return StepResult(verdict=verdict, facts=task.facts)
        until = self._now() + self._retries.delay_s(task.tries + 1, random.random())  # noqa: S311
        wait = Wait(on=WaitFor.RETRY, reason=text, until=until)
        verdict = Verdict(outcome=Outcome.WAIT, summary=text, cause=cause, wait=wait)
        return StepResult(verdict=verdict, facts=task.facts)

    async def _to_the_end(self, queue: TaskQueue, task: Task) -> Task:
        task, _ = await queue.submit(task)
        while not task.status.ended:
            claimed = await queue.claim(f"program/{task.id}")
            if claimed is not None:
                task = claimed
                while task.status is Status.RUNNING:
                    task = await self.advance(task)
            if task.wait is not None and task.wait.on.needs_person:
                return task
            if (due := await queue.next_due()) is not None:
                await asyncio.sleep(max(0.0, due - self._now()))
            await queue.wake_due()
            task = await queue.get(task.id)
        return task


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


def create_chimera_task(
    *,
    feature: str,
    target_url: str = "",
    priority: int = DEFAULT_PRIORITY,
    repo: RepoRef | None = None,
    requester: str = "",
    now: Callable[[], float] = time.time,
) -> Task:
    """A new task for `feature`, whose first line is its title.

    `priority` is 1 to 10, the higher first. Raises InputError for what cannot be a task.
    """
    text = feature.strip()
    if not text or len(text) > MAX_FEATURE:
        raise InputError(f"feature: 1 to {MAX_FEATURE} characters are needed, not {len(text)}")
    if not MIN_PRIORITY <= priority <= MAX_PRIORITY:
        raise InputError(f"priority: {MIN_PRIORITY} to {MAX_PRIORITY}, not {priority}")
    if target_url and not target_url.startswith(("http://", "https://")):
        raise InputError(f"target_url: must begin with http:// or https://, not {target_url!r}")
    return Task(
        id=new_id(now()),
        feature=text,
        title=text.splitlines()[0][:200],
        repo=repo,
        target_url=target_url,
        priority=priority,
        requester=requester,
        created_at=now(),
        run_at=now(),
    )


def _role(name: Role | str) -> Role:
    """Raises InputError for a name that is no role."""
    try:
        return Role(name)
    except ValueError:
        known = ", ".join(Role)
        raise InputError(f"agents_registry: no role {name!r}; there are {known}") from None


def _overdue(task: Task, ctx: Ctx, now: float) -> StepResult | None:
    """The end of a task that took too long; never between merge and production."""
    minutes = ctx.config.limits.wall_minutes
    worked_s = now - (task.started_at or now) - task.facts.waited_s
    if worked_s <= minutes * 60 or task.facts.merge_sha:
        return None
    text = f"It took more than {minutes} minutes, waits for people not counted"
    return StepResult(
        verdict=Verdict(outcome=Outcome.FAIL, summary=text, cause=Cause.BUDGET), facts=task.facts
    )


def _park(task: Task, on: WaitFor, reason: str, until: float | None, key: str = "") -> StepResult:
    reason = mask(reason)
    wait = Wait(on=on, reason=reason, key=key, until=until)
    verdict = Verdict(outcome=Outcome.WAIT, summary=reason, wait=wait)
    return StepResult(verdict=verdict, facts=task.facts)


async def _within(seconds: float, step: Awaitable[StepResult]) -> StepResult:
    async with asyncio.timeout(seconds):
        return await step


def _line(
    task: Task, bounds: Bounds, result: StepResult, started: float, seconds: float, meter: Meter
) -> JournalLine:
    verdict = result.verdict
    summary = verdict.summary
    if exhausted(task.cursor, verdict, bounds):
        summary = f"{summary} (no further try is left)"
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=task.phase,
        cursor=task.cursor,
        outcome=verdict.outcome,
        summary=summary,
        cause=verdict.cause,
        started_at=started,
        seconds=seconds,
        spend=meter.total,
        evidence=result.evidence,
    )


def _say(task: Task, after: Task, line: JournalLine) -> None:
    log.info(
        "step_done",
        task=task.id,
        phase=task.phase,
        outcome=line.outcome,
        cause=line.cause,
        summary=line.summary[:300],
        seconds=round(line.seconds, 3),
        status=after.status,
    )
