"""What a person wants to set up: the first form's fields, checked.

A hub is named by its pages' address; where its API is follows from that.
https://docs.github.com/en/enterprise-server@latest/rest/quickstart and, for data residency,
https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from bot.errors import ConfigError
from bot.github.names import is_owner

GITHUB = "https://github.com"
HOOK_PATH = "/webhook"  #: where our server receives
MAX_NAME = 34  #: characters of an App's name
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")


class Permit(StrEnum):
    """How much the App may do; each is a manifest in `config/`."""

    STANDARD = "standard"  #: tests, code, review, deployments by Actions workflows, merge queues
    LEAST = "least"  #: the same without deployments and merge queues

    @property
    def file(self) -> str:
        """The manifest's name."""
        middle = "" if self is Permit.STANDARD else f"-{self}"
        return f"app-manifest{middle}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which App to make, and where."""

    hub: str = GITHUB  #: where the pages are, without a slash at the end
    organisation: str = ""  #: empty: the App belongs to whoever is signed in
    name: str = "chimera"
    hook_url: str = ""  #: where deliveries go; empty: nowhere, labels are found by looking
    permit: Permit = Permit.STANDARD

    @property
    def api_url(self) -> str:
        """The hub's REST API."""
        parts = urlsplit(self.hub)
        host = parts.hostname or ""
        if host == "github.com" or host.endswith(".ghe.com"):
            return f"{parts.scheme}://api.{parts.netloc}"
        return f"{self.hub}/api/v3"

    @property
    def public_url(self) -> str:
        """Our server as the world sees it; empty where a channel, or a path, passes deliveries on.

        Below a path stands no dashboard.
        """
        base = self.hook_url.removesuffix(HOOK_PATH)
        return base if base != self.hook_url and not urlsplit(base).path else ""


def wish_of(form: Mapping[str, str]) -> Wish:
    """The wish that a form is. Raises ConfigError with every problem in it."""
    given = {name: value.strip() for name, value in form.items()}
    problems: list[str] = []
    wish = Wish(
        hub=_hub(given.get("hub", ""), problems),
        organisation=_organisation(given.get("organisation", ""), problems),
        name=_name(given.get("name", ""), problems),
        hook_url=_hook_url(given.get("hook_url", ""), problems),
        permit=_permit(given.get("permit", ""), problems),
    )
    if problems:
        raise ConfigError(problems)
    return wish


def _hub(text: str, problems: list[str]) -> str:
    if not text:
        return GITHUB
    parts = _address(text if "://" in text else f"https://{text}")
    if parts is None or parts.path.strip("/"):
        problems.append("GitHub's address: must be one such as https://github.example.com")
        return GITHUB
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        problems.append("GitHub's address: must begin with https://, for secrets come from there")
    return f"{parts.scheme}://{parts.netloc}"


def _organisation(text: str, problems: list[str]) -> str:
    if text and not is_owner(text):
        problems.append("Organisation: letters, digits and hyphens, as in its address")
    return text


def _name(text: str, problems: list[str]) -> str:
    if not text:
        problems.append("Name: every App needs one, and it is unique on the whole hub")
    if len(text) > MAX_NAME or not text.isprintable():
        problems.append(f"Name: at most {MAX_NAME} characters")
    return text


def _hook_url(text: str, problems: list[str]) -> str:
    """A bare host is our server; a path (a channel's) is kept as it is."""
    if not text:
        return ""
    parts = _address(text)
    if parts is None:
        problems.append("Webhook address: must be one such as https://chimera.example.com")
        return ""
    path = parts.path.rstrip("/") or HOOK_PATH
    return f"{parts.scheme}://{parts.netloc}{path}"


def _permit(text: str, problems: list[str]) -> Permit:
    try:
        return Permit(text or Permit.STANDARD)
    except ValueError:
        problems.append(f"Permissions: must be one of {', '.join(Permit)}")
        return Permit.STANDARD


def _address(text: str) -> SplitResult | None:
    """A whole web address without a person, a query or a fragment; else None.

    The host stands in a header of ours, so nothing but a name's letters is let through.
    """
    try:
        parts = urlsplit(text)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    plain = _HOST.fullmatch(parts.netloc) and text.isascii() and text.isprintable()
    return parts if fits and plain and not (parts.query or parts.fragment) else None
