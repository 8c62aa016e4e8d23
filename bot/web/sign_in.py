"""Signing in to the dashboard: with a token of this server, or with GitHub.

The cookie never holds a token. GitHub's flow is bound to the browser that began it by a cookie of
its own, with the state and the verifier of PKCE (RFC 7636).
"""

import base64
import hashlib
import hmac
import secrets

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.errors import ChimeraError, NotPermitted
from bot.log import get
from bot.web.auth import LOGIN, PERSON, refuse_foreign_pages
from bot.web.bodies import read_form
from bot.web.frame import bare
from bot.web.parts import WebParts
from bot.web.problem import Problem
from bot.web.render import page
from bot.web.session import COOKIE, LIFETIME_S, Sessions

TO_GITHUB = "/sign-in/github"
CALLBACK = f"{TO_GITHUB}/callback"
FLOW_COOKIE = "chimera_sign_in"
FLOW_S = 600  #: to sign in at GitHub, with a second factor
MAX_NEXT = 500

_log = get("web")


class SignIn:
    """The pages that nobody has to be signed in for."""

    def __init__(self, parts: WebParts, sessions: Sessions) -> None:
        self._parts = parts
        self._sessions = sessions

    async def form(self, request: Request) -> Response:
        """The empty form, and the way to GitHub where the App can be signed in to."""
        return self._page("", 200, here(request.query_params.get("next", "")))

    async def submit(self, request: Request) -> Response:
        """A session for the holder of a token; the same words for every refusal."""
        try:
            refuse_foreign_pages(request)  # it could sign its visitor in as somebody else
            form = await read_form(request)
        except Problem as problem:
            return self._page(problem.detail, problem.status)
        following = here(form.get("next", ""))
        known = await self._parts.tokens.find(form.get("token", "").strip())
        if known is None:
            _log.warning("sign_in_refused", peer=request.client.host if request.client else "")
            return self._page("This server does not know that token.", 401, following)
        return self._welcome(request, known.id, following)

    async def to_github(self, request: Request) -> Response:
        """Off to GitHub, with a state and a challenge that only this browser can answer."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        people = self._parts.people
        address = people.sign_in_address(state, challenge) if people is not None else ""
        if not address:
            return self._page("This server's App has no client secret.", 404)
        away = RedirectResponse(address, 303)
        following = here(request.query_params.get("next", ""))
        away.set_cookie(
            FLOW_COOKIE,
            f"{state}.{verifier}.{base64.urlsafe_b64encode(following.encode()).decode()}",
            max_age=FLOW_S,
            path=TO_GITHUB,
            httponly=True,
            samesite="lax",  # it has to come along when GitHub sends the browser back
            secure=self._secure(request),
        )
        return away

    async def from_github(self, request: Request) -> Response:
        """Back from GitHub: the code becomes a login, and the login a session."""
        people, asked = self._parts.people, request.query_params
        state, _, rest = request.cookies.get(FLOW_COOKIE, "").partition(".")
        verifier, _, following = rest.partition(".")
        given = asked.get("state", "").encode("utf-8", "replace")
        if people is None or not state or not hmac.compare_digest(given, state.encode()):
            return self._page("This sign-in was begun elsewhere, or long ago. Try again.", 403)
        if "code" not in asked:
            return self._page("GitHub was not allowed to say who you are.", 403)
        try:
            login = await people.signed_in(asked["code"], verifier)
        except NotPermitted as refusal:
            return self._page(str(refusal), 403)
        except ChimeraError as error:
            _log.warning("sign_in_failed", error=str(error))
            return self._page("GitHub does not answer. Try again in a minute.", 503)
        if LOGIN.fullmatch(login) is None:
            return self._page("Only people can sign in.", 403)
        _log.info("signed_in", by=login)
        welcome = self._welcome(request, f"{PERSON}{login}", _decoded(following))
        welcome.delete_cookie(FLOW_COOKIE, path=TO_GITHUB)
        return welcome

    def _welcome(self, request: Request, subject: str, following: str) -> Response:
        welcome = RedirectResponse(following, 303)
        welcome.set_cookie(
            COOKIE,
            self._sessions.open(subject, now=self._parts.now()),
            max_age=LIFETIME_S,
            httponly=True,
            # Lax, for people come by links from GitHub; a POST needs a form token of ours anyway.
            samesite="lax",
            secure=self._secure(request),
        )
        return welcome

    def _secure(self, request: Request) -> bool:
        """Whether browsers reach us by https, be it through a proxy that speaks http with us."""
        return "https" in (
            request.url.scheme,
            self._parts.settings.public_url.partition(":")[0],
        )

    def _page(self, trouble: str, status: int, following: str = "/") -> Response:
        people = self._parts.people
        with_github = people is not None and bool(people.sign_in_address("", ""))
        return page(
            "sign_in.html",
            status,
            **bare(),
            trouble=trouble,
            following=following,
            with_github=with_github,
        )


def here(address: str) -> str:
    """The address when it is a page of ours, else the overview."""
    ours = address.startswith("/") and not address.startswith("//") and len(address) <= MAX_NEXT
    return address if ours and address.isprintable() and "\\" not in address else "/"


def _decoded(following: str) -> str:
    try:
        return here(base64.urlsafe_b64decode(following).decode())
    except ValueError:
        return "/"
