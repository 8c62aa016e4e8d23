"""The form that a browser takes to GitHub, to make the App there.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from bot.setup.shipped import shipped
from bot.setup.wish import Permit, Wish
from bot.web.sign_in import CALLBACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where the form goes and what it carries."""

    action: str
    manifest: str  #: JSON


def manifest_of(permit: Permit) -> dict[str, Any]:
    """The shipped manifest: permissions and events, and examples in the place of addresses."""
    found: dict[str, Any] = json.loads(shipped(permit.file))
    return found


def registration(wish: Wish, *, state: str, redirect_url: str) -> Registration:
    """The form for a wish; GitHub sends the browser back to `redirect_url` with this state."""
    manifest = manifest_of(wish.permit) | {
        "name": wish.name,
        "url": wish.public_url or wish.hub,
        "redirect_url": redirect_url,
    }
    if wish.public_url:
        manifest["callback_urls"] = [f"{wish.public_url}{CALLBACK}"]
    # GitHub wants an address even for a hook that is switched off.
    hook = manifest["hook_attributes"]
    active = bool(wish.hook_url)
    manifest["hook_attributes"] = {"url": wish.hook_url or hook["url"], "active": active}
    where = f"/organizations/{wish.organisation}" if wish.organisation else ""
    action = f"{wish.hub}{where}/settings/apps/new?{urlencode({'state': state})}"
    return Registration(action=action, manifest=json.dumps(manifest))
