"""How a labelled issue becomes a task: who may ask, what exactly was asked, once for each label."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.config.layers import Effective
from bot.config.repo import RepoConfig
from bot.domain import DEFAULT_PRIORITY, Actor, RepoRef, Status, Task, Wait, WaitFor
from bot.errors import ConfigError, Refused
from bot.events import IssueSnapshot
from bot.facts import Facts
from bot.github.repo import Repo
from bot.github.types import LabelEvent
from bot.log import get
from bot.tasks.ids import new_id
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.workflow.evidence import text_sha256
from bot.workflow.hidden import visible
from bot.workflow.repoconfig import Configs

log = get("workflow")

HOUR_S = 3600.0
EDITED = "The issue was edited before work began; remove the label and put it on again"
NO_RESPONSE = "_No response_"  #: what GitHub writes for a field of a form that was left empty
MAX_ADDRESS = 2000  #: characters of a target URL
HIGH, LOW = 8, 2  #: what the priority labels mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Makes tasks of labelled issues."""

    queue: TaskQueue
    lasting: Lasting
    configs: Configs
    repo_of: Callable[[RepoRef], Repo]
    now: Callable[[], float]
    by_person: int  #: tasks of one person that are begun in an hour and a repository
    in_repository: int  #: the same of all people together

    async def config_of(self, repo: RepoRef) -> RepoConfig:
        """The repository's configuration; where its file is broken, the last that was not.

        A task of a broken configuration is accepted and waits with that reason.
        """
        try:
            return (await self.configs.current(repo)).config
        except ConfigError as error:
            log.warning("configuration_broken", repository=repo.full_name, error=str(error))
            return (self.configs.last_valid(repo) or Effective()).config

    async def config_for(self, repo: RepoRef, task: Task | None) -> RepoConfig:
        """What a task keeps from its beginning; without one, the repository's of now."""
        if task is None or not task.facts.base_sha:
            return await self.config_of(repo)
        return (await self.configs.shown(task)).config

    async def may_start(self, repo: RepoRef, actor: Actor, config: RepoConfig) -> bool:
        """A label proves nothing: issue forms put it on for any author. The sender's role does."""
        role = await self.repo_of(repo).role_of(actor.login)
        return role in {str(allowed) for allowed in config.trigger.roles}

    async def asked(self, repo: RepoRef, issue: IssueSnapshot, label: str) -> LabelEvent | None:
        """The event that put the label on, so that delivery and sweep agree; None: it was taken
        off since, or the issue was closed.

        Raises Refused as for what is missing where GitHub does not show it: not yet, or not any
        more, for the issue was moved.
        """
        history = await self.repo_of(repo).history(issue.number)
        newest = history.newest(label)
        if newest is None or (not newest.added and newest.at < issue.updated_at):
            text = f"{repo.full_name}#{issue.number}: no event shows the label {label} yet"
            raise Refused(text, status=404)
        return newest if newest.added and newest.id > history.closed else None

    async def start(
        self,
        repo: RepoRef,
        issue: IssueSnapshot,
        by: Actor,
        config: RepoConfig,
        *,
        label_event_id: str,
        inbox_id: int | None = None,
        priority: int | None = None,
        budget_usd: float | None = None,
        confirmed: bool = True,
    ) -> tuple[Task, bool]:
        """The issue's task, and whether it is new.

        Where the text may be another than the labelled one, it is not `confirmed`, and waits.
        """
        at = self.now()
        title, feature = readable(issue)
        task = Task(
            id=new_id(at),
            feature=feature,
            title=title,
            repo=repo,
            issue=issue.number,
            text_sha256=text_sha256(feature),
            requester=by.login,
            facts=Facts(requester_id=by.id),
            target_url=target_url_of(feature),
            priority=priority or priority_of(issue.labels, config),
            budget_usd=budget_usd,
            created_at=at,
            run_at=at,
        )
        task = await self._within_pace(task, repo) if confirmed else unconfirmed(task, at)
        await limit_lane(self.lasting, repo, config)
        made, new = await self.queue.submit(task, inbox_id=inbox_id, label_event_id=label_event_id)
        if new:
            log.info("task_created", task=made.id, repository=repo.full_name, issue=issue.number)
        return made, new

    async def labelled_since(self, repo: RepoRef, issue: IssueSnapshot, label: str) -> bool:
        """Whether the label was put on again after the issue was as this delivery shows it."""
        if not issue.updated_at:
            return False
        newest = (await self.repo_of(repo).history(issue.number)).newest(label)
        return newest is not None and newest.added and newest.at > issue.updated_at

    async def confirm(
        self,
        task: Task,
        issue: IssueSnapshot,
        *,
        label_event_id: str,
        inbox_id: int | None = None,
    ) -> None:
        """A new label stands behind the text as it is now."""
        await self.queue.labelled_again(task.id, label_event_id)
        await self.queue.change(
            task.id,
            lambda now: replace(with_text(now, issue), status=Status.QUEUED, wait=None),
            inbox_id=inbox_id,
            expect={Status.WAITING},
        )

    async def _within_pace(self, task: Task, repo: RepoRef) -> Task:
        """A flood is accepted and spread: what is too much in an hour waits for one to come."""
        begins_at, reason = task.created_at, ""
        for who, limit, said in (
            (task.requester, self.by_person, f"of {task.requester}'s tasks begin here"),
            ("", self.in_repository, "tasks begin in this repository"),
        ):
            hour_ago = task.created_at - HOUR_S
            others = await self.queue.begins_since(repo.id, hour_ago, requester=who)
            free_at = first_free(others, limit, begins_at)
            if free_at > begins_at:
                begins_at = free_at
                reason = f"no more than {limit} {said} in an hour, and others are before this one"
        if not reason:
            return task
        wait = Wait(on=WaitFor.RATE_LIMIT, reason=reason, until=begins_at, since=task.created_at)
        return replace(task, status=Status.WAITING, wait=wait)


# ── how many at once, and how fast ───────────────────────────────────────────────────────────


async def limit_lane(lasting: Lasting, repo: RepoRef, config: RepoConfig) -> None:
    """As many at once as the repository's own file says; where it is silent, as the server says."""
    limits = config.limits
    said = limits.concurrent if "concurrent" in limits.model_fields_set else None
    await lasting.limit_lane(repo, said)


def first_free(begins: Sequence[float], limit: int, earliest: float) -> float:
    """The first instant from `earliest` on in whose hour before fewer than `limit` began.

    `begins` are in order, and reach back for an hour.
    """
    instants = [earliest, *(at + HOUR_S for at in begins if at + HOUR_S > earliest)]
    return next(
        at
        for at in instants
        if bisect_right(begins, at) - bisect_right(begins, at - HOUR_S) < limit
    )


def unconfirmed(task: Task, at: float) -> Task:
    """The task, waiting for a new label, for its text was changed since the last one."""
    wait = Wait(on=WaitFor.RELABEL, reason=EDITED, since=at)
    return replace(task, status=Status.WAITING, wait=wait)


def target_url_of(body: str) -> str:
    """What stands under the issue form's heading "Target URL"; empty without anything."""
    lines = [line.strip() for line in body.splitlines()]
    for number, line in enumerate(lines):
        if line.lower() == "### target url":
            said = next((text for text in lines[number + 1 :] if text), "")
            return "" if said == NO_RESPONSE or said.startswith("#") else said[:MAX_ADDRESS]
    return ""


def priority_of(labels: tuple[str, ...], config: RepoConfig) -> int:
    if config.labels.priority_high.name in labels:
        return HIGH
    return LOW if config.labels.priority_low.name in labels else DEFAULT_PRIORITY


def with_text(task: Task, issue: IssueSnapshot) -> Task:
    """The task with a newer text, which somebody has confirmed."""
    title, feature = readable(issue)
    return replace(task, feature=feature, title=title, text_sha256=text_sha256(feature))


def readable(issue: IssueSnapshot) -> tuple[str, str]:
    """Title and text of an issue as a reader sees them."""
    title = " ".join(visible(issue.title).split()) or f"Issue {issue.number}"
    return title, f"{title}\n\n{visible(issue.body)}".strip()
