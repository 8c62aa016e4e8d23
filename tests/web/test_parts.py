"""The health page: how each part is and what to do, for people; and a header nobody believes."""

from dataclasses import replace

import httpx

from bot.web.parts import HealthPart
from tests.web.house import House, bearer

DOWN = HealthPart(name="agents", ok=False, detail="none for coder", fix="Set `CHIMERA_MODEL`.")


async def test_what_is_in_trouble_stands_first_with_what_to_do(
    house: House, client: httpx.AsyncClient
) -> None:
    well = await client.get("/parts")
    assert well.status_code == 200
    assert "All 2 parts are well." in well.text
    house.health.append(DOWN)
    text = (await client.get("/parts")).text
    assert "1 of 3 parts is in trouble." in text
    assert "Set <code>CHIMERA_MODEL</code>." in text
    assert text.index(">agents<") < text.index(">store<")
    assert "agents" in (await client.get("/")).text


async def test_the_footer_leads_people_to_the_page(client: httpx.AsyncClient) -> None:
    assert '<a href="/parts">Health</a>' in (await client.get("/")).text


async def test_a_token_of_one_repository_sees_how_the_server_is(
    house: House, client: httpx.AsyncClient
) -> None:
    token = bearer(await house.tokens.create("shop", scopes=("read",), repos=(7,)))
    assert (await client.get("/parts", headers=token)).status_code == 200
    assert (await client.get("/parts")).status_code == 303, "who is nobody signs in first"


async def test_a_header_that_nobody_can_believe_is_named(house: House) -> None:
    house.settings = replace(house.settings, proxy_header="X-User")
    async with house.client() as client:
        answer = (await client.get("/health")).json()
    assert answer["status"] == "degraded"
    [part] = [one for one in answer["parts"] if not one["ok"]]
    assert part["name"] == "sign-in"
    assert "X-User is not believed" in part["detail"]
    assert "chimera setup" in part["fix"]
