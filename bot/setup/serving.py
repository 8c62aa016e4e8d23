"""Runs the wizard on loopback until the person is done, or the time is over."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass

from bot.config.settings import Settings
from bot.door import serving
from bot.setup.entrance import Entrance
from bot.setup.wizard import make_wizard
from bot.setup.work import Work
from bot.tooling import github_of

LIFE_S = 3600.0  #: GitHub's code is good for an hour, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was reached when the wizard ended."""

    finished: bool  #: the person said so; else the time was over
    app_id: int | None


async def run_wizard(
    settings: Settings, tell: Callable[[str], None], *, port: int = 0, life_s: float = LIFE_S
) -> Outcome:
    """Serve until it is finished; `tell` is given the address to open. Raises OSError."""
    async with contextlib.AsyncExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", port)))
        entrance = Entrance(f"127.0.0.1:{listener.getsockname()[1]}")
        work = Work(settings=settings, entrance=entrance, closing=stack)
        if (known := github_of(settings)) is not None:
            await work.connect(known, settings.hub_url)
        async with serving(make_wizard(work), listener):
            tell(entrance.address)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(life_s):
                    await work.finished.wait()
        app_id = work.github.app_id if work.github is not None else None
        return Outcome(finished=work.finished.is_set(), app_id=app_id)
