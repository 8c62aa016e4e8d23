"""Signing in with GitHub: the web application flow of a GitHub App.

What we learn is who a browser belongs to, and nothing else: the token of the flow is used for that
one question and kept nowhere. What the person may see is asked as the App.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx

from bot.errors import NotPermitted, Transient, Uncertain
from bot.github.answers import Answer, error_in
from bot.github.calls import object_in
from bot.github.kit import GITHUB, WHOLE_S, Kit, Request
from bot.log import mask

MAX_CODE = 200  #: characters; GitHub's has 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """The App as a place to sign in to; `redirect_uri` is one of its callback URLs."""

    client_id: str
    client_secret: str = field(repr=False)
    web_url: str
    redirect_uri: str
    api_url: str = GITHUB
    transport: httpx.AsyncBaseTransport | None = None

    def address(self, state: str, challenge: str) -> str:
        """GitHub's page that asks the person; `challenge` is the S256 of the verifier (PKCE)."""
        query = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.web_url}/login/oauth/authorize?{urlencode(query)}"

    async def login(self, code: str, verifier: str, *, now: float) -> str:
        """The login of the person that GitHub sent back with this code.

        Raises NotPermitted for a code that is not good (any more), Transient where GitHub does
        not answer.
        """
        kit = Kit(api_url=self.api_url, transport=self.transport, follow_redirects=False)
        try:
            async with contextlib.aclosing(kit), asyncio.timeout(WHOLE_S):
                token = await self._token(kit, code[:MAX_CODE], verifier, now)
                answer = await kit.exchange(Request(method="GET", path="/user"), token=token)
        except TimeoutError as error:
            raise Transient(f"{self.web_url}: no answer within {WHOLE_S:.0f} s") from error
        login = object_in(_judged(answer, now)).text("login")
        if not login:
            raise Transient("GET /user: the answer names no login")
        return login

    async def _token(self, kit: Kit, code: str, verifier: str, now: float) -> str:
        request = Request(
            method="POST",
            path="/login/oauth/access_token",
            url=f"{self.web_url}/login/oauth/access_token",
            body={
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "code": code,
                "redirect_uri": self.redirect_uri,
                "code_verifier": verifier,
            },
        )
        try:
            given = object_in(_judged(await kit.exchange(request), now))
        except Uncertain as error:  # nothing was made that another try would double
            raise Transient(str(error)) from error
        token = given.text("access_token")
        if not token:  # refusals come with status 200
            why = given.text("error_description") or given.text("error")
            raise NotPermitted(f"GitHub did not accept the sign-in: {why[:200]}")
        mask.learn(token, passing=True)
        return token


def _judged(answer: Answer, now: float) -> Answer:
    error = error_in(answer, now=now)
    if error is not None:
        raise error
    return answer
