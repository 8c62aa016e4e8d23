"""A whole house on a hub of this process, without sockets: what `create_app` opens, to be asked."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from bot.agents.cage import Cage, CageKind
from bot.app import House, create_app
from bot.config.settings import Settings
from bot.localhub import manifest
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository

MANIFEST = Path(__file__).parents[1] / "config" / "app-manifest.json"
NO_CAGE = Cage(kind=CageKind.NONE, program=None, toolchains=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The hub, and the settings of whoever lives on it."""

    hub: LocalHub
    owner: Person
    repository: Repository
    installation: int
    settings: Settings

    @contextlib.asynccontextmanager
    async def house(self) -> AsyncIterator[House]:
        """Open the house; its daemon does not run."""
        transport = httpx.ASGITransport(self.hub.asgi)
        async with create_app(self.settings, agents={}, cage=NO_CAGE, transport=transport) as house:
            yield house


def ground_at(folder: Path, **settings: Any) -> Ground:
    """A hub with one repository and the App installed."""
    hub = LocalHub(folder / "hub", act=False)
    owner = hub.add_user("ada")
    repository = hub.create_repository("ada", "site", {"README.md": "A site.\n"})
    shipped = json.loads(MANIFEST.read_text())
    app = manifest.register(
        hub.world,
        hub.world.account("ada"),
        "chimera",
        hook_url="http://bot.test/webhook",
        permissions=shipped["default_permissions"],
        events=shipped["default_events"],
    )
    return Ground(
        hub=hub,
        owner=owner,
        repository=repository,
        installation=hub.install(app.id, "ada", [repository]),
        settings=Settings(
            data_dir=folder / "bot",
            api_url=hub.api_url,
            web_url=hub.base_url,
            app_id=app.id,
            private_key=SecretStr(app.pem),
            webhook_secret=SecretStr(app.webhook_secret),
            default_repository=repository.full_name,
            worker_name="machine",
            **settings,
        ),
    )
