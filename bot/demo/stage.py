"""A stage for a play on real parts: a hub, a repository on it, the App, and the bot, connected.

The App is registered through the manifest conversion and installed, as anyone would do it; the bot
is the one that `chimera serve` runs. The demo and the story tests use the same stage.
"""

import asyncio
import contextlib
import json
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from pydantic import SecretStr

from bot.agents.agent import Agent
from bot.agents.cage import Cage
from bot.app import House, create_app
from bot.config.settings import Settings
from bot.domain import Role
from bot.door import serving
from bot.github.app_types import NewApp
from bot.github.manifest import convert
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from bot.setup.registration import manifest_of
from bot.setup.wish import Permit
from bot.web.sign_in import CALLBACK

_TICKET = re.compile(r'name="ticket" value="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that a play needs at hand."""

    hub: LocalHub
    owner: Person
    repository: Repository
    app: NewApp
    settings: Settings
    house: House
    bot_url: str


@contextlib.asynccontextmanager
async def hub_with(
    folder: Path, files: Mapping[str, str | bytes], variables: Mapping[str, str], owner: str
) -> AsyncIterator[tuple[LocalHub, Person, Repository]]:
    """A served hub with one person and one repository."""
    hub = LocalHub(folder / "hub")
    async with hub.serve():
        person = hub.add_user(owner)
        repository = await asyncio.to_thread(
            hub.create_repository, owner, "shop", files, variables=variables
        )
        yield hub, person, repository


@contextlib.asynccontextmanager
async def bot_on(
    hub: LocalHub,
    person: Person,
    repository: Repository,
    folder: Path,
    agents: Mapping[Role, Agent] | None,
    *,
    cage: Cage | None = None,
    adjust: Callable[[Settings], Settings] = lambda settings: settings,
) -> AsyncIterator[Stage]:
    """The bot, registered, installed and running until the block ends.

    `agents` None: those that the settings name.
    """
    with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:
        bot_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = await register(hub, f"{bot_url}/webhook")
        settings = adjust(_settings(hub, app, folder, bot_url, repository))
        async with (
            create_app(settings, agents=agents, cage=cage) as house,
            serving(house.web, listener),
        ):
            running = asyncio.create_task(house.daemon.run())
            hub.install(app.id, person.login, [repository])
            try:
                yield Stage(
                    hub=hub,
                    owner=person,
                    repository=repository,
                    app=app,
                    settings=settings,
                    house=house,
                    bot_url=bot_url,
                )
            finally:
                house.daemon.stop()
                await running


async def register(hub: LocalHub, hook_url: str) -> NewApp:
    """An App by GitHub's manifest flow: form, Create, code, conversion."""
    manifest = manifest_of(Permit.STANDARD)
    manifest["hook_attributes"] = {"url": hook_url, "active": True}
    manifest["callback_urls"] = [urljoin(hook_url, CALLBACK)]
    manifest["redirect_url"] = f"{hub.base_url}/set-up-done"
    state = secrets.token_urlsafe(16)
    async with httpx.AsyncClient(base_url=hub.base_url, trust_env=False) as browser:
        page = await browser.post(
            "/settings/apps/new", params={"state": state}, data={"manifest": json.dumps(manifest)}
        )
        ticket = _TICKET.search(page.raise_for_status().text)
        assert ticket is not None, "the hub's page has a form with a ticket"
        done = await browser.post(
            "/settings/apps/create", data={"ticket": ticket[1], "name": "chimera"}
        )
    query = parse_qs(urlsplit(done.headers["location"]).query)
    assert query["state"] == [state], "the state comes back as it was sent"
    return await convert(query["code"][0], now=hub.world.now(), api_url=hub.api_url)


def _settings(
    hub: LocalHub, app: NewApp, folder: Path, bot_url: str, repository: Repository
) -> Settings:
    return Settings(
        data_dir=folder / "bot",
        public_url=bot_url,
        api_url=hub.api_url,
        web_url=hub.base_url,
        app_id=app.id,
        private_key=SecretStr(app.pem),
        client_id=app.client_id,
        client_secret=SecretStr(app.client_secret),
        webhook_secret=SecretStr(app.webhook_secret),
        default_repository=repository.full_name,
        write_spacing_s=0.0,
        quiet_s=1.0,
        worker_name="demo",
        grace_s=5.0,
    )
