"""ChimeraExecutor: runs one step of one task, journals it, and answers every kind of trouble.

The pool calls `advance`; a program calls `execute_workflow`. Nothing else writes a task's cursor.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from bot.agents.agent import Agent
from bot.domain import (
    DEFAULT_PRIORITY,
    MAX_FEATURE,
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
    WaitFor,
)
from bot.errors import InputError, LeaseLost
from bot.log import get
from bot.tasks.ids import new_id
from bot.tasks.queue import TaskQueue
from bot.workflow import tracing
from bot.workflow.breakers import hub_of
from bot.workflow.evidence import text_sha256
from bot.workflow.flow import ChimeraWorkflow, bounds_of, exhausted, follow, status_at
from bot.workflow.phases.step import Ctx, Meter
from bot.workflow.phases.table import PHASES
from bot.workflow.steering import worked
from bot.workflow.submitting import with_issue
from bot.workflow.trouble import DEADLY, Triage

log = get("workflow")

KEEPS_TRIES = frozenset({WaitFor.QUIET, WaitFor.RATE_LIMIT})  #: waits in the middle of a try

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
        triage: Triage | None = None,
    ) -> None:
        self._agents = {_role(role): agent for role, agent in (agents_registry or {}).items()}
        self._repository = Path(repository)
        self._queue = queue
        self._context_for = context_for
        self._now = now
        self._triage = triage or (Triage(queue=queue, now=now) if queue is not None else None)
        self._breakers = self._triage.breakers if self._triage is not None else None

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
        with tracing.step(task):
            async with contextlib.AsyncExitStack() as at_the_end:
                stored = await self._step(task, at_the_end)
                if stored.status is Status.RUNNING:
                    at_the_end.pop_all()
                return stored

    async def _step(self, task: Task, at_the_end: contextlib.AsyncExitStack) -> Task:
        queue, started, meter, claimed = self._queue, self._now(), Meter(), task
        task = worked(task, task.run_at)  # where an event ended the wait, and nobody counted it
        assert queue is not None, "only an executor with a queue advances tasks"
        assert self._triage is not None, "it comes with the queue"
        bounds = Bounds()
        try:
            await self._admit(task)
            ctx = await self._context(task, meter)
            at_the_end.push_async_callback(ctx.workspace.remove)
            bounds = bounds_of(ctx.config, task.facts.attempts_given)
            task = await self._with_issue(task, ctx)
            deadline_s = ctx.config.limits.phase_minutes * 60
            result = _overdue(task, ctx) or await _within(deadline_s, PHASES[task.phase](task, ctx))
        except LeaseLost:
            raise
        except asyncio.CancelledError:
            await self._stopped_in_the_middle(task, started, meter)
            raise
        except Exception as error:
            result = await self._triage.answer(task, error)
        else:
            await self._tell_breaker(task)
        seconds = self._now() - started
        after = self._after(task, result, meter, bounds, seconds)
        line = _line(task, bounds, result, started, seconds, meter)
        _say(task, after, line)
        tracing.recorded(line)
        soon = after.status is Status.RUNNING and after.phase is task.phase
        return await queue.record(
            claimed,
            line,
            after,
            keep=after.status is Status.RUNNING,
            picture_in=10.0 if soon else 0.0,
        )

    async def _with_issue(self, task: Task, ctx: Ctx) -> Task:
        """The task with its issue. One that is opened now stands in the row at once, not when the
        step ends: meanwhile an agent works, and people look and speak there.
        """
        opened = await with_issue(task, ctx)
        if opened.issue != task.issue and self._queue is not None:
            await self._queue.change(task.id, lambda now: replace(now, issue=opened.issue))
        return opened

    async def _stopped_in_the_middle(self, task: Task, started: float, meter: Meter) -> None:
        """A step that nobody records, because a person or a shutdown ended it, is paid for, too."""
        spend = meter.total
        if self._queue is None or not spend.requests:
            return
        line = JournalLine(
            task_id=task.id,
            n=0,
            phase=task.phase,
            cursor=task.cursor,
            outcome=Outcome.WAIT,
            summary="Stopped in the middle",
            started_at=started,
            seconds=self._now() - started,
            spend=spend,
        )
        await self._queue.change(task.id, lambda t: replace(t, spend=t.spend + spend), line=line)

    async def _admit(self, task: Task) -> None:
        if self._breakers is not None and (hub := hub_of(task)):
            await self._breakers.admit(hub)

    async def _tell_breaker(self, task: Task) -> None:
        """The hub has answered."""
        if self._breakers is not None and (hub := hub_of(task)):
            await self._breakers.succeeded(hub)

    async def _context(self, task: Task, meter: Meter) -> Ctx:
        assert self._context_for is not None
        return await self._context_for(task, meter)

    def _after(
        self, task: Task, result: StepResult, meter: Meter, bounds: Bounds, seconds: float
    ) -> Task:
        """The row as it shall be, given what the step said."""
        verdict, now, facts = result.verdict, self._now(), result.facts
        cursor = follow(task.cursor, verdict, bounds)
        stopped = _stopped(verdict)
        return replace(
            task,
            cursor=task.cursor if stopped is not None else cursor,
            status=stopped or status_at(cursor, verdict),
            facts=replace(facts, worked_s=facts.worked_s + max(0.0, seconds)),
            wait=replace(verdict.wait, since=now) if verdict.wait is not None else None,
            spend=task.spend + meter.total,
            tries=_tries(task, verdict),
            cause=verdict.cause,
            summary=verdict.summary,
            run_at=now,
        )

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
        text_sha256=text_sha256(text),
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


def _stopped(verdict: Verdict) -> Status | None:
    """The end of a task that stays where it stands: broken machinery, or taken away by a person."""
    if verdict.outcome is not Outcome.FAIL:
        return None
    if verdict.cause is Cause.PERSON:
        return Status.CANCELLED
    return Status.DEAD if verdict.cause in DEADLY else None


def _tries(task: Task, verdict: Verdict) -> int:
    """Failed tries of this step in a row; what ends in anything but another try begins anew."""
    on = verdict.wait.on if verdict.wait is not None else None
    if on is WaitFor.RETRY:
        return task.tries + 1
    return task.tries if on in KEEPS_TRIES else 0


def _overdue(task: Task, ctx: Ctx) -> StepResult | None:
    """The end of a task that took too long; never between merge and production."""
    minutes = ctx.config.limits.wall_minutes
    if task.facts.worked_s <= minutes * 60 or task.facts.merge_sha:
        return None
    text = f"It took more than {minutes} minutes of work, its waits for runs and checks included"
    return StepResult(
        verdict=Verdict(outcome=Outcome.FAIL, summary=text, cause=Cause.BUDGET), facts=task.facts
    )


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
