"""What the wizard's pages have in common while it runs."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from bot.config.settings import Settings
from bot.github.client import GitHub
from bot.setup.entrance import Entrance
from bot.setup.gifts import Given


@dataclass(slots=True, kw_only=True)
class Work:
    """How far the person has come. `closing` ends the connection to GitHub."""

    settings: Settings
    entrance: Entrance
    closing: contextlib.AsyncExitStack
    github: GitHub | None = None  #: once there is an App
    hub: str = ""  #: GitHub's pages
    gifts: dict[str, Given] = field(default_factory=dict)  #: by repository
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self, github: GitHub, hub: str) -> None:
        """From now on there is an App to speak as."""
        self.github = await self.closing.enter_async_context(github)
        self.hub = hub
