"""What makes it right when deliveries are lost: the delivery log, and labels against the store.

A looks at what GitHub failed to deliver and has it sent again. B compares open labelled issues
with tasks, and waiting runs with what has become of them; B alone is enough for correctness.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.errors import ChimeraError
from bot.github.app import App
from bot.log import get
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.workflow.comparing import Comparer

log = get("workflow")

MAX_REDELIVERIES = 3  #: of one delivery
LOOK_BACK = 1000  #: deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """The two sweeps."""

    queue: TaskQueue
    lasting: Lasting
    app: App
    comparer: Comparer
    again: Callable[[float], None]  #: have the second one done once more in so many seconds
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

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
        """B: what GitHub shows of every repository against our tasks; see `comparing`."""
        async with self.one_at_a_time:
            wanted = [soon for soon in await self._compare_all() if soon is not None]
            if wanted:
                self.again(min(wanted))

    async def _compare_all(self) -> list[float | None]:
        """How soon each repository wants another round."""
        covered: set[int] = set()
        wanted: list[float | None] = []
        for installation in await self.app.installations():
            if installation.suspended:
                continue
            for repo in await self.app.repositories(installation.id):
                covered.add(repo.id)
                wanted.append(await self._one(repo.full_name, self.comparer.compare(repo)))
        for repo_id in await self.queue.live_repositories() - covered:
            await self._one(f"repository {repo_id}", self.comparer.left_behind(repo_id))
        return wanted

    async def _one(self, name: str, looking: Awaitable[float | None]) -> float | None:
        """Trouble with one repository does not keep the others waiting."""
        try:
            return await looking
        except ChimeraError as error:
            log.warning("sweep_failed", repository=name, error=str(error))
            return None
