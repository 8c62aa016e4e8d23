"""The manifest flow as a browser goes through it, and the pages that people see."""

import json
import re
from urllib.parse import parse_qs, urlsplit

from bot.localhub import issuing
from bot.localhub.pages import EMOJI
from tests.localhub.shop import Shop

MANIFEST = {
    "name": "My Factory",
    "url": "https://factory.example.test",
    "redirect_url": "http://127.0.0.1:1/done",
    "hook_attributes": {"url": "http://bot/hook", "active": True},
    "default_permissions": {"issues": "write", "contents": "write"},
    "default_events": ["issues"],
}


async def create(shop: Shop, path: str) -> str:
    """Through both pages; returns where the browser is sent."""
    form = {"manifest": json.dumps(MANIFEST)}
    page = await shop.client.post(f"{shop.hub.base_url}{path}?state=s%2F1", data=form)
    assert page.status_code == 200
    ticket = re.search(r'name="ticket" value="([^"]+)"', page.text)
    assert ticket is not None
    target = f"{shop.hub.base_url}/settings/apps/create"
    done = await shop.client.post(target, data={"ticket": ticket[1], "name": "My Factory"})
    assert done.status_code == 302
    return done.headers["location"]


async def test_a_manifest_becomes_an_app_once(shop: Shop) -> None:
    location = await create(shop, "/organizations/acme/settings/apps/new")
    assert location.startswith("http://127.0.0.1:1/done?")
    query = parse_qs(urlsplit(location).query)
    assert query["state"] == ["s/1"]
    path = f"/app-manifests/{query['code'][0]}/conversions"
    made = await shop.client.post(path)
    assert made.status_code == 201
    app = made.json()
    assert (app["slug"], app["owner"]["login"]) == ("my-factory", "acme")
    assert app["permissions"]["issues"] == "write"
    assert app["pem"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert (await shop.client.post(path)).status_code == 404
    shop.app = shop.hub.world.apps[app["id"]]
    shop.app.pem = app["pem"]
    assert (await shop.as_app("GET", "/app")).json()["slug"] == "my-factory"


async def test_a_broken_manifest_is_refused(shop: Shop) -> None:
    target = f"{shop.hub.base_url}/settings/apps/new"
    for manifest in ("nonsense", "[]", '{"name": "x"}'):
        answer = await shop.client.post(target, data={"manifest": manifest})
        assert answer.status_code == 422


async def test_pages_show_the_conversation_and_escape_it(shop: Shop) -> None:
    hostile = "<script>alert(1)</script>"
    await shop.writer.open_issue(shop.repo, hostile, f"<!-- hidden --> {hostile}")
    await shop.bot("POST", "/issues/1/comments", {"body": f"**working** {hostile}"})
    page = await shop.client.get(f"{shop.hub.base_url}/acme/shop/issues/1")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "<strong>working</strong>" in page.text
    assert "hidden" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_page_folds_what_github_folds_and_escapes_all_other_html(shop: Shop) -> None:
    folded = "<details><summary>Timeline</summary>\n\n**late**\n\n</details>\n\n<sub>task 1</sub>"
    hostile = "<details open onclick=x>\n\n<b onclick=x>b</b> `<sub>`"
    await shop.writer.open_issue(shop.repo, "One", f"{folded}\n\n{hostile}")
    page = (await shop.client.get(f"{shop.hub.base_url}/acme/shop/issues/1")).text
    assert "<details><summary>Timeline</summary>" in page
    assert "<strong>late</strong>" in page
    assert "<sub>task 1</sub>" in page
    assert "&lt;details open onclick=x&gt;" in page
    assert "&lt;b onclick=x&gt;" in page
    assert "<code>&lt;sub&gt;</code>" in page


async def test_a_pull_requests_page_shows_checks_reviews_and_diff(shop: Shop) -> None:
    pull = await shop.pull()
    button = {"label": "Approve deploy", "description": "d", "identifier": "approve"}
    done = {"status": "completed", "conclusion": "action_required", "actions": [button]}
    check = {"name": "chimera / production", "head_sha": pull["head"]["sha"], **done}
    made = (await shop.bot("POST", "/check-runs", check)).json()
    await shop.writer.review(shop.repo, 1, "COMMENT", "looks good")
    page = await shop.client.get(f"{shop.hub.base_url}/acme/shop/pull/1")
    for text in ("chimera / production", "Approve deploy", "looks good", "+    return 2"):
        assert text in page.text
    assert (await shop.client.get(made["html_url"])).status_code == 200
    home = await shop.client.get(shop.hub.base_url)
    assert "acme/shop" in home.text
    assert (await shop.client.get(f"{shop.hub.base_url}/acme/none")).status_code == 404


async def test_a_page_shows_reactions_as_people_know_them(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "One", "Two")
    await shop.bot("POST", "/issues/1/reactions", {"content": "rocket"})
    page = (await shop.client.get(f"{shop.hub.base_url}/acme/shop/issues/1")).text
    assert "🚀" in page
    assert "rocket" not in page


def test_every_reaction_that_the_hub_takes_can_be_shown() -> None:
    assert tuple(EMOJI) == issuing.REACTIONS
