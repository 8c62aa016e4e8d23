"""Who is let in: the machine itself, tokens with scopes and repositories, signed-in browsers."""

import asyncio

import httpx
import pytest

from bot.domain import Status
from bot.web.parts import WebSettings
from bot.web.session import COOKIE, LIFETIME_S, Sessions
from tests.web.house import OTHER, START, House, bearer
from tests.web.serving import serving


@pytest.mark.parametrize(
    ("peer", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8000", 200),
        ("127.0.0.1", "localhost", 200),
        ("127.0.0.1", "LOCALHOST:8000", 200),
        ("::1", "[::1]:8000", 200),
        ("127.0.0.1", "evil.example.test", 403),
        ("127.0.0.1", "localhost.evil.test", 403),
        ("127.0.0.1", "[::1", 403),
        ("127.0.0.1", "", 403),
        ("10.0.0.5", "localhost", 403),
        ("not an address", "localhost", 403),
    ],
)
async def test_without_tokens_only_the_machine_itself_is_served(
    house: House, peer: str, host: str, status: int
) -> None:
    async with house.client(peer=peer) as client:
        for path in ("/api/tasks", "/metrics", "/", "/api/metrics"):
            assert (await client.get(path, headers={"host": host})).status_code == status


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via", "x-real-ip"])
async def test_what_comes_through_a_proxy_is_not_the_machine_itself(
    client: httpx.AsyncClient, header: str
) -> None:
    assert (await client.get("/api/tasks", headers={header: "127.0.0.1"})).status_code == 403


async def test_http_1_0_is_a_proxys_for_browsers_do_not_speak_it(house: House) -> None:
    async with serving(house) as port:
        for version, status in (("1.0", "403"), ("1.1", "200")):
            lines = [
                f"GET /api/tasks HTTP/{version}",
                f"Host: 127.0.0.1:{port}",
                "Connection: close",
            ]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write("\r\n".join([*lines, "", ""]).encode())
            async with asyncio.timeout(10):
                answer = await reader.read()
            assert answer.split()[1].decode() == status
            writer.close()


async def test_where_tokens_are_required_none_existing_lets_nobody_in(house: House) -> None:
    house.settings = WebSettings(token_required=True)
    async with house.client() as client:
        assert (await client.get("/api/tasks")).status_code == 401


async def test_a_token_is_needed_as_soon_as_one_exists(
    house: House, client: httpx.AsyncClient
) -> None:
    token = await house.tokens.create("ci", scopes=("read",))
    refused = await client.get("/api/tasks")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    for wrong in ("", "x", token[:-1], token + "x", "ü"):
        raw = {b"authorization": f"Bearer {wrong}".encode()}
        answer = await client.get("/api/tasks", headers=raw)
        assert answer.status_code == 401
    assert (await client.get("/api/tasks", headers=bearer(token))).status_code == 200


async def test_a_token_that_may_read_may_not_write(house: House, client: httpx.AsyncClient) -> None:
    reader = await house.tokens.create("ci", scopes=("read",))
    writer = await house.tokens.create("ops", scopes=("write",))
    task = await house.add(issue=1)
    url = f"/api/tasks/{task.id}/cancel"
    assert (await client.post(url, headers=bearer(reader))).status_code == 403
    assert (await client.post(url, headers=bearer(writer))).status_code == 200
    assert (await client.get("/api/tasks", headers=bearer(writer))).status_code == 200


async def test_a_revoked_or_expired_token_is_refused(
    house: House, client: httpx.AsyncClient
) -> None:
    await house.tokens.create("stays", scopes=("read",))
    brief = await house.tokens.create("brief", scopes=("read",), expires_at=START + 10)
    gone = await house.tokens.create("gone", scopes=("read",))
    [known] = [token for token in await house.tokens.all() if token.name == "gone"]
    await house.tokens.revoke(known.id)
    assert (await client.get("/api/tasks", headers=bearer(gone))).status_code == 401
    assert (await client.get("/api/tasks", headers=bearer(brief))).status_code == 200
    house.clock.at += 11
    assert (await client.get("/api/tasks", headers=bearer(brief))).status_code == 401


async def test_a_token_for_one_repository_sees_nothing_of_another(
    house: House, client: httpx.AsyncClient
) -> None:
    token = bearer(await house.tokens.create("shop", scopes=("write",), repos=(7,)))
    mine = await house.add("mine", issue=1)
    theirs = await house.add("theirs", repo=OTHER, issue=1)
    local = await house.add("local", repo=None)
    listed = (await client.get("/api/tasks", headers=token)).json()["tasks"]
    assert [task["task_id"] for task in listed] == [mine.id]
    for task in (theirs, local):
        for path in ("", "/journal", "/events"):
            answer = await client.get(f"/api/tasks/{task.id}{path}", headers=token)
            assert answer.status_code == 404
        assert (await client.post(f"/api/tasks/{task.id}/cancel", headers=token)).status_code == 404
    for path in ("/api/metrics", "/metrics", "/statistics"):
        assert (await client.get(path, headers=token)).status_code == 403
    await house.put(theirs, status=Status.DEAD)
    for page in ("/", "/dead"):
        assert "theirs" not in (await client.get(page, headers=token)).text
    assert (await client.get("/deliveries", headers=token)).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example.test"},
        {"origin": "null"},
        {"origin": "http://[evil"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_page_of_another_site_changes_nothing(
    house: House, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    task = await house.add(issue=1)
    answer = await client.post(f"/api/tasks/{task.id}/cancel", headers=headers)
    assert answer.status_code == 403
    assert not (await house.queue.get(task.id)).status.ended


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_what_the_browser_has_compared_goes_before_a_name_that_a_proxy_has_changed(
    client: httpx.AsyncClient, house: House, site: str
) -> None:
    task = await house.add(issue=1)
    through = {"origin": "https://chimera.example.test", "sec-fetch-site": site}
    answer = await client.post(f"/api/tasks/{task.id}/cancel", headers=through)
    assert answer.status_code == 200
    old = {"origin": "https://chimera.example.test"}
    refused = await client.post(f"/api/tasks/{task.id}/cancel", headers=old)
    assert refused.status_code == 403
    assert "pass the Host header on" in refused.text


async def test_signing_in_gives_a_session_that_never_holds_the_token(
    house: House, client: httpx.AsyncClient
) -> None:
    token = await house.tokens.create("ops", scopes=("write",))
    assert (await client.get("/")).headers["location"] == "/sign-in"
    refused = await client.post("/sign-in", data={"token": "wrong"})
    assert refused.status_code == 401
    welcome = await client.post("/sign-in", data={"token": token})
    cookie = welcome.headers["set-cookie"]
    assert welcome.status_code == 303
    assert token not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await client.get("/")).status_code == 200
    [known] = await house.tokens.all()
    await house.tokens.create("another", scopes=("read",))
    await house.tokens.revoke(known.id)
    assert (await client.get("/")).status_code == 303


def test_a_session_ends_with_its_time_and_cannot_be_made_up() -> None:
    sessions, others = Sessions(b"ours"), Sessions(b"theirs")
    cookie = sessions.open("token-1", now=START)
    assert sessions.read(cookie, now=START + LIFETIME_S - 1) == "token-1"
    assert sessions.read(cookie, now=START + LIFETIME_S) == ""
    assert others.read(cookie, now=START) == ""
    for forged in ("", ".", "token-1.9999999999.", cookie.replace("token-1", "token-2"), "é.1.é"):
        assert sessions.read(forged, now=START) == ""


async def test_a_button_works_only_with_the_token_of_our_own_form(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    url = f"/tasks/{task.id}/cancel"
    assert (await client.post(url, data={"form_token": "guess"})).status_code == 403
    assert (await client.get(url)).status_code == 405
    page = (await client.get(f"/tasks/{task.id}")).text
    form_token = page.partition('name="form_token" value="')[2].partition('"')[0]
    done = await client.post(url, data={"form_token": form_token})
    assert (done.status_code, done.headers["location"]) == (303, f"/tasks/{task.id}")
    assert (await house.queue.get(task.id)).status.ended
    assert COOKIE not in client.cookies
