"""Who was let in once: for how long that holds, and who cannot be signed in by another's page."""

import asyncio

import httpx
import pytest

from bot.web.auth import Scope
from bot.web.events import RECHECK_S
from bot.web.session import COOKIE
from tests.web.house import House
from tests.web.serving import serving

STREAMS = ["/events", "/api/events"]
DEADLINE_S = 20.0


@pytest.mark.parametrize("path", STREAMS)
async def test_a_stream_ends_soon_after_its_token_was_revoked(house: House, path: str) -> None:
    token = await house.tokens.create("reader", scopes=(Scope.READ,))
    await house.tokens.create("another", scopes=(Scope.READ,))
    known = next(one for one in await house.tokens.all() if one.name == "reader")
    headers = {"authorization": f"Bearer {token}"}
    async with (
        serving(house) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        heard = asyncio.create_task(answer.aread())
        house.clock.at += RECHECK_S + 1
        await house.add("Still theirs to see", issue=1)
        await house.tokens.revoke(known.id)
        house.clock.at += RECHECK_S + 1
        secret = await house.add("Not theirs any more", issue=2)
        async with asyncio.timeout(DEADLINE_S):
            said = await heard
    assert secret.id.encode() not in said


@pytest.mark.parametrize(
    "foreign", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
async def test_a_page_of_another_site_cannot_sign_its_visitor_in_as_somebody_else(
    house: House, foreign: dict[str, str]
) -> None:
    token = await house.tokens.create("theirs", scopes=(Scope.WRITE,))
    async with house.client() as client:
        answer = await client.post("/sign-in", data={"token": token}, headers=foreign)
        assert answer.status_code == 403
        assert COOKIE not in answer.cookies
        own = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
        answer = await client.post("/sign-in", data={"token": token}, headers=own)
    assert answer.status_code == 303
    assert COOKIE in answer.cookies
