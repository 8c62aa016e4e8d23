"""What makes it right when deliveries are lost: the delivery log, and labels against the store.

A looks at what GitHub failed to deliver and has it sent again. B compares open labelled issues
with tasks, and waiting runs with what has become of them; B alone is enough for correctness.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain import IssueSnapshot, RepoRef
from bot.errors import StepError
from bot.github.app import App
from bot.github.repo import Repo
from bot.github.types import Issue
from bot.log import get
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.workflow.starting import Starter

log = get("workflow")

MAX_REDELIVERIES = 3  #: of one delivery
LOOK_BACK = 1000  #: deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """The two sweeps. Trouble with one repository does not keep the others waiting."""

    queue: TaskQueue
    lasting: Lasting
    starter: Starter
    app: App
    repo_of: Callable[[RepoRef], Repo]

    async def redeliver(self) -> list[str]:
        """A: have GitHub send again what it could not deliver, at most three times each.

        The GUIDs of those that it was asked for now.
        """
        seen: set[str] = set()
        asked: list[str] = []
        for delivery in await self.app.deliveries(limit=LOOK_BACK):
            if delivery.guid in seen:
                continue  # newest first: an older attempt of one that has been looked at
            seen.add(delivery.guid)
            if 200 <= delivery.status_code < 300 or await self.queue.known(delivery.guid):
                continue
            key = f"redelivered:{delivery.guid}"
            tries = int(await self.lasting.value(key) or 0)
            if tries < MAX_REDELIVERIES:
                await self.lasting.put(key, str(tries + 1))
                await self.app.redeliver(delivery.id)
                asked.append(delivery.guid)
                log.info("delivery_asked_again", delivery=delivery.guid, tries=tries + 1)
        return asked

    async def compare(self) -> None:
        """B: every labelled open issue has its task."""
        for installation in await self.app.installations():
            if installation.suspended:
                continue
            for repo in await self.app.repositories(installation.id):
                try:
                    await self._compare(repo)
                except StepError as error:
                    log.warning("sweep_failed", repository=repo.full_name, error=str(error))

    async def _compare(self, repo: RepoRef) -> None:
        config = await self.starter.config_of(repo)
        label = config.trigger.label
        for issue in await self.repo_of(repo).issues(labels=[label], state="open"):
            if issue.is_pull:
                continue
            known = await self.queue.find(repo.id, issue.number)
            if known is not None and not known.status.ended:
                continue
            await self._start_missed(repo, issue, label)

    async def _start_missed(self, repo: RepoRef, issue: Issue, label: str) -> None:
        events = [
            event
            for event in await self.repo_of(repo).label_events(issue.number)
            if event.added and event.label == label
        ]
        newest = max(events, key=lambda event: event.id, default=None)
        if newest is None or newest.actor.is_bot:
            return
        config = await self.starter.config_of(repo)
        if not await self.starter.may_start(repo, newest.actor, config):
            return
        await self.starter.start(
            repo, _snapshot(issue), newest.actor, config, label_event_id=str(newest.id)
        )


def _snapshot(issue: Issue) -> IssueSnapshot:
    return IssueSnapshot(
        number=issue.number,
        title=issue.title,
        body=issue.body,
        author=issue.author,
        labels=issue.labels,
        html_url=issue.html_url,
    )
