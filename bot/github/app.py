"""What we ask as the App itself: who it is, where it is installed, what was delivered.

https://docs.github.com/en/rest/apps
"""

from urllib.parse import quote

from bot.domain import Actor, RepoRef
from bot.github import names
from bot.github.app_types import Allowance, AppInfo, HookConfig, HookDelivery, Installation
from bot.github.calls import object_in
from bot.github.client import GitHub
from bot.github.fields import Fields
from bot.github.readers import actor_of, repo_from


class App:
    """The App's own calls, for the doctor and the reconcilers. Raises as `GitHub.call` does."""

    def __init__(self, github: GitHub) -> None:
        self.github = github

    async def info(self) -> AppInfo:
        given = object_in(await self.github.get("/app", installation_id=0))
        return AppInfo(
            id=given.number("id"),
            slug=given.text("slug"),
            name=given.text("name"),
            html_url=given.text("html_url"),
            owner=given["owner"].text("login"),
            of_organisation=given["owner"].text("type") == "Organization",
            permissions=_permissions(given),
            events=given.texts("events"),
        )

    async def account(self, installation_id: int) -> Actor:
        """The account in whose name GitHub shows what the App does."""
        login = f"{(await self.info()).slug}[bot]"
        path = f"/users/{quote(names.login(login))}"
        return actor_of(object_in(await self.github.get(path, installation_id=installation_id)))

    async def installations(self) -> list[Installation]:
        pages = self.github.pages("/app/installations", installation_id=0)
        return [_installation(one) async for page in pages for one in Fields(page.json()).each()]

    async def installation(self, installation_id: int) -> Installation:
        """Raises Refused with 404 for one that was taken away."""
        path = f"/app/installations/{names.number(installation_id)}"
        return _installation(object_in(await self.github.get(path, installation_id=0)))

    async def installation_of(self, repo: RepoRef) -> Installation:
        """Where the App is installed for a repository. Raises Refused with 404 where it is not."""
        path = f"/repos/{names.owner(repo.owner)}/{names.repo_name(repo.name)}/installation"
        return _installation(object_in(await self.github.get(path, installation_id=0)))

    async def repositories(self, installation_id: int) -> list[RepoRef]:
        """The repositories that an installation lets us work in."""
        pages = self.github.pages("/installation/repositories", installation_id=installation_id)
        found = [
            repo_from(one, installation_id=installation_id)
            async for page in pages
            for one in Fields(page.json()).items("repositories")
        ]
        return [repo for repo in found if repo is not None]

    async def allowance(self, installation_id: int) -> Allowance:
        """What an installation may still ask this hour; to ask this costs nothing.

        https://docs.github.com/en/rest/rate-limit/rate-limit
        """
        given = object_in(await self.github.get("/rate_limit", installation_id=installation_id))
        core = given["resources"]["core"]
        return Allowance(
            limit=core.number("limit"),
            remaining=core.number("remaining"),
            resets_at=core.number("reset"),
        )

    async def deliveries(self, *, limit: int = 1_000) -> list[HookDelivery]:
        """The delivery log, newest first; it reaches back three days."""
        found: list[HookDelivery] = []
        async for page in self.github.pages("/app/hook/deliveries", installation_id=0):
            found += [_delivery(one) for one in Fields(page.json()).each()]
            if len(found) >= limit:
                break
        return found[:limit]

    async def redeliver(self, delivery_id: int) -> None:
        path = f"/app/hook/deliveries/{names.number(delivery_id)}/attempts"
        await self.github.call("POST", path, installation_id=0)

    async def hook(self) -> HookConfig:
        """Where deliveries go; GitHub shows a secret as asterisks."""
        given = object_in(await self.github.get("/app/hook/config", installation_id=0))
        return HookConfig(
            url=given.text("url"),
            content_type=given.text("content_type"),
            insecure_ssl=str(given.raw.get("insecure_ssl")) == "1",
            has_secret=bool(given.text("secret")),
        )


def _permissions(given: Fields) -> tuple[tuple[str, str], ...]:
    held = given["permissions"]
    return tuple(sorted((name, held.text(name)) for name in held.raw)) if held else ()


def _installation(given: Fields) -> Installation:
    return Installation(
        id=given.number("id"),
        account=given["account"].text("login"),
        suspended=given.has("suspended_at"),
        permissions=_permissions(given),
        events=given.texts("events"),
    )


def _delivery(given: Fields) -> HookDelivery:
    return HookDelivery(
        id=given.number("id"),
        guid=given.text("guid"),
        event=given.text("event"),
        action=given.text("action"),
        status_code=given.number("status_code"),
        redelivery=given.flag("redelivery"),
        delivered_at=given.text("delivered_at"),
        installation_id=given.number("installation_id"),
        repository_id=given.number("repository_id"),
    )
