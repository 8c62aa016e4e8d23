"""Takes the pictures of a demo that the pages show: `python -m tests.docs.pictures`.

It plays `chimera demo --keep` as anybody would, and looks at what it names at its end with the
machine's Chromium. A folder may be named; without one they go to `docs/images`.
"""

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, ViewportSize, async_playwright

from tests.docs.blocks import DOCS

WHOLE_S = 600.0  #: for a demo on a busy machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A page of the demo, and how much of it is shown."""

    page: str  #: as the demo's last lines call it
    width: int
    height: int | None = None  #: None: the whole page


PICTURES = {
    "issue": Picture(page="issue", width=1000),
    "pull-request": Picture(page="change", width=1000, height=1530),
    "task": Picture(page="task", width=1200, height=1150),
}


async def main(folder: Path) -> None:
    """Take them all, and say where they are."""
    async with demo() as pages, async_playwright() as driver:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, picture in PICTURES.items():
            file = folder / f"{name}.png"
            await take(browser, pages[picture.page], picture, file)
            print(file)


async def take(browser: Browser, address: str, picture: Picture, file: Path) -> None:
    size = ViewportSize(width=picture.width, height=picture.height or 100)
    page = await browser.new_page(viewport=size, reduced_motion="reduce")
    await page.goto(address)
    await page.screenshot(path=file, full_page=picture.height is None)
    await page.close()


@asynccontextmanager
async def demo() -> AsyncIterator[dict[str, str]]:
    """A demo that has come to its end and stands open: its addresses by their names."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "demo", "--keep", stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(WHOLE_S):
            yield await addresses(running)
    finally:
        if running.returncode is None:
            running.send_signal(signal.SIGINT)
        await running.communicate()


async def addresses(running: asyncio.subprocess.Process) -> dict[str, str]:
    """What the demo names, once its pages stay open."""
    found: dict[str, str] = {}
    assert running.stderr is not None, "it was asked for"
    async for line in running.stderr:
        name, _, rest = line.decode().strip().partition(" ")
        if rest.strip().startswith("http://"):
            found[name] = rest.split()[0]
        if line.startswith(b"The pages stay open"):
            return found
    raise SystemExit("the demo ended before its pages stood open")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if sys.argv[1:] else DOCS / "images"))
