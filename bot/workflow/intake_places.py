"""What becomes of tasks where somebody moves, opens or closes the place that they work in.

What is closed for a time needs nothing here: the task's next call finds out (`ground`), and what
opens the place again wakes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain import Task
from bot.events import InstallationChanged, PullChanged, RepositoryChanged
from bot.log import get
from bot.tasks.queue import TaskQueue
from bot.workflow.ground import (
    Ground,
    Survey,
    installation_key,
    permission_key,
    repository_key,
    unlocked_key,
)

log = get("workflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceIntake:
    """Acts on what happens to installations and repositories."""

    queue: TaskQueue
    survey: Survey
    stop: Callable[[str], bool]  #: end a running step of this task
    look_over: Callable[[], None]  #: have the labels compared soon, for nobody told us of them

    async def installation_changed(self, event: InstallationChanged, inbox_id: int) -> None:
        by = event.sender.login
        match event.action:
            case "deleted":
                live = await self.queue.live_of_installation(event.installation_id)
                await self._end(live, f"{by} (App uninstalled)")
            case "removed":
                for repo in event.repos:
                    live = await self.queue.live_of_repo(repo.id)
                    await self._end(live, f"{by} (App removed from {repo.full_name})")
            case "new_permissions_accepted":
                key = permission_key(event.installation_id)
                await self.queue.wake(key, inbox_id=inbox_id)
            case "created":  # under a new number, for which nobody can have waited
                self.look_over()
            case "added" | "unsuspend":
                self.look_over()
                key = installation_key(event.installation_id)
                await self.queue.wake(key, inbox_id=inbox_id)
            case _:
                return

    async def repository_changed(self, event: RepositoryChanged, inbox_id: int) -> None:
        match event.action:
            case "renamed":
                await self.queue.repository_is(event.repo)
            case "transferred":
                await self._transferred(event)
            case "unarchived":
                await self.queue.wake(repository_key(event.repo.id), inbox_id=inbox_id)
            case "deleted":
                live = await self.queue.live_of_repo(event.repo.id)
                await self._end(live, f"{event.sender.login} (repository deleted)")
            case _:
                return

    async def pull_unlocked(self, event: PullChanged, inbox_id: int) -> None:
        await self.queue.wake(unlocked_key(event.repo.id, event.pull), inbox_id=inbox_id)

    async def is_closed(self, task: Task) -> bool:
        """Whether a closed issue ends the task: not where the merge of the change has closed it."""
        return (await self.survey.look(task)).ground is not Ground.SOUND

    async def _transferred(self, event: RepositoryChanged) -> None:
        """To somebody who has the App, or out of its reach: GitHub knows."""
        live = await self.queue.live_of_repo(event.repo.id)
        if not live:
            return
        found = await self.survey.look(live[0])
        if found.ground is Ground.OUT:
            await self._end(live, f"{event.sender.login} (repository transferred)")
        else:
            await self.queue.repository_is(found.repo)

    async def _end(self, tasks: Sequence[Task], by: str) -> None:
        for task in tasks:
            log.info("place_left", task=task.id, by=by)
            await self.queue.cancel(task.id, by)
            self.stop(task.id)
