"""The last step of the manifest flow: a code for the App that a person has just made.

Called before there is an App, so without a credential; the code is good once, for an hour.
https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

import re

import httpx

from bot.errors import Transient
from bot.github.answers import Answer, error_in
from bot.github.calls import object_in
from bot.github.client import API_VERSION, CONNECT_S, GITHUB, WHOLE_S
from bot.github.names import BadName
from bot.github.types import NewApp
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
    answer = await _post(f"{api_url.rstrip('/')}/app-manifests/{code}/conversions", transport)
    error = error_in(answer, now=now)
    if error is not None:
        raise error
    return _new_app(answer)


async def _post(url: str, transport: httpx.AsyncBaseTransport | None) -> Answer:
    path = "/app-manifests/…/conversions"  # the code is as good as the secrets
    headers = {"accept": "application/vnd.github+json", "x-github-api-version": API_VERSION}
    timeout = httpx.Timeout(WHOLE_S, connect=CONNECT_S)
    try:
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as http:
            response = await http.post(url, headers=headers)
    except httpx.HTTPError as error:
        raise Transient(f"POST {path}: {type(error).__name__}") from error
    return Answer(
        method="POST",
        path=path,
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=response.content,
    )


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
