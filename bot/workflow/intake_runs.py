"""What deliveries say of runs is kept, so that the steps that they wake need not ask GitHub."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bot.events import Deployed, RunEnded
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.workflow.deploying import HELD, run_key


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIntake:
    """Acts on what happens to Actions runs, ours and others'."""

    queue: TaskQueue
    lasting: Lasting
    now: Callable[[], float]

    async def ended(self, event: RunEnded, inbox_id: int) -> None:
        """Wakes whoever waits for this run, and has its conclusion at hand."""
        key = run_key(event.repo.id, event.run_id)
        # Begun in this order they are done in this order, and wait for the disk only once.
        await asyncio.gather(
            self.lasting.add(key, conclusion=event.conclusion),
            self.queue.wake(key, inbox_id=inbox_id),
        )

    async def deployed(self, event: Deployed, inbox_id: int) -> None:
        """Where the deployment is to be found; that a rule holds it up, and that it is let go."""
        if not event.run_id:
            return
        key = run_key(event.repo.id, event.run_id)
        known, held = await self.lasting.said(key), event.state == HELD
        said = {"url": event.environment_url} if event.environment_url else {}
        if held:
            said["held_at"] = str(self.now())
        elif known.get("held_at"):
            said |= {"held_at": "", "let_go_at": str(self.now())}
        if said:
            await self.lasting.add(key, **said)
        if "held_at" in said:
            await self.queue.wake(key, inbox_id=inbox_id)
