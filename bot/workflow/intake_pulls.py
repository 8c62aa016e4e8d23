"""What people, runs and other Apps do on our pull requests, and our checks on everybody else's."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.config.choices import RepoRole
from bot.config.layers import problems_in
from bot.config.problems import Problem
from bot.domain import Cause, Outcome, Phase, RepoRef, Status, Task, WaitFor
from bot.effects import EffectKind
from bot.errors import Transient
from bot.events import (
    CheckButton,
    MergeGroupAsked,
    ProtectionAsked,
    PullChanged,
    Pushed,
    ReviewSubmitted,
    RunEnded,
)
from bot.facts import Thread
from bot.github.repo import Repo
from bot.github.types import Check, ReviewComment
from bot.log import get
from bot.tasks.base import note
from bot.tasks.ledger import Ledger
from bot.tasks.queue import TaskQueue
from bot.workflow.effects import Effects, Remote, place_of
from bot.workflow.flow import bounds_of
from bot.workflow.hidden import visible
from bot.workflow.merging import pull_key
from bot.workflow.repoconfig import MAX_BYTES, PATH, SHARED, SHARED_IN
from bot.workflow.report.checks import (
    E2E,
    GUARDIAN,
    TASK,
    foreign_check,
    group_check,
    left_check,
)
from bot.workflow.report.configuration import CONFIGURATION, configuration_check
from bot.workflow.report.words import counted
from bot.workflow.sent_back import past_the_code, reviewed_again, sent_back
from bot.workflow.starting import Starter

log = get("workflow")

RED = frozenset({"failure", "timed_out", "startup_failure"})
CI_EVENTS = frozenset({"push", "pull_request", "pull_request_target", "merge_group"})
CI_LOG = 6000  #: characters of a failing job's log that reach the coder
MAX_JOBS = 3
OURS = (TASK, GUARDIAN, E2E)
#: A merge group's branch names its pull request, gh-readonly-queue/main/pr-12-<sha of the base>.
_GROUP = re.compile(r"/pr-(\d{1,10})-[0-9a-f]{7,64}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Why work goes back, for the journal."""

    why: str
    cause: Cause
    inbox_id: int | None  #: the delivery that is thereby dealt with
    by: str = ""  #: the person, where it was one


@dataclass(frozen=True, slots=True, kw_only=True)
class PullIntake:
    """Acts on what happens around pull requests."""

    queue: TaskQueue
    ledger: Ledger
    starter: Starter
    repo_of: Callable[[RepoRef], Repo]
    stop: Callable[[str], bool]
    now: Callable[[], float]
    quiet_s: float  #: before an unanswered check is looked up; the delivery is read again then

    # ── the review loop ──────────────────────────────────────────────────────────────────────

    async def reviewed(self, event: ReviewSubmitted, inbox_id: int | None) -> None:
        """A person's remarks go to the coder, if the person may write here; an approval may be what
        GitHub's rules have kept a merge waiting for.
        """
        task = await self.queue.find_by_pull(event.repo.id, event.pull)
        if task is None or not past_the_code(task):
            return
        if event.state == "approved":
            if task.is_parked_for(WaitFor.DECISION):
                await self.queue.wake(pull_key(event.repo.id, event.pull), inbox_id=inbox_id)
            return
        repo = self.repo_of(event.repo)
        if not await self._may_write(repo, event.sender.login):
            return
        comments = await repo.review_comments(event.pull)
        threads = [_thread(c) for c in comments if c.review_id == event.review_id]
        if not threads and event.state != "changes_requested":
            return
        said = visible(event.body)
        by = event.sender.login
        notes = [f"{by} on the pull request: {said}"] if said else []
        why = f"{by} asked for changes" + (f" in {counted(len(threads), 'thread')}" * bool(threads))
        sent = Sent(why=why, cause=Cause.REVIEW, by=by, inbox_id=inbox_id)
        await self._send_back(task, notes, threads, sent)

    async def ci_ended(self, event: RunEnded, inbox_id: int) -> None:
        """The repository's own checks are red on our head: the coder gets their logs."""
        if event.event not in CI_EVENTS or event.conclusion not in RED:
            return
        for task in await self.queue.live_of_repo(event.repo.id):
            if task.facts.head_sha == event.head_sha and past_the_code(task):
                notes = await self._failures(self.repo_of(event.repo), event)
                why = f"The check {event.title or event.workflow!r} is red"
                sent = Sent(why=why, cause=Cause.CI, inbox_id=inbox_id)
                await self._send_back(task, notes, (), sent)

    async def pushed(self, event: Pushed, inbox_id: int) -> None:
        """A person's commits on our branch are kept, tested and reviewed; approvals are void."""
        if event.sender.is_bot or event.after == "0" * 40:
            return
        branch = event.ref.removeprefix("refs/heads/")
        task = await self.queue.find_by_branch(event.repo.id, branch)
        if task is None or not past_the_code(task) or task.facts.head_sha == event.after:
            return
        by = event.sender.login
        why = f"{by} pushed `{event.after[:7]}`"
        sent = Sent(why=why, cause=Cause.CONFLICT, by=by, inbox_id=inbox_id)
        await self._change(task, lambda now: reviewed_again(now, self.now()), sent)

    async def _send_back(
        self, task: Task, notes: Sequence[str], threads: Sequence[Thread], sent: Sent
    ) -> None:
        assert task.repo is not None
        bounds = bounds_of(await self.starter.config_of(task.repo))
        await self._change(
            task,
            lambda now: sent_back(now, notes, threads, bounds, self.now(), sent.cause),
            sent,
        )

    async def _change(self, task: Task, fn: Callable[[Task], Task], sent: Sent) -> None:
        live = frozenset(status for status in Status if not status.ended)
        line = note(task, Outcome.BACK, sent.why, self.now(), cause=sent.cause, by=sent.by)
        changed = await self.queue.change(
            task.id, fn, line=line, inbox_id=sent.inbox_id, expect=live
        )
        if task.status is Status.RUNNING and changed.status is not Status.RUNNING:
            self.stop(task.id)

    async def _failures(self, repo: Repo, event: RunEnded) -> list[str]:
        jobs = [job for job in await repo.jobs(event.run_id) if job.conclusion in RED]
        notes = [f"The check {event.title!r} ({event.workflow}) failed: {event.html_url}"]
        for job in jobs[:MAX_JOBS]:
            text = await repo.job_log(job.id, limit=CI_LOG)
            notes.append(f"{job.name}, steps {', '.join(job.failed_steps)}:\n{text}")
        return notes

    async def _may_write(self, repo: Repo, login: str) -> bool:
        role = await repo.role_of(login)
        return role in set(RepoRole) and RepoRole(role).covers(RepoRole.WRITE)

    # ── environments ─────────────────────────────────────────────────────────────────────────

    async def protection_asked(self, event: ProtectionAsked) -> None:
        """Our gate was passed before a run of ours was dispatched; nobody else's is let through."""
        live = await self.queue.live_of_repo(event.repo.id)
        ours = [task for task in live if event.run_id in await self._runs(task)]
        if not ours and any(_dispatching(task) for task in live):
            raise Transient("a dispatch of ours is under way, and its run may be this one")
        text = (
            f"Dispatched by Chimera for {ours[0].id}, after its gate."
            if ours
            else "Not dispatched by Chimera, whose gate protects this environment."
        )

        async def call() -> Remote:
            await self.repo_of(event.repo).answer_protection(
                event.run_id, environment=event.environment, approved=bool(ours), comment=text
            )
            return Remote(id=str(event.run_id))

        effects = self._effects(f"run-{event.run_id}", event.repo)
        await effects.ensure(EffectKind.PROTECTION_ANSWER, event.environment, {}, call)

    # ── other people's pull requests ─────────────────────────────────────────────────────────

    async def pull_seen(self, event: PullChanged) -> None:
        """A required check of ours must not block a pull request that is not ours."""
        if event.action not in {"opened", "reopened", "synchronize"} or not event.head_sha:
            return
        task = await self.queue.find_by_branch(event.repo.id, event.head_ref)
        if task is None:
            await self._pass(event.repo, event.head_sha, event.base_ref, foreign_check())
            await self._check_configuration(event)
        elif task.status.ended and task.facts.head_sha != event.head_sha:
            if await self._pushed_by(task, event.head_sha):
                return  # nobody has judged it: the step that pushed it was lost before it said so
            if await self._has_our_check(event.repo, event.head_sha):
                return  # a late word of a commit of ours
            await self._pass(event.repo, event.head_sha, event.base_ref, left_check())

    async def _pushed_by(self, task: Task, sha: str) -> bool:
        """Whether the task made this commit: the ledger knows it before the row does."""
        effects = await self.ledger.of_task(task.id)
        return any(one.kind is EffectKind.PUSH and one.key.endswith(f"@{sha}") for one in effects)

    async def _has_our_check(self, repo: RepoRef, sha: str) -> bool:
        hub = self.repo_of(repo)
        return bool(await hub.checks(sha, name=TASK, app_id=hub.github.app_id))

    async def asked_again(self, event: CheckButton) -> None:
        """Somebody wants such a check anew: it is completed anew, so that nothing spins."""
        if event.check_name not in OURS:
            return
        picture = await self._picture_of(event.repo, event.head_ref)

        async def call() -> Remote:
            hub = self.repo_of(event.repo)
            again = _named(picture, event.check_name)
            await hub.update_check(event.check_run_id, again)
            return Remote(id=str(event.check_run_id))

        effects = self._effects(f"commit-{event.repo.id}-{event.head_sha}", event.repo)
        name = f"{event.check_run_id}/again-{self.now():.0f}"
        await effects.ensure(EffectKind.CHECK_UPDATE, name, {}, call)

    async def merge_group(self, event: MergeGroupAsked) -> None:
        """The same in the merge queue, where every required check is asked for again."""
        picture = await self._picture_of(event.repo, event.head_ref)
        await self._pass(event.repo, event.head_sha, event.repo.default_branch, picture)

    async def _picture_of(self, repo: RepoRef, head_ref: str) -> Check:
        """What our checks say on a commit that is no task's own: a merge group's names its pull."""
        named = _GROUP.search(head_ref)
        task = await self.queue.find_by_pull(repo.id, int(named[1])) if named else None
        return group_check(task) if task is not None else foreign_check()

    async def _pass(self, repo: RepoRef, sha: str, base: str, picture: Check) -> None:
        rules = await self.repo_of(repo).rules(base)
        required = set(rules.required_checks) if rules is not None else set()
        for name in OURS:
            if name == TASK or name in required:
                await self._report(repo, sha, name, _named(picture, name))

    async def _check_configuration(self, event: PullChanged) -> None:
        """A chimera.yml that would not work is told on the pull request that brings it."""
        repo, problems, changed = self.repo_of(event.repo), list[Problem](), False
        for path in (PATH, SHARED) if event.repo.name == SHARED_IN else (PATH,):
            new = await repo.file(path, ref=event.head_sha, limit=MAX_BYTES)
            if new is None or new == await repo.file(path, ref=event.base_ref, limit=MAX_BYTES):
                continue
            changed = True
            problems += problems_in(path, new)
        if changed:
            check = configuration_check(problems)
            await self._report(event.repo, event.head_sha, CONFIGURATION, check)

    async def _report(self, repo: RepoRef, sha: str, name: str, check: Check) -> None:
        hub = self.repo_of(repo)

        async def call() -> Remote:
            made = await hub.create_check(name, sha=sha, external_id="", check=check)
            return Remote(id=str(made.id), url=made.url)

        async def look_up(_since: float) -> Remote | None:
            for run in await hub.checks(sha, name=name, app_id=hub.github.app_id):
                return Remote(id=str(run.id), url=run.html_url)
            return None

        effects = self._effects(f"commit-{repo.id}-{sha}", repo)
        await effects.ensure(EffectKind.CHECK, name, {"sha": sha}, call, look_up)

    async def _runs(self, task: Task) -> set[int]:
        """The runs that were dispatched for a task: the ledger knows them before the row does."""
        effects = await self.ledger.of_task(task.id)
        sent = [one for one in effects if one.kind is EffectKind.DISPATCH]
        return {int(one.remote_id) for one in sent if one.remote_id.isdecimal()}

    def _effects(self, owner: str, repo: RepoRef) -> Effects:
        place = place_of(repo)
        return Effects(
            self.ledger, self.now, task_id=owner, fence=None, quiet_s=self.quiet_s, place=place
        )


def _thread(comment: ReviewComment) -> Thread:
    return Thread(
        id=comment.reply_to or comment.id,
        path=comment.path,
        line=comment.line,
        body=visible(comment.body),
        by=comment.author.login,
    )


def _dispatching(task: Task) -> bool:
    """Whether a step is running that may have dispatched what nobody has written down yet."""
    phases = (Phase.STAGING_DEPLOYMENT, Phase.PRODUCTION_DEPLOYMENT)
    return task.status is Status.RUNNING and task.phase in phases


def _named(picture: Check, name: str) -> Check:
    """A completed check of ours by this name, with the words of `chimera / task`."""
    return picture if name == TASK else replace(picture, summary=f"{picture.summary} ({name})")
