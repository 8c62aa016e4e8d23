"""A hub with people in it, and the house as their App: two repositories, one of them private."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from bot.config.repo import RepoConfig
from bot.domain import RepoRef, Task
from bot.github.client import GitHub
from bot.github.memory import Memory
from bot.github.oauth import OAuth
from bot.github.repo import Repo
from bot.localhub.hub import LocalHub
from bot.localhub.state import Repository
from bot.localhub.state_apps import App
from bot.web.people import HubPeople
from bot.web.sign_in import CALLBACK
from tests.web.house import START, House

PUBLIC_URL = "http://127.0.0.1:8000"  #: by which the client of `House.client` knows the house
OWNER = "acme"


@dataclass
class Town:
    """What a test wants at hand."""

    house: House
    hub: LocalHub
    app: App
    shop: RepoRef  #: everybody may read it
    vault: RepoRef  #: private
    repositories: dict[str, Repository]
    people: HubPeople

    async def tasks(self) -> tuple[Task, Task]:
        """A task in each repository."""
        return (
            await self.house.add("Of the shop", repo=self.shop, issue=1),
            await self.house.add("Of the vault", repo=self.vault, issue=1),
        )

    def person(self, login: str, **roles: str) -> str:
        """Somebody with these roles; their login."""
        self.hub.add_user(login)
        for repository, role in roles.items():
            self.hub.set_role(self.repositories[repository], login, role)
        return login


@asynccontextmanager
async def living(house: House, root: Path, public_url: str = PUBLIC_URL) -> AsyncIterator[Town]:
    """The house with the hub's people."""

    def now() -> float:
        """The hub's clock and ours go together."""
        return time.time() + house.clock.at - START

    hub = LocalHub(root / "hub", now=now)
    hub.add_organization(OWNER)
    made = {
        name: hub.create_repository(OWNER, name, {"README.md": "#"}, private=name == "vault")
        for name in ("shop", "vault")
    }
    app = hub.register_app(
        OWNER,
        "chimera",
        permissions={"metadata": "read"},
        events=[],
        callback_urls=[f"{public_url}{CALLBACK}"],
    )
    installation = hub.install(app.id, OWNER)
    refs = {
        name: RepoRef(id=one.id, owner=OWNER, name=name, installation_id=installation)
        for name, one in made.items()
    }
    async with (
        hub.serve(),
        GitHub(app_id=app.id, private_key=app.pem, api_url=hub.api_url, now=now) as github,
    ):
        oauth = OAuth(
            client_id=app.client_id,
            client_secret=app.client_secret,
            web_url=hub.base_url,
            redirect_uri=f"{public_url}{CALLBACK}",
            api_url=hub.api_url,
        )

        async def config_of(_repo: RepoRef) -> RepoConfig:
            return RepoConfig()

        people = HubPeople(
            queue=house.queue,
            repo_of=lambda ref: Repo(github, ref),
            config_of=config_of,
            now=house.clock,
            memory=Memory(now=house.clock),
            oauth=oauth,
            admins=frozenset({"root"}),
        )
        house.people = people
        house.settings = replace(house.settings, public_url=public_url, token_required=True)
        yield Town(
            house=house,
            hub=hub,
            app=app,
            shop=refs["shop"],
            vault=refs["vault"],
            repositories=made,
            people=people,
        )


async def signed_in(town: Town, client: httpx.AsyncClient, login: str) -> httpx.Response:
    """The whole way of a browser through GitHub's page and back; the answer of the callback."""
    away = await client.get("/sign-in/github", params={"next": "/dead"})
    assert away.status_code == 303, away.text
    return await back_from_github(town, client, away, login)


async def back_from_github(
    town: Town, client: httpx.AsyncClient, away: httpx.Response, login: str
) -> httpx.Response:
    """What the callback answers to whom GitHub's page sends back; without a login they cancel."""
    async with httpx.AsyncClient(trust_env=False) as elsewhere:
        page = await elsewhere.get(away.headers["location"])
        ticket = page.text.partition('name="ticket" value="')[2].partition('"')[0]
        back = await elsewhere.post(
            f"{town.hub.base_url}/login/oauth/authorize", data={"ticket": ticket, "login": login}
        )
    return await client.get(back.headers["location"])
