"""One Chromium for all tests of the dashboard, and for each test a house of its own behind it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.web.house import House
from tests.web.serving import serving

DEADLINE_MS = 20_000.0
PHONE = {"width": 390, "height": 844}
NARROW = {"width": 320, "height": 568}
#: Chromium's own advice about forms; nothing that a page of ours says.
ADVICE = "[DOM] Password forms should have"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A served house and a browser in front of it."""

    house: House
    chromium: Any
    base: str
    pictures: Path | None  #: where screenshots go

    @asynccontextmanager
    async def tab(self, *, may_say: str = ADVICE, **context: Any) -> AsyncIterator[Any]:
        """A tab of a new profile; what its console says, and any dialog, fails the test."""
        said: list[str] = []
        profile = await self.chromium.new_context(
            base_url=self.base, reduced_motion="reduce", **context
        )
        page = await profile.new_page()
        page.set_default_timeout(DEADLINE_MS)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        try:
            yield page
        finally:
            await profile.close()
        assert [text for text in said if may_say not in text and ADVICE not in text] == []

    @asynccontextmanager
    async def elsewhere(self, base: str = "") -> AsyncIterator[str]:
        """The same house behind another server, which can be stopped; its address."""
        port = int(base.rpartition(":")[2]) if base else 0
        async with serving(self.house, port=port) as port:
            yield f"http://127.0.0.1:{port}"

    async def picture(self, page: Any, name: str) -> None:
        """Keep what the page looks like now, where somebody wants to see it."""
        if self.pictures is not None:
            await page.screenshot(path=self.pictures / f"{name}.png", full_page=True)


@asynccontextmanager
async def staged(house: House, chromium: Any) -> AsyncIterator[Stage]:
    """The stage; screenshots go to the folder that SCREENSHOTS names."""
    named = os.environ.get("SCREENSHOTS")
    pictures = Path(named) if named else None
    async with serving(house) as port:
        base = f"http://127.0.0.1:{port}"
        yield Stage(house=house, chromium=chromium, base=base, pictures=pictures)
