"""What a delivery means: a task starts, wakes or changes; or nothing.

An event may come late, twice, out of order or never, so it only ever says where to look. Who may
do something is asked of GitHub, by role. Bots, ourselves among them, never command.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.domain import Actor, Phase, RepoRef, Status, Task, WaitFor
from bot.events import (
    BlockerRemoved,
    CheckButton,
    CheckSuiteEnded,
    CommentCreated,
    Deployed,
    Event,
    InstallationChanged,
    IssueEdited,
    IssueGone,
    IssueLabeled,
    IssueUnlabeled,
    MergeGroupAsked,
    ProtectionAsked,
    PullChanged,
    Pushed,
    RepositoryChanged,
    ReviewSubmitted,
    RunEnded,
)
from bot.github.app import App
from bot.github.webhook import from_json
from bot.tasks.inbox import InboxRow
from bot.tasks.queue import TaskQueue
from bot.workflow import tracing
from bot.workflow.blocked import closed_key
from bot.workflow.commanding import Commander
from bot.workflow.intake_people import PeopleIntake
from bot.workflow.intake_places import PlaceIntake
from bot.workflow.intake_pulls import PullIntake
from bot.workflow.intake_runs import RunIntake
from bot.workflow.merging import approval_key, pull_key
from bot.workflow.repoconfig import SHARED_IN
from bot.workflow.reviewers import answered_key
from bot.workflow.starting import Starter, priority_of, readable, unconfirmed
from bot.workflow.steering import mended

#: What holds a task up before it begins.
_AT_THE_DOOR = (WaitFor.BLOCKED, WaitFor.DECISION, WaitFor.REVIEWERS, WaitFor.RATE_LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Acts on deliveries, one after the other."""

    queue: TaskQueue
    starter: Starter
    commander: Commander
    people: PeopleIntake
    pulls: PullIntake
    places: PlaceIntake
    runs: RunIntake
    app_of: Callable[[], App]

    async def __call__(self, row: InboxRow) -> None:
        """Act on one delivery. Raises what GitHub or the store raise; the row is tried again."""
        with tracing.delivery(row):
            await self.act(await self._placed(from_json(row.payload_text)), row.id)

    async def _placed(self, event: Event) -> Event:
        """The event in the App's installation, which only the App's own hook names.

        https://docs.github.com/en/webhooks/webhook-events-and-payloads#issues
        """
        if isinstance(event, InstallationChanged) or event.repo.installation_id:
            return event
        found = await self.app_of().installation_of(event.repo)
        return replace(event, repo=replace(event.repo, installation_id=found.id))

    async def act(self, event: Event, inbox_id: int) -> None:
        match event:
            case IssueLabeled():
                await self._labeled(event, inbox_id)
                await self._prioritised(event, inbox_id)
            case IssueUnlabeled():
                await self._unlabeled(event, inbox_id)
                await self._prioritised(event, inbox_id)
            case IssueEdited():
                await self._edited(event, inbox_id)
            case IssueGone():
                await self._gone(event, inbox_id)
            case BlockerRemoved():
                key = closed_key(event.blocker_repository, event.blocker)
                await self.queue.wake(key, inbox_id=inbox_id)
            case CommentCreated() if not event.sender.is_bot:
                await self._answered(event.repo, inbox_id, await self.people.commented(event))
            case ReviewSubmitted() if not event.sender.is_bot:
                became = await self.people.reviewed(event, inbox_id)
                await self._answered(event.repo, inbox_id, became)
            case CheckButton() if not event.sender.is_bot:
                await self._answered(event.repo, inbox_id, await self.people.pressed(event))
            case RunEnded():
                await self.pulls.ci_ended(event, inbox_id)
                await self.runs.ended(event, inbox_id)
            case Deployed():
                await self.runs.deployed(event, inbox_id)
            case CheckSuiteEnded():
                await self.queue.wake(f"ci:{event.head_sha}", inbox_id=inbox_id)
            case PullChanged() if event.action == "unlocked":
                await self.places.pull_unlocked(event, inbox_id)
            case PullChanged():
                await self.pulls.pull_seen(event)
                await self._pull_changed(event, inbox_id)
            case MergeGroupAsked():
                await self.pulls.merge_group(event)
            case ProtectionAsked():
                await self.pulls.protection_asked(event)
            case InstallationChanged():
                await self.places.installation_changed(event, inbox_id)
            case RepositoryChanged():
                await self.places.repository_changed(event, inbox_id)
            case Pushed():
                await self._pushed(event)
                await self.pulls.pushed(event, inbox_id)
            case _:
                return

    async def _answered(self, repo: RepoRef, inbox_id: int, became: str) -> None:
        """Close a delivery with what became of it, once all of it is done."""
        if became:
            await self.queue.wake(answered_key(repo.id))
            await self.queue.inbox_done(inbox_id, became)

    # ── issues ───────────────────────────────────────────────────────────────────────────────

    async def _labeled(self, event: IssueLabeled, inbox_id: int) -> None:
        if event.issue.is_pull or event.sender.is_bot:
            return
        config = await self.starter.config_of(event.repo)
        if event.label != config.trigger.label:
            return
        may_start, asked = await asyncio.gather(
            self.starter.may_start(event.repo, event.sender, config),
            self.starter.asked(event.repo, event.issue, event.label),
        )
        if not may_start or asked is None:
            return
        known = await self.queue.find(event.repo.id, event.issue.number)
        if known is not None and known.is_parked_for(WaitFor.RELABEL):
            await self.starter.confirm(
                known, event.issue, label_event_id=str(asked.id), inbox_id=inbox_id
            )
            return
        await self.starter.start(
            event.repo, event.issue, event.sender, config,
            label_event_id=str(asked.id), inbox_id=inbox_id,
        )  # fmt: skip

    async def _unlabeled(self, event: IssueUnlabeled, inbox_id: int) -> None:
        if event.sender.is_bot:
            return
        config = await self.starter.config_of(event.repo)
        if event.label == config.trigger.label:
            known = await self.queue.find(event.repo.id, event.issue.number)
            if known is None or known.is_parked_for(WaitFor.RELABEL):
                return
            if await self.starter.labelled_since(event.repo, event.issue, event.label):
                return  # a late word of a label that is on again
            await self._cancel(
                event.repo, event.issue.number, event.sender, "label removed", inbox_id
            )

    async def _prioritised(self, event: IssueLabeled | IssueUnlabeled, inbox_id: int) -> None:
        """A priority label that comes or goes says what the priority is from now on."""
        if event.sender.is_bot:
            return
        config = await self.starter.config_of(event.repo)
        if event.label not in {config.labels.priority_high.name, config.labels.priority_low.name}:
            return
        task = await self.queue.find(event.repo.id, event.issue.number)
        if task is None or task.status.ended:
            return
        if await self.starter.may_start(event.repo, event.sender, config):
            priority = priority_of(event.issue.labels, config)
            await self.queue.change(
                task.id, lambda now: replace(now, priority=priority), inbox_id=inbox_id
            )

    async def _edited(self, event: IssueEdited, inbox_id: int) -> None:
        """Text that nobody has confirmed is not worked on: before pickup, an edit parks.

        What the issue itself waits for may be another now, so whoever waits for it looks again.
        """
        await self.queue.wake(closed_key(event.repo.full_name, event.issue.number))
        task = await self.queue.find(event.repo.id, event.issue.number)
        if task is None or not _before_work(task):
            return
        if task.feature == readable(event.issue)[1]:
            return
        at = self.commander.now()
        await self.queue.change(
            task.id,
            lambda now: unconfirmed(now, at) if _before_work(now) else now,
            inbox_id=inbox_id,
            expect={Status.QUEUED, Status.WAITING},
        )

    async def _gone(self, event: IssueGone, inbox_id: int) -> None:
        """The issue ends, and its task with it; a merge of the change may close it, too."""
        await self.queue.wake(closed_key(event.repo.full_name, event.issue.number))
        task = await self.queue.find(event.repo.id, event.issue.number)
        if task is None or task.status.ended:
            return
        in_production = task.phase is Phase.PRODUCTION_DEPLOYMENT
        if event.how != "closed" or not in_production or await self.places.is_closed(task):
            await self._cancel(event.repo, event.issue.number, event.sender, event.how, inbox_id)

    async def _cancel(self, repo: RepoRef, issue: int, by: Actor, how: str, inbox_id: int) -> None:
        task = await self.queue.find(repo.id, issue)
        if task is None or task.status.ended or by.is_bot:
            return
        await self.queue.cancel(task.id, f"{by.login} ({how})", inbox_id=inbox_id)
        self.commander.stop(task.id)
        await self.queue.wake(answered_key(repo.id))

    # ── machines ─────────────────────────────────────────────────────────────────────────────

    async def _pull_changed(self, event: PullChanged, inbox_id: int) -> None:
        if event.action == "closed":
            await self.queue.wake(closed_key(event.repo.full_name, event.pull))
        task = await self.queue.find_by_pull(event.repo.id, event.pull)
        if task is None or task.status.ended:
            return
        if event.action == "closed" and event.merged:
            await self.queue.wake(approval_key(task))
            await self.queue.wake(pull_key(event.repo.id, event.pull), inbox_id=inbox_id)
        elif event.action == "reopened":
            await self.queue.wake(pull_key(event.repo.id, event.pull), inbox_id=inbox_id)
        elif event.action == "closed" and not event.sender.is_bot:
            by = f"{event.sender.login} (pull request closed)"
            await self.queue.cancel(task.id, by, inbox_id=inbox_id)
            self.commander.stop(task.id)
        if event.action == "closed":
            await self.queue.wake(answered_key(event.repo.id))

    async def _pushed(self, event: Pushed) -> None:
        if event.ref == f"refs/heads/{event.repo.default_branch}":
            self.starter.configs.outdated(event.repo)
            for task in await self._configured_by(event.repo):
                if task.is_parked_for(WaitFor.CONFIGURATION):
                    await self.queue.change(task.id, partial(mended, at=self.commander.now()))

    async def _configured_by(self, repo: RepoRef) -> Sequence[Task]:
        """The tasks whose configuration this repository may hold: its own, or all of its owner."""
        if repo.name == SHARED_IN:
            return await self.queue.live_of_installation(repo.installation_id)
        return await self.queue.live_of_repo(repo.id)


def _before_work(task: Task) -> bool:
    """Whether nothing was made yet, so that the text may still become another."""
    if task.status is Status.QUEUED:
        return task.started_at is None
    return any(task.is_parked_for(on) for on in _AT_THE_DOOR) and not task.facts.base_sha
