"""A hub with one repository, and the wizard on its own socket, with a browser in front of it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from bot.config.environment import load_settings
from bot.config.settings import Settings
from bot.localhub.calls import Exchange
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from bot.setup.serving import Outcome, run_wizard
from tests.conformance.checker import Conformance

TICKET = re.compile(r'name="ticket" value="([^"]+)"')
ACTION = re.compile(r'id="to-github" method="post" action="([^"]+)"')
MANIFEST = re.compile(r'name="manifest" value="([^"]+)"')
FORM_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
DEADLINE_S = 20.0


@dataclass
class Stand:
    """What a test of the set-up wants at hand."""

    hub: LocalHub
    olga: Person
    shop: Repository
    root: Path
    strays: list[str] = field(default_factory=list)  #: requests that GitHub does not describe

    @property
    def data_dir(self) -> Path:
        return self.root / "data"

    def settings(self, **more: Any) -> Settings:
        """As the commands load them: only the data directory and the tests' pace are told."""
        environ = {"CHIMERA_DATA_DIR": str(self.data_dir), "CHIMERA_WRITE_SPACING_S": "0"}
        return load_settings(environ, overrides=more)

    def check(self, exchange: Exchange) -> None:
        if exchange.kind == "api" and exchange.actor != "olga":
            self.strays += Conformance.load().request(
                exchange.method, exchange.path, exchange.query, exchange.body
            )


@asynccontextmanager
async def standing(root: Path) -> AsyncIterator[Stand]:
    """A served hub: the organisation acme, its repository shop, and Olga."""
    hub = LocalHub(root / "hub")
    hub.add_organization("acme")
    olga = hub.add_user("olga")
    shop = await asyncio.to_thread(hub.create_repository, "acme", "shop", {"README.md": "# Shop\n"})
    hub.set_role(shop, "olga", "admin")
    stand = Stand(hub=hub, olga=olga, shop=shop, root=root)
    hub.on_exchange = stand.check
    async with hub.serve():
        yield stand
    assert stand.strays == []


@dataclass
class Wizard:
    """A wizard's address and somebody who uses it."""

    address: str  #: what was printed
    browser: httpx.AsyncClient

    @property
    def base(self) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    async def enter(self) -> httpx.Response:
        return await self.browser.get(self.address)

    async def to_github(self, shown: httpx.Response, name: str = "chimera-acme") -> httpx.Response:
        """What a browser does with the page that leads to GitHub: Go on, then Create.

        The answer is where the browser is sent back to, not followed.
        """
        action, manifest = ACTION.search(shown.text), MANIFEST.search(shown.text)
        assert action is not None, shown.text
        assert manifest is not None
        target = unescape(action[1])
        page = await self.browser.post(target, data={"manifest": unescape(manifest[1])})
        ticket = TICKET.search(page.text)
        assert ticket is not None, page.text
        create = urljoin(target, "/settings/apps/create")
        form = {"ticket": ticket[1], "name": name}
        return await self.browser.post(create, data=form, follow_redirects=False)

    async def make_app(self, hub: str, **form: str) -> httpx.Response:
        """The whole first step; the page after it."""
        wish = {"hub": hub, "organisation": "acme", "name": "chimera-acme", **form}
        back = await self.to_github(await self.submit("/register", **wish))
        return await self.browser.get(back.headers["location"])

    async def submit(self, path: str, **form: str) -> httpx.Response:
        """A form of the page that is shown at `/`, sent to `path`."""
        shown = FORM_TOKEN.search((await self.browser.get(f"{self.base}/")).text)
        token = shown[1] if shown is not None else ""
        return await self.browser.post(f"{self.base}{path}", data={"form_token": token, **form})


@dataclass
class RunningWizard(Wizard):
    """One that runs in this process."""

    running: "asyncio.Task[Outcome]"


@asynccontextmanager
async def wizard_on(settings: Settings, *, life_s: float = 60) -> AsyncIterator[RunningWizard]:
    """The wizard, until the block ends."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_wizard(settings, told.set_result, life_s=life_s))
    try:
        async with asyncio.timeout(DEADLINE_S):
            both: set[asyncio.Future[Any]] = {told, running}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        browser = httpx.AsyncClient(follow_redirects=True, trust_env=False, timeout=DEADLINE_S)
        async with browser:
            yield RunningWizard(address=told.result(), browser=browser, running=running)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
