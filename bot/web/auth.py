"""Who may come in: bearer tokens with scopes, dashboard sessions, or the machine itself.

While no token exists, only clients on the loopback interface are served, and only under a loopback
name, so that a web page that points its own name at 127.0.0.1 (DNS rebinding) gets nothing.
"""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from starlette.requests import Request

from bot.domain import Task
from bot.tasks.tokens import ApiToken
from bot.web.parts import WebParts
from bot.web.problem import Problem
from bot.web.session import COOKIE, Sessions

LOCAL = "local"  #: the name under which the machine's own people act
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class Scope(StrEnum):
    """What a token allows; write includes read."""

    READ = "read"  #: look at tasks, journals and metrics
    WRITE = "write"  #: submit, cancel, retry, change priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who was let in."""

    name: str
    scopes: frozenset[str]
    repos: frozenset[int] = frozenset()  #: numbers of repositories; empty: all of them
    token_id: str = ""  #: empty for the machine itself

    def may(self, needed: Scope) -> bool:
        return needed in self.scopes or Scope.WRITE in self.scopes

    def may_see(self, task: Task) -> bool:
        return not self.repos or (task.repo is not None and task.repo.id in self.repos)


async def admit(request: Request, parts: WebParts, sessions: Sessions, needed: Scope) -> Principal:
    """Who this is. Raises Problem 401 (not known) or 403 (known, or local, and not allowed)."""
    _refuse_foreign_pages(request)
    now = parts.now()
    tokens = [token for token in await parts.tokens.all() if valid(token, now)]
    if tokens or parts.settings.token_required:
        who = await _known(request, parts, sessions, tokens)
    else:
        who = _local(request)
    if not who.may(needed):
        raise Problem(403, f"The token {who.name!r} lacks the scope {needed.value!r}.")
    return who


def valid(token: ApiToken, now: float) -> bool:
    """Neither revoked nor expired."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


async def _known(
    request: Request, parts: WebParts, sessions: Sessions, tokens: list[ApiToken]
) -> Principal:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    found: ApiToken | None = None
    if scheme.lower() == "bearer":
        found = await parts.tokens.find(credential.strip())
    elif cookie := request.cookies.get(COOKIE):
        token_id = sessions.read(cookie, now=parts.now())
        found = next((token for token in tokens if token.id == token_id), None)
    if found is None:
        text = "Send a token of this server: `Authorization: Bearer …` (`chimera token create`)."
        raise Problem(401, text, headers={"www-authenticate": 'Bearer realm="chimera"'})
    return Principal(
        name=found.name,
        scopes=frozenset(found.scopes),
        repos=frozenset(found.repos),
        token_id=found.id,
    )


def _local(request: Request) -> Principal:
    peer = request.client.host if request.client is not None else ""
    behind_proxy = any(name in request.headers for name in _FORWARDED)
    if behind_proxy or not is_loopback(peer) or not is_loopback(_host_of(request)):
        raise Problem(
            403,
            "No API token exists, so only this machine is served, under a loopback name. "
            "Make one: `chimera token create NAME`.",
        )
    return Principal(name=LOCAL, scopes=frozenset(Scope))


def is_loopback(host: str) -> bool:
    """Whether this is the machine itself: `localhost` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(request: Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _refuse_foreign_pages(request: Request) -> None:
    """A browser says from which page a request comes; another site's page may change nothing."""
    if request.method in SAFE:
        return
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    foreign = origin is not None and origin.partition("://")[2] != host
    if foreign or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Problem(403, "Requests from another site's page are refused.")
