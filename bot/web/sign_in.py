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
FLOW_COOKIE = "chimera_sign_in_"  #: and the state's beginning, so that each tab has its own
FLOW_NAME = 12  #: characters of a state that tell two flows of one browser apart
FLOW_S = 600  #: to sign in at GitHub, with a second factor
MAX_NEXT = 500
MAX_ERROR = 80  #: characters of GitHub's word for a refusal

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
            _flow_cookie(state),
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
        given = asked.get("state", "")
        state, _, rest = request.cookies.get(_flow_cookie(given), "").partition(".")
        verifier, _, encoded = rest.partition(".")
        same = hmac.compare_digest(given.encode("utf-8", "replace"), state.encode())
        if people is None or not state or not same:
            return self._page("This sign-in was begun elsewhere, or long ago. Try again.", 403)
        following = _decoded(encoded)
        if "code" not in asked:
            return self._page(_refused(asked.get("error", "")), 403, following)
        try:
            login = await people.signed_in(asked["code"], verifier)
        except NotPermitted as refusal:
            return self._page(str(refusal), 403, following)
        except ChimeraError as error:
            _log.warning("sign_in_failed", error=str(error))
            return self._page("GitHub does not answer. Try again in a minute.", 503, following)
        if LOGIN.fullmatch(login) is None:
            return self._page("Only people can sign in.", 403, following)
        _log.info("signed_in", by=login)
        welcome = self._welcome(request, f"{PERSON}{login}", following)
        welcome.delete_cookie(_flow_cookie(state), path=TO_GITHUB)
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


def _flow_cookie(state: str) -> str:
    return f"{FLOW_COOKIE}{state[:FLOW_NAME]}"


def _refused(error: str) -> str:
    """What GitHub's answer without a code means for people.

    https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-authorization-request-errors
    """
    if error == "access_denied":
        return "GitHub was not allowed to say who you are."
    return f"GitHub refused the sign-in: {error[:MAX_ERROR] or 'it gave no reason'}."


def _decoded(following: str) -> str:
    try:
        return here(base64.urlsafe_b64decode(following).decode())
    except ValueError:
        return "/"
