"""The last step of the manifest flow: a code for the App that a person has just made.

Called before there is an App, so without a credential; the code is good once, for an hour.
https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import asyncio
import contextlib
import re

import httpx

from bot.errors import Transient, Uncertain
from bot.github.answers import Answer, error_in
from bot.github.app_types import NewApp
from bot.github.calls import object_in
from bot.github.kit import GITHUB, WHOLE_S, Kit, Request
from bot.github.names import BadName
from bot.log import mask

_CODE = re.compile(r"[A-Za-z0-9_-]{1,200}")


async def convert(
    code: str,
    *,
    now: float,
    api_url: str = GITHUB,
    transport: httpx.AsyncBaseTransport | None = None,
) -> NewApp:
    """The new App with its secrets, which the masker learns. Raises Refused for a stale code."""
    if _CODE.fullmatch(code) is None:
        raise BadName("the code of the manifest flow is malformed")
    answer = await _post(code, api_url, transport)
    error = error_in(answer, now=now)
    if error is not None:
        raise error
    return _new_app(answer)


async def _post(code: str, api_url: str, transport: httpx.AsyncBaseTransport | None) -> Answer:
    kit = Kit(api_url=api_url, transport=transport, follow_redirects=False)
    request = Request(
        method="POST",
        path="/app-manifests/…/conversions",  # the code is as good as the secrets
        url=f"/app-manifests/{code}/conversions",
    )
    try:
        async with contextlib.aclosing(kit), asyncio.timeout(WHOLE_S):
            return await kit.exchange(request)
    except Uncertain as error:  # the code is used up or it is not: another try will tell
        raise Transient(str(error)) from error
    except TimeoutError as error:
        raise Transient(f"POST {request.path}: no answer within {WHOLE_S:.0f} s") from error


def _new_app(answer: Answer) -> NewApp:
    given = object_in(answer)
    secrets = {name: given.text(name) for name in ("client_secret", "webhook_secret", "pem")}
    for secret in secrets.values():
        mask.learn(secret)
    return NewApp(
        id=given.number("id"),
        slug=given.text("slug"),
        html_url=given.text("html_url"),
        client_id=given.text("client_id"),
        client_secret=secrets["client_secret"],
        webhook_secret=secrets["webhook_secret"],
        pem=secrets["pem"],
    )
