"""One life of the bot's process: how it is killed, frozen and let go on.

Every asyncio task remembers in which boot it was started, so that killing a boot ends exactly what
a killed process would have ended. What reaches the store, the hub or an agent asks `alive()`.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

_BOOT: contextvars.ContextVar["Boot | None"] = contextvars.ContextVar("boot", default=None)
ROUNDS = 50  #: of cancelling, for a coroutine that cleans up behind itself


@dataclass(slots=True, eq=False)
class Boot:
    """A process that runs, is frozen (its clock goes on), or is dead."""

    number: int
    name: str = "simulated"  #: of its machine; what an earlier boot of it held is its own again
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    going: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set["asyncio.Task[Any]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.going.set()

    async def alive(self) -> None:
        """Return while the process runs; wait while it is frozen; end with it."""
        while not self.dead.is_set() and not self.going.is_set():
            await self.going.wait()
        if self.dead.is_set():
            raise asyncio.CancelledError

    async def never(self) -> None:
        """Wait for the end of this process."""
        await self.dead.wait()
        raise asyncio.CancelledError

    def run(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Start something as part of this process."""
        context = contextvars.copy_context()
        context.run(_BOOT.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def kill(self) -> None:
        """SIGKILL: nothing of this process runs any more when this returns."""
        self.dead.set()
        self.going.set()
        for _ in range(ROUNDS):
            left = [task for task in self.tasks if not task.done()]
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=0)
        raise AssertionError(f"these tasks survived a kill: {[t.get_name() for t in left]}")


def outside(work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """Start something that belongs to no boot: the hub's side of a call."""
    return asyncio.get_running_loop().create_task(work, context=contextvars.Context())


def remember_boots(loop: asyncio.AbstractEventLoop) -> None:
    """Have the loop write down to which boot each new task belongs."""

    def factory(
        loop: asyncio.AbstractEventLoop, work: Any, context: contextvars.Context | None = None
    ) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
        get: Callable[..., Boot | None] = _BOOT.get
        boot = context.run(get) if context is not None else get()
        if boot is not None:
            boot.tasks.add(task)
            task.add_done_callback(boot.tasks.discard)
        return task

    loop.set_task_factory(factory)
