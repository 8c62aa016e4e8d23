"""Registering Apps: directly, and by the manifest flow that a browser goes through.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.localhub import shapes_apps
from bot.localhub.auth import new_key
from bot.localhub.errors import Refused, invalid
from bot.localhub.pages import Pages
from bot.localhub.state_apps import Account, App
from bot.localhub.types import Json
from bot.localhub.world import World

CODE_LIFE_S = 3600


def register(
    world: World,
    owner: Account,
    name: str,
    *,
    hook_url: str = "",
    hook_secret: str | None = None,
    permissions: Mapping[str, str],
    events: Sequence[str],
    external_url: str = "",
    description: str = "",
    callback_urls: Sequence[str] = (),
    app_id: int | None = None,
    with_key: bool = True,
) -> App:
    """A new App with a key, secrets and a bot user. Raises 422 where the name is taken."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if any(app.slug == slug for app in world.apps.values()):
        raise invalid("Integration", "name", "already_exists", "Name is already taken")
    pem, public = new_key() if with_key else ("", "")
    bot = Account(id=world.new_id(), login=f"{slug}[bot]", kind="Bot", created_at=world.now())
    world.accounts[bot.login.lower()] = bot
    app = App(
        id=app_id or world.new_id(),
        slug=slug,
        name=name,
        owner=owner,
        bot=bot,
        client_id=f"Iv23li{secrets.token_hex(7)}",
        client_secret=secrets.token_hex(20),
        webhook_secret=hook_secret if hook_secret is not None else secrets.token_hex(20),
        hook_url=hook_url,
        hook_active=bool(hook_url),
        pem=pem,
        public_key=public,
        permissions={"metadata": "read"} | dict(permissions),
        events=list(events),
        external_url=external_url,
        description=description,
        created_at=world.now(),
        callback_urls=list(callback_urls),
    )
    world.apps[app.id] = app
    if app.hook_active:
        world.deliver(app, "ping", shapes_apps.ping(world, app))
    return app


class ManifestFlow:
    """The two pages between a manifest and its code."""

    def __init__(self, world: World, pages: Pages) -> None:
        self.world = world
        self.pages = pages
        self._drafts: dict[str, tuple[Json, str, str]] = {}

    async def new(self, request: Request) -> Response:
        """``POST .../settings/apps/new?state=...`` with the form field ``manifest``."""
        form = await _form(request)
        try:
            manifest = json.loads(str(form.get("manifest", "")))
            _check(manifest)
        except (ValueError, Refused) as error:
            return self.pages.plain(f"Invalid GitHub App configuration: {error}", 422)
        owner = request.path_params.get("org") or ""
        ticket = secrets.token_urlsafe(16)
        self._drafts[ticket] = (manifest, request.query_params.get("state", ""), owner)
        shown = {"manifest": manifest, "ticket": ticket, "owner": owner}
        return self.pages.show("new_app.html", **shown)

    async def create(self, request: Request) -> Response:
        """The person presses Create: the App is made and the browser goes back with a code."""
        form = await _form(request)
        draft = self._drafts.pop(str(form.get("ticket", "")), None)
        if draft is None:
            return self.pages.plain("This page is out of date; start again.", 400)
        manifest, state, login = draft
        name = str(form.get("name") or manifest["name"])
        try:
            app = register_manifest(self.world, self._owner(login), name, manifest)
        except Refused as error:
            return self.pages.plain(f"{error.message}: {error.errors}", 422)
        code = secrets.token_hex(20)
        self.world.manifest_codes[code] = (app, self.world.now() + CODE_LIFE_S)
        query = urlencode({"code": code} | ({"state": state} if state else {}))
        target = str(manifest["redirect_url"])
        joined = f"{target}{'&' if '?' in target else '?'}{query}"
        return RedirectResponse(joined, status_code=302)

    def _owner(self, login: str) -> Account:
        """The organization of the path, else the first person: the hub has no sign-in."""
        if login:
            return self.world.account(login)
        people = (one for one in self.world.accounts.values() if one.kind == "User")
        found = next(people, None)
        if found is None:
            raise Refused(422, "The hub has no people yet")
        return found


async def _form(request: Request) -> dict[str, str]:
    """A form as browsers send it by default (urlencoded)."""
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


def _check(manifest: object) -> None:
    if not isinstance(manifest, dict):
        raise Refused(422, "the manifest is not an object")
    for key in ("url", "redirect_url"):
        if not isinstance(manifest.get(key), str):
            raise Refused(422, f'"{key}" wasn\'t supplied')
    if not manifest.get("name"):
        manifest["name"] = f"app-{secrets.token_hex(3)}"


def register_manifest(world: World, owner: Account, name: str, manifest: Json) -> App:
    """The App that a manifest describes."""
    hook = manifest.get("hook_attributes") or {}
    return register(
        world,
        owner,
        name,
        hook_url=str(hook.get("url", "")) if hook.get("active", True) else "",
        permissions=manifest.get("default_permissions") or {},
        events=manifest.get("default_events") or [],
        external_url=str(manifest["url"]),
        description=str(manifest.get("description") or ""),
        callback_urls=[str(url) for url in manifest.get("callback_urls") or []],
    )
