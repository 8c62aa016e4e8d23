"""What the API and the dashboard's buttons do to tasks, and how healthy the parts are."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.config.choices import Verb
from bot.domain import Actor, Phase, RepoRef, Role, Status, Task
from bot.errors import InputError, NotPermitted, Refused, WrongField
from bot.github.app import App
from bot.tasks.lasting import BreakerState
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.web.parts import HealthPart, Money, Submission
from bot.workflow.command_grammar import parse_commands
from bot.workflow.command_lines import PREFIX
from bot.workflow.commands import Command, Misspelt, spec_of
from bot.workflow.context import Contexts, Tools
from bot.workflow.evidence import bundle
from bot.workflow.executor import create_chimera_task
from bot.workflow.purse import SCOPE
from bot.workflow.steering import check_self_approval, journaled, steered

MONEY_DAYS = 28
DISK_FREE_MB = 500  #: below this, checkouts and the store are in danger


class Desk:
    """Bound to one house."""

    def __init__(
        self,
        tools: Tools,
        contexts: Contexts,
        pool: ExecutorPool,
        *,
        data_dir: Path,
        silent: Callable[[], Mapping[str, float]],
        now: Callable[[], float],
    ) -> None:
        self._tools = tools
        self._contexts = contexts
        self._pool = pool
        self._data_dir = data_dir
        self._silent = silent
        self._now = now

    @property
    def _queue(self) -> TaskQueue:
        return self._tools.queue

    async def submit(self, wish: Submission) -> Task:
        """The task of a submission; its issue is opened as its first step.

        Raises InputError where the App is not installed, or the named issue is none that can be
        worked on; NotPermitted outside of the token's repositories.
        """
        key, request_hash = wish.idempotency_key, wish.request_hash
        if key and (known := await self._queue.submitted(key, request_hash)):
            return known  # its issue may have been closed since, by the task itself
        repo = await self._repository(wish.repository)
        if wish.by_repos is not None and repo.id not in wish.by_repos:
            raise NotPermitted(f"this token has no access to {repo.full_name}")
        if wish.issue:
            await self._check_issue(repo, wish.issue)
        task = create_chimera_task(
            feature=wish.feature,
            target_url=wish.target_url,
            priority=wish.priority,
            repo=repo,
            requester=wish.by,
            now=self._now,
        )
        made, _ = await self._queue.submit(
            replace(task, issue=wish.issue),
            idempotency_key=key,
            request_hash=request_hash,
        )
        return made

    async def cancel(self, task_id: str, by: str) -> Task:
        task = await self._queue.cancel(task_id, by)
        self._pool.cancel(task_id)
        return task

    async def retry(self, task_id: str, by: str, phase: Phase | None) -> Task:
        return await self._steer(task_id, by, Command(verb=Verb.RETRY, phase=phase))

    async def reprioritise(self, task_id: str, by: str, priority: int) -> Task:
        return await self._steer(task_id, by, Command(verb=Verb.PRIORITY, priority=priority))

    async def steer(self, task_id: str, by: str, verb: Verb, said: str) -> Task:
        """What a button asks for; `said` are the words that follow the verb in a comment.

        Raises InputError, WrongState, NotPermitted.
        """
        command = _command(verb, said)
        if verb is Verb.CANCEL:
            return await self.cancel(task_id, by)
        task = await self._queue.get(task_id)
        if verb is Verb.APPROVE and task.repo is not None:
            config = (await self._tools.configs.shown(task)).config
            check_self_approval(
                task,
                Actor(login=by, id=0),
                prevented=config.deploy.production.prevent_self_approval,
            )
        changed = await self._steer(task_id, by, command, via="dashboard")
        if task.status is Status.RUNNING and changed.status is not Status.RUNNING:
            self._pool.cancel(task_id)
        return changed

    async def money(self) -> Money:
        """What models have cost today, of how much, and on the days before."""
        lasting = self._tools.lasting
        return Money(
            today_usd=await lasting.spent(SCOPE),
            limit_usd=self._tools.daily_usd,
            days=await lasting.spent_by_day(SCOPE, days=MONEY_DAYS),
        )

    async def discard(self, task_id: str, by: str) -> Task:
        """A dead task that nobody will go on with."""

        def discarded(task: Task) -> Task:
            return replace(
                task, status=Status.CANCELLED, cancel_by=by, summary=f"Discarded by {by}"
            )

        return await self._queue.change(task_id, discarded, expect={Status.DEAD})

    async def health(self) -> Sequence[HealthPart]:
        """Every part that Chimera needs, with what to do where one is not well."""
        return [
            self._hub(),
            self._cage(),
            self._agents(),
            self._disk(),
            self._loops(),
            *await self._breakers(),
        ]

    async def evidence(self, task: Task) -> Mapping[str, Any]:
        """The bundle of a task as it stands."""
        return bundle(
            task,
            await self._queue.journal(task.id),
            await self._tools.ledger.of_task(task.id),
            cage=self._tools.cage.describe(),
        )

    async def _steer(self, task_id: str, by: str, command: Command, *, via: str = "api") -> Task:
        actor, at = Actor(login=by, id=0), self._now()
        before = await self._queue.get(task_id)
        return await self._queue.change(
            task_id,
            lambda task: steered(task, command, actor, at, via=via),
            line=journaled(before, command, actor, at),
            expect=spec_of(command.verb).statuses,
        )

    async def _repository(self, full_name: str) -> RepoRef:
        github = self._tools.github
        if github is None:
            raise InputError("no GitHub App is configured: set CHIMERA_APP_ID and its key")
        owner, _, name = full_name.partition("/")
        known = RepoRef(id=0, owner=owner, name=name)
        try:
            installation = await App(github).installation_of(known)
            found = await self._contexts.repo(
                replace(known, installation_id=installation.id)
            ).info()
        except Refused as error:
            if error.status == 404:
                text = f"the App is not installed on {full_name}; install it there"
                raise WrongField("repository", text) from error
            raise
        return replace(found.ref, installation_id=installation.id)

    async def _check_issue(self, repo: RepoRef, number: int) -> None:
        """It is there, it is an issue, and it is open; else money would be spent for nothing."""
        try:
            issue = await self._contexts.repo(repo).issue(number)
        except Refused as error:
            if error.missing:
                raise WrongField("issue", f"{repo.full_name} has no #{number}") from error
            raise
        if issue.is_pull:
            raise WrongField("issue", f"#{number} is a pull request; name an issue, or none")
        if issue.state != "open":
            raise WrongField("issue", f"#{number} is {issue.state}; open it again, or name none")

    def _hub(self) -> HealthPart:
        github = self._tools.github
        if github is None:
            fix = "Run `chimera setup`, or set CHIMERA_APP_ID and CHIMERA_PRIVATE_KEY_PATH."
            return HealthPart(name="github", ok=False, detail="no App is configured", fix=fix)
        return HealthPart(name="github", ok=True, detail=github.api_url)

    def _cage(self) -> HealthPart:
        return HealthPart(name="cage", ok=True, detail=self._tools.cage.describe())

    def _agents(self) -> HealthPart:
        missing = [role for role in Role if role not in self._tools.agents]
        if missing:
            detail = f"none for {', '.join(missing)}"
            fix = "Set CHIMERA_MODEL and its provider's key, or `agents` in the settings."
            return HealthPart(name="agents", ok=False, detail=detail, fix=fix)
        names = sorted({agent.name for agent in self._tools.agents.values()})
        return HealthPart(name="agents", ok=True, detail=", ".join(names))

    async def _breakers(self) -> list[HealthPart]:
        """Every dependency that is left alone now."""
        return [
            HealthPart(
                name=f"breaker {breaker.name}",
                ok=False,
                detail=f"{breaker.state} after {breaker.failures} failures: {breaker.reason}",
                fix="Tasks that need it wait and go on by themselves when it answers again.",
            )
            for breaker in await self._tools.lasting.breakers()
            if breaker.state is not BreakerState.CLOSED
        ]

    def _loops(self) -> HealthPart:
        silent = self._silent()
        if not silent:
            return HealthPart(name="loops", ok=True, detail="all turn")
        detail = ", ".join(f"{loop} silent for {since:.0f} s" for loop, since in silent.items())
        fix = "Restart the server, which loses nothing; its log says what it did last."
        return HealthPart(name="loops", ok=False, detail=detail, fix=fix)

    def _disk(self) -> HealthPart:
        free_mb = shutil.disk_usage(self._data_dir).free // (1024 * 1024)
        fix = f"Free some space where {self._data_dir} is." if free_mb < DISK_FREE_MB else ""
        return HealthPart(name="disk", ok=not fix, detail=f"{free_mb} MiB free", fix=fix)


def _command(verb: Verb, said: str) -> Command:
    """The command as its comment would be read. Raises InputError."""
    found = parse_commands(f"{PREFIX} {verb} {' '.join(said.split())}")
    match found:
        case [Command() as command] if command.verb is verb:
            return command
        case [Misspelt(problem=problem)]:
            raise InputError(problem)
        case _:
            raise InputError(f"{verb}: this cannot be said so")
