"""Signing in to an App: the web application flow, with a person chosen on a page of the hub.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bot.localhub.pages import Pages
from bot.localhub.state_apps import Account, App
from bot.localhub.world import World

CODE_LIFE_S = 600
TOKEN_LIFE_S = 8 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a browser came with."""

    app: App
    redirect_uri: str
    state: str
    challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    """What a code is good for, once."""

    asked: _Asked
    account: Account
    until: float


class SignInFlow:
    """The page between an App's link and its callback, and what the code is exchanged for."""

    def __init__(self, world: World, pages: Pages) -> None:
        self._world = world
        self._pages = pages
        self._asked: dict[str, _Asked] = {}
        self._codes: dict[str, _Code] = {}

    async def authorize(self, request: Request) -> Response:
        """``GET /login/oauth/authorize``: who is it? GitHub would know from its own session."""
        query = request.query_params
        app = self._app(query.get("client_id", ""))
        if app is None:
            return self._pages.plain("There is no such App.", 404)
        redirect_uri = query.get("redirect_uri") or next(iter(app.callback_urls), "")
        if redirect_uri not in app.callback_urls:
            return self._pages.plain("The redirect_uri is not associated with this App.", 400)
        ticket = secrets.token_urlsafe(16)
        self._asked[ticket] = _Asked(
            app=app,
            redirect_uri=redirect_uri,
            state=query.get("state", ""),
            challenge=query.get("code_challenge", ""),
        )
        people = [one for one in self._world.accounts.values() if one.kind == "User"]
        return self._pages.show("sign_in.html", app=app, ticket=ticket, people=people)

    async def choose(self, request: Request) -> Response:
        """A person says who they are, or that they do not want to."""
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        asked = self._asked.pop(form.get("ticket", ""), None)
        if asked is None:
            return self._pages.plain("This page is out of date; start again.", 400)
        if not form.get("login"):
            answer = {"error": "access_denied"}
        else:
            code = secrets.token_hex(10)
            account = self._world.account(form["login"])
            until = self._world.now() + CODE_LIFE_S
            self._codes[code] = _Code(asked=asked, account=account, until=until)
            answer = {"code": code}
        query = urlencode(answer | ({"state": asked.state} if asked.state else {}))
        return RedirectResponse(f"{asked.redirect_uri}?{query}", status_code=302)

    async def token(self, request: Request) -> Response:
        """``POST /login/oauth/access_token``; refusals have status 200, as GitHub's have."""
        body = await request.body()
        is_json = "json" in request.headers.get("content-type", "")
        given = json.loads(body) if is_json else dict(parse_qsl(body.decode()))
        app = self._app(str(given.get("client_id", "")))
        secret = str(given.get("client_secret", ""))
        if app is None or not hmac.compare_digest(app.client_secret.encode(), secret.encode()):
            return _refused("incorrect_client_credentials", "The client_id or secret is incorrect.")
        code = self._codes.pop(str(given.get("code", "")), None)
        if code is None or code.asked.app is not app or code.until <= self._world.now():
            return _refused("bad_verification_code", "The code passed is incorrect or expired.")
        if given.get("redirect_uri", code.asked.redirect_uri) != code.asked.redirect_uri:
            return _refused("redirect_uri_mismatch", "The redirect_uri is not the one asked for.")
        if code.asked.challenge != _s256(given.get("code_verifier")):
            return _refused("bad_verification_code", "The code verifier does not match.")
        token = f"ghu_{secrets.token_hex(18)}"
        self._world.user_tokens[token] = (code.account, self._world.now() + TOKEN_LIFE_S)
        return JSONResponse({"access_token": token, "token_type": "bearer", "scope": ""})

    def _app(self, client_id: str) -> App | None:
        return next((a for a in self._world.apps.values() if a.client_id == client_id), None)


def _refused(error: str, words: str) -> Response:
    return JSONResponse({"error": error, "error_description": words})


def _s256(verifier: object) -> str:
    """The challenge that belongs to a verifier; of none, none."""
    if not verifier:
        return ""
    digest = hashlib.sha256(str(verifier).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
