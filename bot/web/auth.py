"""Who may come in: tokens with scopes, people of GitHub, or the machine itself.

While no token exists, clients on the loopback interface are served without one, and only under a
loopback name, so that a web page that points its own name at 127.0.0.1 (DNS rebinding) gets
nothing. A person is known by a session that GitHub's sign-in has opened, or by the header of a
proxy that the settings trust; GitHub says what they may see.
"""

import ipaddress
import re
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
PERSON = "github:"  #: before a login, in a session
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class Scope(StrEnum):
    """What a token allows; each includes those before it."""

    READ = "read"  #: look at tasks, journals and metrics
    WRITE = "write"  #: submit, cancel, retry, change priority
    APPROVE = "approve"  #: let a commit into production, or take it back


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who was let in."""

    name: str
    scopes: frozenset[str]
    repos: frozenset[int] | None = None  #: numbers of the repositories they may see; None: all
    token_id: str = ""  #: empty for people and the machine itself
    login: str = ""  #: a person's on GitHub, whose roles there say what they may do
    by_proxy: bool = False  #: a proxy vouches for them on every request: no session can be ended

    @property
    def key(self) -> str:
        """What their forms are bound to."""
        return self.token_id or self.login

    def may(self, needed: Scope) -> bool:
        order = tuple(Scope)
        return any(scope in self.scopes for scope in order[order.index(needed) :])

    def may_see(self, task: Task) -> bool:
        return self.repos is None or (task.repo is not None and task.repo.id in self.repos)


async def admit(request: Request, parts: WebParts, sessions: Sessions, needed: Scope) -> Principal:
    """Who this is. Raises Problem 401 (not known) or 403 (known, or local, and not allowed)."""
    refuse_foreign_pages(request)
    who = await _known(request, parts, sessions)
    if not who.may(needed):
        raise Problem(403, f"{who.name!r} lacks the scope {needed.value!r}.")
    return who


def valid(token: ApiToken, now: float) -> bool:
    """Neither revoked nor expired."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


async def _known(request: Request, parts: WebParts, sessions: Sessions) -> Principal:
    now = parts.now()
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    bearer = scheme.lower() == "bearer"
    subject = "" if bearer else sessions.read(request.cookies.get(COOKIE, ""), now=now)
    if not bearer and (login := _told_by_proxy(request, parts)):
        return await _person(login, parts, by_proxy=True)
    if not bearer and (login := _of_person(subject)):
        return await _person(login, parts)
    tokens = [token for token in await parts.tokens.all() if valid(token, now)]
    if not (tokens or parts.settings.token_required or parts.settings.proxy_header):
        return _local(request)
    if bearer:
        found = await parts.tokens.find(credential.strip())
    else:
        found = next((token for token in tokens if token.id == subject), None)
    if found is None:
        text = "Send a token of this server: `Authorization: Bearer …` (`chimera token create`)."
        raise Problem(401, text, headers={"www-authenticate": 'Bearer realm="chimera"'})
    return Principal(
        name=found.name,
        scopes=frozenset(found.scopes),
        repos=frozenset(found.repos) or None,
        token_id=found.id,
    )


async def _person(login: str, parts: WebParts, *, by_proxy: bool = False) -> Principal:
    """Somebody of GitHub: they read here, and act by their role (see `acting`)."""
    assert parts.people is not None, "nobody is known by a login where there is no hub"
    repos = await parts.people.visible(login)
    return Principal(
        name=login,
        scopes=frozenset({Scope.READ}),
        repos=repos,
        login=login,
        by_proxy=by_proxy,
    )


def _of_person(subject: str) -> str:
    return subject.removeprefix(PERSON) if subject.startswith(PERSON) else ""


def _told_by_proxy(request: Request, parts: WebParts) -> str:
    """The login that a trusted proxy vouches for; empty where it names nobody.

    Raises Problem 403, not 401: the sign-in page would hide that it is the proxy that is wrong.
    """
    header = parts.settings.proxy_header
    peer = request.client.host if request.client is not None else ""
    if not header or parts.people is None or not _is_among(peer, parts.settings.proxies):
        return ""
    given = request.headers.getlist(header)
    if given in ([], [""]):
        return ""
    if len(given) > 1 or LOGIN.fullmatch(given[0]) is None:
        raise Problem(403, f"The proxy's header {header} has to hold one login of GitHub.")
    return given[0]


def _is_among(peer: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(one) for one in networks)


def _local(request: Request) -> Principal:
    peer = request.client.host if request.client is not None else ""
    # Of its own accord nginx adds no header, and speaks HTTP/1.0, which browsers never do:
    # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_http_version
    behind_proxy = request.scope["http_version"] == "1.0" or any(
        name in request.headers for name in _FORWARDED
    )
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


def refuse_foreign_pages(request: Request) -> None:
    """A browser says from which page a request comes; another site's page may change nothing.

    What it has compared itself goes first, for a proxy may have changed the name that we are called
    by; it says so over https and to loopback: https://www.w3.org/TR/fetch-metadata/
    Raises Problem 403.
    """
    if request.method in SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is None and _is_foreign(request):
        raise Problem(
            403,
            "Requests from another site's page are refused. A proxy in front of this server has "
            "to pass the Host header on.",
        )
    if site not in (None, "none", "same-origin"):
        raise Problem(403, "Requests from another site's page are refused.")


def _is_foreign(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host", "")
