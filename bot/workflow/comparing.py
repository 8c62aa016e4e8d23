"""What one repository looks like beside our tasks: what nobody told us of is made good here.

Deliveries may be lost, all of them; this finds what they would have said. It asks first whether
anything has changed, which GitHub answers for free, and then in small helpings: a repository with
much to make good does not keep the others waiting.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bot.config.repo import RepoConfig
from bot.domain import Outcome, Phase, RepoRef, Task, WaitFor
from bot.events import IssueSnapshot
from bot.github.repo import Repo
from bot.github.types import Issue, LabelEvent, Pull
from bot.log import get
from bot.tasks.queue import TaskQueue
from bot.workflow.deploying import iso
from bot.workflow.ground import Ground, Survey, permission_key, verdict_on
from bot.workflow.merging import pull_key
from bot.workflow.starting import Starter

log = get("workflow")

BUDGET = 60  #: reads of one repository in one round; what is left over comes in the next
MISSED_READS, GROUND_READS, PULL_READS, LABEL_READS = 3, 4, 1, 1
IDLE_EVERY = 4  #: rounds: how often an idle repository is looked at whole
SETTLED_S = 60.0  #: what changed since may not be in GitHub's lists yet


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the last round saw of a repository."""

    label: str = ""
    branches: str = ""  #: what our branches begin with
    issues: tuple[Issue, ...] = ()
    issues_tag: str = ""
    pulls: tuple[Pull, ...] = ()
    pulls_tag: str = ""
    rounds: int = 0
    settled: set[tuple[int, str]] = field(default_factory=set)  #: issues as they were looked into
    fresh: set[int] = field(default_factory=set)  #: issues that were left to their deliveries
    strays: set[str] = field(default_factory=set)  #: branches that were named in the log


@dataclass(slots=True)
class Budget:
    """Reads that are left in this round."""

    left: int = BUDGET

    def take(self, reads: int) -> bool:
        """Whether so many may be made."""
        if reads > self.left:
            return False
        self.left -= reads
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparer:
    """Compares one repository after the other; remembers what it saw until the process ends."""

    queue: TaskQueue
    starter: Starter
    survey: Survey
    repo_of: Callable[[RepoRef], Repo]
    branches: Callable[[RepoRef, str], Awaitable[Sequence[str]]]  #: the hub's, that begin so
    stop: Callable[[str], bool]  #: end a running step of this task
    now: Callable[[], float]
    seen: dict[int, Seen] = field(default_factory=dict)

    async def compare(self, repo: RepoRef) -> float | None:
        """One round. How soon another is wanted, in seconds: at once, where the budget was too
        small for all that there is to start; when what is on its way has come; None: as ever.
        """
        seen, budget = self.seen.setdefault(repo.id, Seen()), Budget()
        live = await self.queue.live_of_repo(repo.id)
        whole = bool(live) or seen.rounds % IDLE_EVERY == 0
        if whole:
            config = await self.starter.config_of(repo)
            seen.label = config.trigger.label
            seen.branches = config.pull.branch.partition("{")[0]
        await self._look_at_issues(repo, seen)
        soon = await self._start_missed(repo, seen, budget)
        if live or (whole and seen.rounds):  # a first look at an idle one is for its issues alone
            await self._look_at_pulls(repo, seen)
            if all(task.facts.branch for task in live):  # else one may be pushed at this moment
                await self._name_strays(repo, seen)
        for task in _from(live, seen.rounds):
            await self._compare_task(task, seen, budget)
        seen.rounds += 1
        return soon

    async def left_behind(self, repo_id: int) -> None:
        """Tasks in a repository that no installation lists: find out what became of it."""
        for task in await self.queue.live_of_repo(repo_id):
            await self._on_its_ground(task, Budget())

    # ── issues without a task ────────────────────────────────────────────────────────────────

    async def _look_at_issues(self, repo: RepoRef, seen: Seen) -> None:
        found = await self.repo_of(repo).labelled(seen.label, etag=seen.issues_tag)
        seen.issues_tag = found.etag
        if found.items is not None:
            seen.issues = found.items
            seen.settled &= {(one.number, one.updated_at) for one in found.items}
            seen.fresh &= {one.number for one in found.items}

    async def _start_missed(self, repo: RepoRef, seen: Seen, budget: Budget) -> float | None:
        """Start what a label has asked for; an issue that has not changed is looked into once
        in IDLE_EVERY rounds, for roles change, too. How soon there is more to do, as `compare`.
        """
        if seen.rounds % IDLE_EVERY == 0:
            seen.settled.clear()
        soon: float | None = None
        for issue in seen.issues:
            known = await self.queue.find(repo.id, issue.number)
            at_work = known is not None and not known.status.ended
            if at_work and not _waits_for_a_label(known):
                continue
            if (issue.number, issue.updated_at) in seen.settled:
                continue
            if self._is_fresh(issue, seen):
                soon = SETTLED_S
                continue
            if not budget.take(MISSED_READS):
                return 0.0
            if await self._start(repo, issue, seen.label, known):
                seen.settled.add((issue.number, issue.updated_at))
        return soon

    def _is_fresh(self, issue: Issue, seen: Seen) -> bool:
        """Whether what has changed it is probably on its way to us; the next round, which is asked
        for then, does not ask again.
        """
        if issue.number in seen.fresh or issue.updated_at < iso(self.now() - SETTLED_S):
            seen.fresh.discard(issue.number)
            return False
        seen.fresh.add(issue.number)
        return True

    async def _start(self, repo: RepoRef, issue: Issue, label: str, known: Task | None) -> bool:
        """Start what the newest label asks for, or confirm the text of a task that waits for it.

        False where the issue's history does not show its label yet.
        """
        newest = await self._newest_label(repo, issue.number, label)
        if newest is None or not newest.added:
            return False
        config: RepoConfig = await self.starter.config_of(repo)
        if newest.actor.is_bot or not await self.starter.may_start(repo, newest.actor, config):
            return True
        edited_at = await self.repo_of(repo).edited_at(issue.number)
        if _waits_for_a_label(known):
            if known is not None and edited_at < newest.at:
                await self.starter.confirm(known, _snapshot(issue), label_event_id=str(newest.id))
            return True
        await self.starter.start(
            repo,
            _snapshot(issue),
            newest.actor,
            config,
            label_event_id=str(newest.id),
            confirmed=edited_at < newest.at,  # both in UTC, as GitHub writes them
        )
        return True

    async def _newest_label(self, repo: RepoRef, issue: int, label: str) -> LabelEvent | None:
        """The last time that the label was put on or taken off."""
        return (await self.repo_of(repo).history(issue)).newest(label)

    # ── tasks whose place has changed ────────────────────────────────────────────────────────

    async def _compare_task(self, task: Task, seen: Seen, budget: Budget) -> None:
        if self.now() - task.created_at < SETTLED_S or not task.issue:
            return
        shut_out = task.wait is not None and task.wait.on is WaitFor.ACCESS
        if shut_out or task.issue not in {one.number for one in seen.issues}:
            if not await self._on_its_ground(task, budget):
                return
            await self._still_labelled(task, seen, budget)
        if task.facts.pull and task.facts.pull not in {one.number for one in seen.pulls}:
            await self._at_its_pull(task, budget)

    async def _on_its_ground(self, task: Task, budget: Budget) -> bool:
        """Whether the task can go on where it works; one that cannot any more is ended."""
        if not budget.take(GROUND_READS):
            return False
        found = await self.survey.look(task)
        await self.queue.repository_is(found.repo)
        verdict = verdict_on(found, task)
        if verdict is not None and verdict.outcome is Outcome.FAIL:
            await self._end(task, verdict.summary)
        elif found.ground is Ground.SOUND and (key := _shut_out_by(task)):
            await self.queue.wake(key)
        return found.ground is Ground.SOUND

    async def _still_labelled(self, task: Task, seen: Seen, budget: Budget) -> None:
        """A task that a label has started ends when somebody takes it off."""
        if task.repo is None or not budget.take(LABEL_READS):
            return
        newest = await self._newest_label(task.repo, task.issue, seen.label)
        if newest is None or newest.added or newest.actor.is_bot:
            return
        if newest.at > iso(task.created_at):
            await self._end(task, f"{newest.actor.login}: label removed")

    async def _at_its_pull(self, task: Task, budget: Budget) -> None:
        """A merge wakes the task, a pull request that was closed ends it."""
        if task.repo is None or task.facts.merge_sha or not budget.take(PULL_READS):
            return
        pull = await self.repo_of(task.repo).pull(task.facts.pull)
        if pull.merged:
            await self.queue.wake(pull_key(task.repo.id, pull.number))
        elif pull.state == "closed" and task.phase is not Phase.E2E_TEST_GENERATION:
            await self._end(task, "pull request closed")

    async def _end(self, task: Task, why: str) -> None:
        log.info("task_ended_by_sweep", task=task.id, why=why)
        await self.queue.cancel(task.id, f"GitHub ({why})")
        self.stop(task.id)

    # ── branches and pull requests without a task ────────────────────────────────────────────

    async def _look_at_pulls(self, repo: RepoRef, seen: Seen) -> None:
        found = await self.repo_of(repo).open_pulls(etag=seen.pulls_tag)
        seen.pulls_tag = found.etag
        if found.items is not None:
            seen.pulls = found.items

    async def _name_strays(self, repo: RepoRef, seen: Seen) -> None:
        """Named once in the log, and left alone: what they hold may be all that is left of it."""
        mine = {one.head_ref: one.number for one in seen.pulls if one.author.is_bot}
        branches = await self.branches(repo, seen.branches)
        for branch in sorted({*branches, *mine} - seen.strays):
            ours = seen.branches and branch.startswith(seen.branches)
            if ours and await self.queue.find_by_branch(repo.id, branch) is None:
                seen.strays.add(branch)
                log.warning(
                    "branch_without_task",
                    repository=repo.full_name,
                    branch=branch,
                    pull=mine.get(branch),
                )


def _from(tasks: list[Task], round_: int) -> list[Task]:
    """The tasks, each round another one first: a budget that is too small reaches all in turn."""
    first = round_ * (BUDGET // GROUND_READS) % max(1, len(tasks))
    return tasks[first:] + tasks[:first]


def _shut_out_by(task: Task) -> str:
    """The key of a wait that a sound place ends; a missing permission cannot be seen from here."""
    wait = task.wait
    if wait is None or wait.on is not WaitFor.ACCESS or task.repo is None:
        return ""
    return wait.key if wait.key != permission_key(task.repo.installation_id) else ""


def _waits_for_a_label(task: Task | None) -> bool:
    return task is not None and task.wait is not None and task.wait.on is WaitFor.RELABEL


def _snapshot(issue: Issue) -> IssueSnapshot:
    return IssueSnapshot(
        number=issue.number,
        title=issue.title,
        body=issue.body,
        author=issue.author,
        labels=issue.labels,
        html_url=issue.html_url,
    )
