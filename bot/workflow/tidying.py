"""Takes away the checkouts that nobody works in any more.

A step removes its own when its claim ends. What a killed process, or a drain between two steps,
has left is found here: a folder is in use while its task runs under the very claim it is named by.
"""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain import Status, Task
from bot.errors import NotFound
from bot.log import get
from bot.tasks.queue import TaskQueue

log = get("workflow")


def folder_name(task: Task) -> str:
    """Names a claim's folder: an earlier claim that still runs somewhere has another one."""
    return f"{task.id}.{task.fence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidier:
    """Looks over the folder of all checkouts."""

    queue: TaskQueue
    folder: Path

    async def tidy(self) -> None:
        """Remove every checkout whose claim has ended."""
        for path in await asyncio.to_thread(_inside, self.folder):
            if not await self._in_use(path.name):
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
                log.info("checkout_removed", folder=path.name)

    async def _in_use(self, name: str) -> bool:
        try:
            task = await self.queue.get(name.partition(".")[0])
        except NotFound:
            return False
        return task.status is Status.RUNNING and folder_name(task) == name


def _inside(folder: Path) -> Sequence[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
