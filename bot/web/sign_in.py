"""Signing in to the dashboard with an API token; the cookie never holds the token itself."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.log import get
from bot.web.bodies import read_form
from bot.web.pages import frame
from bot.web.parts import WebParts
from bot.web.problem import Problem
from bot.web.render import page
from bot.web.session import COOKIE, LIFETIME_S, Sessions

_log = get("web")


class SignIn:
    """The one page that nobody has to be signed in for."""

    def __init__(self, parts: WebParts, sessions: Sessions) -> None:
        self._parts = parts
        self._sessions = sessions

    async def form(self, _request: Request) -> Response:
        """The empty form."""
        return self._page("", 200)

    async def submit(self, request: Request) -> Response:
        """A session for the holder of a token; the same words for every refusal."""
        try:
            given = (await read_form(request)).get("token", "").strip()
        except Problem as problem:
            return self._page(problem.detail, problem.status)
        known = await self._parts.tokens.find(given)
        if known is None:
            _log.warning("sign_in_refused", peer=request.client.host if request.client else "")
            return self._page("This server does not know that token.", 401)
        welcome = RedirectResponse("/", 303)
        welcome.set_cookie(
            COOKIE,
            self._sessions.open(known.id, now=self._parts.now()),
            max_age=LIFETIME_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return welcome

    def _page(self, trouble: str, status: int) -> Response:
        return page("sign_in.html", status, **frame(None, self._sessions), trouble=trouble)
