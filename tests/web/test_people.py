"""People of GitHub: they sign in there, see what they may read there, do what their role covers."""

from collections.abc import AsyncIterator
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

import httpx
import pytest

from bot.config.choices import Verb
from bot.domain import Status
from bot.web.people import VISIBLE_S
from bot.web.session import COOKIE
from bot.web.sign_in import here
from tests.web.house import House
from tests.web.town import Town, back_from_github, living, signed_in


@pytest.fixture
async def town(house: House, tmp_path: Path) -> AsyncIterator[Town]:
    async with living(house, tmp_path) as town:
        yield town


@pytest.fixture
async def browser(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    async with town.house.client() as client:
        yield client


async def test_a_person_signs_in_with_github_and_lands_where_they_wanted(
    town: Town, browser: httpx.AsyncClient
) -> None:
    answer = await signed_in(town, browser, town.person("ada"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/dead")
    cookie = browser.cookies[COOKIE]
    assert cookie.startswith("github:ada.")
    assert "ada" in (await browser.get("/")).text
    kept = [cookie, *town.house.settings.webhook_secrets]
    assert not [token for token in town.hub.world.user_tokens if token in str(kept)]


async def test_a_person_sees_the_tasks_of_repositories_they_may_read_and_no_others(
    town: Town, browser: httpx.AsyncClient
) -> None:
    shop, vault = await town.tasks()
    await signed_in(town, browser, town.person("ada"))
    text = (await browser.get("/")).text
    assert "Of the shop" in text
    assert "Of the vault" not in text
    listed = (await browser.get("/api/tasks")).json()["tasks"]
    assert [one["task_id"] for one in listed] == [shop.id]
    for address in ("", "/journal", "/evidence", "/events"):
        assert (await browser.get(f"/api/tasks/{vault.id}{address}")).status_code == 404
    assert (await browser.get(f"/tasks/{vault.id}")).status_code == 404
    for address in ("/statistics", "/deliveries", "/metrics", "/api/deliveries"):
        assert (await browser.get(address)).status_code == 403


async def test_a_role_that_is_given_or_taken_on_github_counts_within_ten_minutes(
    town: Town, browser: httpx.AsyncClient
) -> None:
    _, vault = await town.tasks()
    await signed_in(town, browser, town.person("ada"))
    assert (await browser.get(f"/tasks/{vault.id}")).status_code == 404
    town.hub.set_role(town.repositories["vault"], "ada", "read")
    town.house.clock.at += VISIBLE_S + 1
    assert (await browser.get(f"/tasks/{vault.id}")).status_code == 200
    town.hub.set_role(town.repositories["vault"], "ada", "none")
    town.house.clock.at += VISIBLE_S + 1
    assert (await browser.get(f"/tasks/{vault.id}")).status_code == 404


async def test_a_page_that_is_looked_at_asks_github_once(
    town: Town, browser: httpx.AsyncClient
) -> None:
    await town.tasks()
    await signed_in(town, browser, town.person("ada"))
    await browser.get("/")
    asked: list[str] = []
    town.hub.on_exchange = lambda exchange: asked.append(exchange.path)
    for _ in range(5):
        town.house.clock.at += 100
        await browser.get("/")
    assert asked == []


async def test_an_admin_of_this_server_sees_everything_and_acts_by_their_role(
    town: Town, browser: httpx.AsyncClient
) -> None:
    _, vault = await town.tasks()
    await signed_in(town, browser, town.person("root"))
    for address in ("/statistics", "/deliveries", f"/tasks/{vault.id}"):
        assert (await browser.get(address)).status_code == 200
    assert await press(browser, vault.id, "cancel") == 403


async def test_a_person_may_press_what_their_role_may_command(town: Town) -> None:
    shop, _ = await town.tasks()
    work = {"cancel", "pause", "priority", "budget"}
    for role, may in (("read", set()), ("triage", work), ("write", work), ("maintain", work)):
        async with town.house.client() as browser:
            await signed_in(town, browser, town.person(f"a-{role}", shop=role))
            text = (await browser.get(f"/tasks/{shop.id}")).text
            offered = {verb for verb in Verb if f'action="/tasks/{shop.id}/{verb}"' in text}
            assert offered == may, role
            assert await press(browser, shop.id, "priority", "9") == (303 if may else 403)
            # Nothing is live yet: to a maintainer it is the wrong moment, to others not theirs.
            wrong = 409 if role == "maintain" else 403
            assert await press(browser, shop.id, "rollback") == wrong


async def test_what_a_person_did_is_recorded_under_their_name(
    town: Town, browser: httpx.AsyncClient
) -> None:
    shop, _ = await town.tasks()
    await signed_in(town, browser, town.person("ada", shop="triage"))
    assert await press(browser, shop.id, "cancel") == 303
    stored = await town.house.queue.get(shop.id)
    assert (stored.status, stored.cancel_by) == (Status.CANCELLED, "ada")


async def test_a_sign_in_that_another_browser_began_is_refused(
    town: Town, browser: httpx.AsyncClient
) -> None:
    async with town.house.client() as other:
        await other.get("/sign-in/github")
        answer = await signed_in(town, other, town.person("mallory"))
        assert answer.status_code == 303
        stolen = str(answer.request.url)
    for address in (stolen, "/sign-in/github/callback?code=x&state=", "/sign-in/github/callback"):
        refused = await browser.get(address)
        assert refused.status_code == 403
        assert COOKIE not in browser.cookies


async def test_a_code_is_good_once_and_a_made_up_one_never(
    town: Town, browser: httpx.AsyncClient
) -> None:
    await signed_in(town, browser, town.person("ada"))
    browser.cookies.delete(COOKIE)
    away = await browser.get("/sign-in/github")
    state = away.headers["location"].partition("&state=")[2].partition("&")[0]
    address = f"/sign-in/github/callback?code=made-up&state={state}"
    refused = await browser.get(address)
    assert refused.status_code == 403
    assert "GitHub did not accept the sign-in" in refused.text
    assert COOKIE not in browser.cookies


async def test_who_says_no_at_github_is_not_let_in(town: Town, browser: httpx.AsyncClient) -> None:
    town.person("ada")
    answer = await signed_in(town, browser, "")
    assert answer.status_code == 403
    assert COOKIE not in browser.cookies


async def test_without_a_client_secret_nobody_is_sent_to_github(
    town: Town, browser: httpx.AsyncClient
) -> None:
    town.house.people = replace(town.people, oauth=None)
    async with town.house.client() as client:
        assert "Sign in with GitHub" not in (await client.get("/sign-in")).text
        assert (await client.get("/sign-in/github")).status_code == 404
    assert "Sign in with GitHub" in (await browser.get("/sign-in")).text


def proxied(town: Town, header: str = "X-Forwarded-User") -> None:
    """The house behind proxies, on this machine and in a network, that name people."""
    town.house.settings = replace(
        town.house.settings, proxy_header=header, proxies=("127.0.0.1", "10.1.0.0/16")
    )


async def test_a_trusted_proxy_names_the_person(town: Town) -> None:
    shop, vault = await town.tasks()
    proxied(town)
    ada = {"x-forwarded-user": town.person("ada", shop="triage")}
    for peer in ("127.0.0.1", "10.1.2.3"):
        async with town.house.client(peer=peer) as client:
            assert (await client.get(f"/tasks/{shop.id}", headers=ada)).status_code == 200
            assert (await client.get(f"/tasks/{vault.id}", headers=ada)).status_code == 404
            assert (await client.get("/")).headers["location"] == "/sign-in"


async def test_a_name_in_a_header_is_believed_from_trusted_proxies_only(town: Town) -> None:
    town.person("ada")
    header = "X-Forwarded-User"
    for peer, names, setting in (
        ("10.2.0.1", ["ada"], header),
        ("10.2.0.1", ["not a login"], header),
        ("not an address", ["ada"], header),
        ("127.0.0.1", [""], header),
        ("127.0.0.1", ["ada"], ""),
    ):
        proxied(town, setting)
        sent = [(header, name) for name in names]
        async with town.house.client(peer=peer) as client:
            for address in ("/", "/dead", "/events"):
                answer = await client.get(address, headers=sent)
                assert answer.status_code == 303, (peer, names)
                assert answer.headers["location"].startswith("/sign-in")
            assert (await client.get("/api/tasks", headers=sent)).status_code == 401


@pytest.mark.parametrize(
    "names", [["ada", "root"], ["ada, root"], ["ada@example.test"], ["", "ada"], ["../ada"]]
)
async def test_a_proxy_that_names_no_login_is_told_so(town: Town, names: list[str]) -> None:
    town.person("ada")
    proxied(town)
    sent = [("X-Forwarded-User", name) for name in names]
    async with town.house.client() as client:
        for address in ("/", "/api/tasks"):
            answer = await client.get(address, headers=sent)
            assert answer.status_code == 403
            assert "The proxy" in answer.text
            assert "X-Forwarded-User has to hold one login of GitHub" in answer.text


async def test_who_comes_by_a_proxy_has_no_session_to_end(town: Town) -> None:
    proxied(town)
    ada = {"x-forwarded-user": town.person("ada")}
    async with town.house.client() as client:
        page = (await client.get("/", headers=ada)).text
        assert ">ada<" in page
        assert "Sign out" not in page
        await signed_in(town, client, "ada")
        assert "Sign out" in (await client.get("/")).text


async def test_two_tabs_can_be_on_their_way_through_github_at_once(
    town: Town, browser: httpx.AsyncClient
) -> None:
    ada = town.person("ada")
    first = await browser.get("/sign-in/github", params={"next": "/dead"})
    second = await browser.get("/sign-in/github", params={"next": "/tasks?status=FAILED"})
    for away, wanted in ((first, "/dead"), (second, "/tasks?status=FAILED")):
        answer = await back_from_github(town, browser, away, ada)
        assert (answer.status_code, answer.headers["location"]) == (303, wanted)
    assert [name for name in browser.cookies if name != COOKIE] == []


async def test_the_page_that_was_wanted_is_remembered_with_its_query(
    town: Town, browser: httpx.AsyncClient
) -> None:
    ada, wanted = town.person("ada"), "/tasks?status=FAILED&limit=20"
    asked = await browser.get(wanted)
    assert asked.status_code == 303
    form = await browser.get(asked.headers["location"])
    link = unescape(form.text.partition('href="/sign-in/github')[2].partition('"')[0])
    away = await browser.get(f"/sign-in/github{link}")
    no = await back_from_github(town, browser, away, "")
    assert no.status_code == 403
    assert f'name="next" value="{escape(wanted)}"' in no.text
    away = await browser.get(f"/sign-in/github{link}")
    assert (await back_from_github(town, browser, away, ada)).headers["location"] == wanted


async def test_githubs_own_reason_for_a_refusal_is_told(browser: httpx.AsyncClient) -> None:
    for error, told in (
        ("access_denied", "GitHub was not allowed to say who you are."),
        ("redirect_uri_mismatch", "GitHub refused the sign-in: redirect_uri_mismatch."),
        ("<script>", "GitHub refused the sign-in: &lt;script&gt;."),
        ("", "GitHub refused the sign-in: it gave no reason."),
    ):
        away = await browser.get("/sign-in/github")
        state = away.headers["location"].partition("&state=")[2].partition("&")[0]
        given = {"state": state, "error": error}
        answer = await browser.get("/sign-in/github/callback", params=given)
        assert answer.status_code == 403
        assert told in answer.text


async def test_behind_a_proxy_the_machine_itself_is_nobody(house: House) -> None:
    house.settings = replace(house.settings, proxy_header="X-Forwarded-User", proxies=())
    async with house.client() as client:
        assert (await client.get("/api/tasks")).status_code == 401


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/tasks/chimera-1", "/tasks/chimera-1"),
        ("/deliveries?state=new", "/deliveries?state=new"),
        ("", "/"),
        ("//evil.example.test", "/"),
        ("/\\evil.example.test", "/"),
        ("https://evil.example.test", "/"),
        ("/\nset-cookie: x", "/"),
        ("/" + "x" * 600, "/"),
    ],
)
def test_after_signing_in_nobody_is_sent_to_another_site(address: str, page: str) -> None:
    assert here(address) == page


async def press(browser: httpx.AsyncClient, task_id: str, verb: str, said: str = "") -> int:
    """Send a button's form, with the form token of our own page."""
    page = (await browser.get("/")).text
    token = page.partition('name="form_token" value="')[2].partition('"')[0]
    form = {"form_token": token, "said": said}
    return (await browser.post(f"/tasks/{task_id}/{verb}", data=form)).status_code
