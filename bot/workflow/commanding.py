"""Carries out what people command: who may, in which state, with which receipt.

The receipt is a reaction: 👀 when it was read, 🚀 when it was done, 😕 when it could not be, 👎
when the person may not. What needs words stands in the status comment, never in a new one.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bot.config.choices import RepoRole, Verb
from bot.domain import Actor, RepoRef, Status, Task
from bot.effects import EffectKind
from bot.errors import ConfigError, NotPermitted, WrongState
from bot.events import IssueSnapshot
from bot.github.repo import Repo
from bot.log import get
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.tasks.queue import TaskQueue
from bot.workflow import given
from bot.workflow.commands import Command, Misspelt, least_role, spec_of
from bot.workflow.effects import Effects, Remote, place_of
from bot.workflow.patience import Patience
from bot.workflow.report import answers
from bot.workflow.report.marker import read_marker, signed
from bot.workflow.report.view import View
from bot.workflow.starting import Starter
from bot.workflow.steering import check_self_approval, journaled, steered

log = get("workflow")

STEERING = frozenset(
    {
        Verb.RETRY,
        Verb.PAUSE,
        Verb.RESUME,
        Verb.PRIORITY,
        Verb.BUDGET,
        Verb.APPROVE,
        Verb.REJECT,
        Verb.REVIEW,
        Verb.DEPLOY,
        Verb.ROLLBACK,
    }
)


BECAME: Mapping[str, str] = {"rocket": "done", "confused": "not possible", "-1": "not permitted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One comment, review or click with its commands."""

    repo: RepoRef
    actor: Actor
    issue: int  #: or the pull request's number
    commands: Sequence[Command | Misspelt]
    comment_id: int = 0  #: what carries the receipt, which a click has not
    review_node: str = ""  #: or a review, by its name in GraphQL
    snapshot: IssueSnapshot | None = None  #: of the issue, where the delivery had it
    via: str = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commander:
    """Carries out commands."""

    queue: TaskQueue
    ledger: Ledger
    lasting: Lasting
    starter: Starter
    repo_of: Callable[[RepoRef], Repo]
    view_of: Callable[[Task], Awaitable[View]]
    stop: Callable[[str], bool]  #: end a running step of this task
    now: Callable[[], float]
    patience: Patience
    hmac_key: bytes = field(repr=False)  #: signs the first line of every text of ours

    async def obey(self, asked: Asked) -> str:
        """Every command in turn; the receipt shows the worst of what became of them.

        Returns what became of each, for the list of deliveries; nothing where there was none.
        """
        if not asked.commands:
            return ""
        if await self._is_flood(asked):
            log.warning("commands_ignored", by=asked.actor.login, repository=asked.repo.full_name)
            return f"by {asked.actor.login}, not heard: too many within an hour"
        await self._react(asked, "eyes")
        told = [await self._one(asked, command) for command in asked.commands]
        worst = next((r for r in ("-1", "confused") if r in told), "rocket")
        await self._react(asked, worst)
        task = await self._task(asked)
        by = asked.actor.login
        each = [
            f"{_named(command)} by {by}, {BECAME[receipt]}"
            for command, receipt in zip(asked.commands, told, strict=True)
        ]
        return f"task {task.id}: {'; '.join(each)}" if task is not None else "; ".join(each)

    async def _is_flood(self, asked: Asked) -> bool:
        """Whether somebody without a role has said too much of late; their role is asked then."""
        if not self.patience.ends(asked.repo.id, asked.actor.id):
            return False
        role = await self.repo_of(asked.repo).role_of(asked.actor.login)
        return not _covers(role, RepoRole.TRIAGE)

    async def _one(self, asked: Asked, command: Command | Misspelt) -> str:
        task = await self._task(asked)
        if isinstance(command, Misspelt):
            await self._answer(asked, task, answers.misspelt(command), of_state=False)
            return "confused"
        config = await self.starter.config_for(asked.repo, task)
        role = await self.repo_of(asked.repo).role_of(asked.actor.login)
        if not _covers(role, least_role(command.verb, config.commands)):
            log.info("command_refused", verb=command.verb, by=asked.actor.login, role=role)
            return "-1"
        spec = spec_of(command.verb)
        status = task.status if task is not None else None
        if (status is None and spec.needs_task) or (status and status not in spec.statuses):
            text = answers.wrong_state(command.verb, task)
            await self._answer(asked, task, text, of_state=True)
            return "confused"
        try:
            await self._do(asked, command, task)
        except NotPermitted as refusal:
            log.info("command_refused", verb=command.verb, by=asked.actor.login, why=str(refusal))
            return "-1"
        except WrongState as refusal:
            text = answers.refused(command.verb, str(refusal), task)
            await self._answer(asked, task, text, of_state=True)
            return "confused"
        log.info("command_done", verb=command.verb, by=asked.actor.login, task=task and task.id)
        return "rocket"

    async def _do(self, asked: Asked, command: Command, task: Task | None) -> None:
        match command.verb:
            case Verb.HOLD:
                await self.lasting.hold(asked.repo, asked.actor.login, command.reason)
                await self.queue.queue_moved()
            case Verb.UNHOLD:
                await self.lasting.unhold(asked.repo)
                await self.queue.queue_moved()
                self.queue.bells.work.set()
            case Verb.START:
                await self._start(asked, command)
            case Verb.CANCEL if task is not None:
                await self.queue.cancel(task.id, asked.actor.login)
                self.stop(task.id)
            case verb if verb in STEERING and task is not None:
                await self._steer(asked, command, task)
            case _:
                await self._tell(asked, command, task)

    async def _steer(self, asked: Asked, command: Command, task: Task) -> None:
        if command.verb is Verb.APPROVE:
            config = await self.starter.config_for(asked.repo, task)
            prevented = config.deploy.production.prevent_self_approval
            check_self_approval(task, asked.actor, prevented=prevented)
        at = self.now()
        changed = await self.queue.change(
            task.id,
            lambda now: steered(now, command, asked.actor, at, via=asked.via),
            line=journaled(task, command, asked.actor, at),
            expect=spec_of(command.verb).statuses,
        )
        if task.status is Status.RUNNING and changed.status is not Status.RUNNING:
            self.stop(task.id)
        if command.verb is Verb.PRIORITY:
            await self.queue.queue_moved()

    async def _start(self, asked: Asked, command: Command) -> None:
        if asked.snapshot is None or asked.snapshot.is_pull:
            raise WrongState("a task is started on its issue")
        config = await self.starter.config_of(asked.repo)
        await self.starter.start(
            asked.repo,
            asked.snapshot,
            asked.actor,
            config,
            # named, for a comment's number says nothing beside those of label events
            label_event_id=f"comment-{asked.comment_id}",
            priority=command.priority,
            budget_usd=command.budget,
        )

    async def _tell(self, asked: Asked, command: Command, task: Task | None) -> None:
        match command.verb:
            case Verb.HELP:
                config = await self.starter.config_of(asked.repo)
                text = answers.help_text(config.commands)
            case Verb.STATUS if task is not None:
                text = answers.status_text(await self.view_of(task))
            case Verb.EXPLAIN if task is not None:
                text = answers.explanation(await self.view_of(task))
            case Verb.CONFIG:
                text = await self._config_text(asked.repo)
            case _:
                raise WrongState("this cannot be done here yet")
        if task is not None:
            of_state = command.verb in (Verb.STATUS, Verb.EXPLAIN)
            await self._answer(asked, task, text, of_state=of_state)
        else:
            await self._reply(asked, text)

    async def _config_text(self, repo: RepoRef) -> str:
        try:
            return answers.config_text(await self.starter.configs.current(repo))
        except ConfigError as error:
            return answers.broken_config(str(error))

    async def _reply(self, asked: Asked, text: str) -> None:
        """Where there is no status comment, one comment an issue takes what was asked for."""
        repo, owner = self.repo_of(asked.repo), f"issue-{asked.repo.id}-{asked.issue}"
        body = f"{signed(self.hmac_key, owner, of='answer')}\n{text}"
        effects = self._effects(owner, asked)

        async def call() -> Remote:
            made = await repo.create_comment(asked.issue, body)
            return Remote(id=str(made.id), url=made.url)

        async def look_up(_since: float) -> Remote | None:
            for comment in await repo.comments(asked.issue):
                mark = read_marker(self.hmac_key, comment.body) if comment.author.is_bot else None
                if mark is not None and mark.task_id == owner:
                    return Remote(id=str(comment.id), url=comment.html_url)
            return None

        known = await self.ledger.get(f"{owner}/{EffectKind.STATUS_COMMENT}/answer")
        made = await effects.ensure(EffectKind.STATUS_COMMENT, "answer", {}, call, look_up)

        async def edit() -> Remote:
            await repo.edit_comment(int(made.id), body)
            return made

        if known is not None:
            name = f"{asked.comment_id}-{hashlib.sha256(body.encode()).hexdigest()[:12]}"
            await effects.ensure(EffectKind.COMMENT_EDIT, name, {"body": body}, edit)

    async def _task(self, asked: Asked) -> Task | None:
        found = await self.queue.find(asked.repo.id, asked.issue)
        return found or await self.queue.find_by_pull(asked.repo.id, asked.issue)

    async def _answer(self, asked: Asked, task: Task | None, text: str, *, of_state: bool) -> None:
        """Show it in the status comment, beside the last few others."""
        if task is None:
            return
        stamp = answers.stamp(asked.actor.login, self.now(), task.created_at)
        await given.give(self.lasting, task, text, stamp, of_state=of_state)
        await self.queue.picture_soon(task.id)

    async def _react(self, asked: Asked, content: str) -> None:
        repo, comment, review = self.repo_of(asked.repo), asked.comment_id, asked.review_node
        if not (comment or review):
            return
        effects = self._effects(f"comment-{comment}" if comment else f"review-{review}", asked)

        async def call() -> Remote:
            if comment:
                return Remote(id=str(await repo.react_to_comment(comment, content)))
            return Remote(id=str(await repo.react_to_review(review, content)))

        await effects.ensure(EffectKind.REACTION_ADD, content, {}, call)

    def _effects(self, owner: str, asked: Asked) -> Effects:
        place = place_of(asked.repo, asked.issue)
        return Effects(self.ledger, self.now, task_id=owner, fence=None, quiet_s=0.0, place=place)


def _named(command: Command | Misspelt) -> str:
    return command.verb.value if isinstance(command, Command) else "unknown command"


def _covers(role: str, least: RepoRole) -> bool:
    """Whoever has no role, or none that is known, may do nothing."""
    return role in set(RepoRole) and RepoRole(role).covers(least)
