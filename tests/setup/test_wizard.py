"""`chimera setup` from its address to its end, on a hub, over real HTTP."""

import json
import os
import re
import stat
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml

from bot.config.environment import SETTINGS_FILE
from bot.config.layers import load_repo_config
from bot.setup.gifts import BRANCH, WORKFLOW_PATH
from bot.workflow.repoconfig import PATH
from tests.setup.stand import ACTION, MANIFEST, Stand, Wizard, wizard_on


def app_in(stand: Stand) -> int:
    """The number of the one App that was made on the hub."""
    return next(one.id for one in stand.hub.world.apps.values() if one.slug == "chimera-acme")


async def installed(stand: Stand, wizard: Wizard) -> None:
    """Entered, made and installed."""
    await wizard.enter()
    await wizard.make_app(stand.hub.base_url, hook_url="https://chimera.example.com")
    stand.hub.install(app_in(stand), "acme")


async def test_an_app_is_made_and_its_credentials_serve_the_server(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        assert "Make the GitHub App" in (await wizard.enter()).text
        after = await wizard.make_app(stand.hub.base_url, hook_url="https://chimera.example.com")
        assert after.status_code == 200
        assert "chimera-acme" in after.text
    app = stand.hub.world.apps[app_in(stand)]
    assert (app.owner.login, app.hook_url) == ("acme", "https://chimera.example.com/webhook")
    settings = stand.settings()
    assert settings.app_id == app.id
    assert settings.private_key is not None
    assert settings.private_key.get_secret_value().strip() == app.pem.strip()
    assert settings.webhook_secrets == (app.webhook_secret,)
    assert (settings.api_url, settings.hub_url) == (stand.hub.api_url, stand.hub.base_url)
    assert settings.public_url == "https://chimera.example.com"


async def test_nobody_else_can_read_the_credentials(stand: Stand) -> None:
    old = os.umask(0)
    try:
        async with wizard_on(stand.settings()) as wizard:
            await wizard.enter()
            await wizard.make_app(stand.hub.base_url)
    finally:
        os.umask(old)
    path = stand.data_dir / SETTINGS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(stand.data_dir.stat().st_mode) == 0o700
    assert [one.name for one in stand.data_dir.iterdir() if "settings" in one.name] == [path.name]


async def test_no_page_and_no_log_ever_shows_a_secret(
    stand: Stand, capfd: pytest.CaptureFixture[str]
) -> None:
    pages: list[str] = []
    async with wizard_on(stand.settings()) as wizard:

        async def keep(answer: httpx.Response) -> None:
            await answer.aread()
            if str(answer.url).startswith(wizard.base):
                pages.append(answer.text + str(answer.headers))

        wizard.browser.event_hooks["response"].append(keep)
        await installed(stand, wizard)
        await wizard.submit("/prepare", repository="acme/shop", labels="1", files="1")
        await wizard.submit("/finish")
    app = stand.hub.world.apps[app_in(stand)]
    said = "".join(capfd.readouterr())
    for secret in (app.pem.splitlines()[1], app.webhook_secret, app.client_secret):
        assert secret not in said + "".join(pages)
    # People sign in to the dashboard with it, so it stands in the one file that its owner can read.
    assert app.client_secret in (stand.data_dir / SETTINGS_FILE).read_text()


async def test_the_manifest_asks_for_what_was_chosen(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await wizard.enter()
        wish = {"hub": stand.hub.base_url, "organisation": "acme", "name": "x"}
        asked = {}
        for permit in ("least", "standard"):
            shown = (await wizard.submit("/register", permit=permit, **wish)).text
            found, action = MANIFEST.search(shown), ACTION.search(shown)
            assert found is not None
            assert action is not None
            manifest = json.loads(unescape(found[1]))
            asked[permit] = manifest["default_permissions"]
            assert manifest["redirect_url"] == f"{wizard.base}/created"
            assert manifest["hook_attributes"]["active"] is False
            target = urlsplit(unescape(action[1]))
            assert target.path == "/organizations/acme/settings/apps/new"
            assert len(parse_qs(target.query)["state"][0]) >= 32
    assert "deployments" not in asked["least"]
    assert asked["standard"]["deployments"] == "write"
    assert asked["standard"]["merge_queues"] == "read"
    assert "merge_queues" not in asked["least"]
    assert not {"administration", "secrets", "workflows"} & {
        n for one in asked.values() for n in one
    }


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"hub": "http://github.example.com"}, "must begin with https://"),
        ({"hub": "https://u:p@github.example.com"}, "must be one such as"),
        ({"hub": "github example com"}, "must be one such as"),
        ({"hub": "https://github.com;script-src *"}, "must be one such as"),
        ({"organisation": "../evil"}, "letters, digits and hyphens"),
        ({"name": "n" * 35}, "at most 34 characters"),
        ({"name": ""}, "every App needs one"),
        ({"hook_url": "ftp://x"}, "must be one such as https://chimera"),
        ({"permit": "all"}, "must be one of"),
    ],
)
async def test_a_wrong_field_is_told_and_nothing_leaves(
    stand: Stand, wrong: dict[str, str], told: str
) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await wizard.enter()
        form = {"hub": stand.hub.base_url, "organisation": "acme", "name": "chimera-acme"} | wrong
        answer = await wizard.submit("/register", **form)
    assert answer.status_code == 422
    assert told in unescape(answer.text)
    assert 'id="to-github"' not in answer.text


async def test_a_return_with_another_state_changes_nothing(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await wizard.enter()
        form = {"hub": stand.hub.base_url, "organisation": "acme", "name": "chimera-acme"}
        back = await wizard.to_github(await wizard.submit("/register", **form))
        code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
        for state in ("", "f" * 48, "é"):
            params = {"code": code, "state": state}
            answer = await wizard.browser.get(f"{wizard.base}/created", params=params)
            assert answer.status_code == 403
        assert not (stand.data_dir / SETTINGS_FILE).exists()
        assert (await wizard.browser.get(back.headers["location"])).status_code == 200
        again = await wizard.browser.get(back.headers["location"])
        assert again.status_code == 410


async def test_a_return_while_github_is_down_is_made_good_by_a_reload(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await wizard.enter()
        form = {"hub": stand.hub.base_url, "organisation": "acme", "name": "chimera-acme"}
        back = await wizard.to_github(await wizard.submit("/register", **form))
        stand.hub.faults.add("POST", "conversions$", status=502)
        told = await wizard.browser.get(back.headers["location"])
        assert (told.status_code, "Reload this page." in told.text) == (502, True)
        assert (await wizard.browser.get(back.headers["location"])).status_code == 200
    assert stand.settings().app_id == app_in(stand)


async def test_two_tabs_make_one_app_and_the_other_is_told_of(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await wizard.enter()
        form = {"hub": stand.hub.base_url, "organisation": "acme"}
        first = await wizard.submit("/register", name="chimera-acme", **form)
        second = await wizard.submit("/register", name="chimera-two", **form)
        back = await wizard.to_github(first)
        assert (await wizard.browser.get(back.headers["location"])).status_code == 200
        late = await wizard.to_github(second, "chimera-two")
        told = await wizard.browser.get(late.headers["location"])
        assert told.status_code == 410
        assert "made a second one, delete it there" in told.text
    assert stand.settings().app_id == app_in(stand)


async def test_the_address_works_once_and_for_one_browser(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard, httpx.AsyncClient() as stranger:
        assert (await stranger.get(f"{wizard.base}/")).status_code == 403
        assert (await stranger.get(f"{wizard.base}/start?token=guess")).status_code == 403
        assert (await wizard.enter()).status_code == 200
        assert (await stranger.get(wizard.address)).status_code == 403
        assert (await stranger.post(f"{wizard.base}/register", data={})).status_code == 403
        assert (await wizard.browser.get(f"{wizard.base}/")).status_code == 200
        assert (await wizard.enter()).status_code == 200, "whoever is in may open it once more"


async def test_a_name_that_resolves_to_loopback_is_not_enough(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        for host in ("evil.example.com", "evil.example.com:80", ""):
            answer = await wizard.browser.get(wizard.address, headers={"host": host})
            assert answer.status_code in (400, 403)
        assert (await wizard.enter()).status_code == 200


async def test_a_form_from_elsewhere_does_nothing(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await wizard.enter()
        for path in ("/register", "/prepare", "/finish"):
            answer = await wizard.browser.post(f"{wizard.base}{path}", data={"name": "x"})
            assert answer.status_code == 403
        assert not wizard.running.done()


async def test_pages_let_nothing_in_and_send_forms_to_the_hub_only(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        entered = await wizard.enter()
        policy = entered.headers["content-security-policy"]
        assert "form-action 'self';" in policy
        assert "script-src 'none'" in policy
        shown = await wizard.submit("/register", hub=stand.hub.base_url, name="x")
        policy = shown.headers["content-security-policy"]
        assert f"form-action 'self' {stand.hub.base_url};" in policy
        assert "script-src 'self';" in policy
        assert "<script>" not in shown.text
        hostile = await wizard.submit("/register", hub="<script>alert(1)</script>", name="x")
        assert "<script>" not in hostile.text


async def test_a_repository_gets_labels_and_one_pull_request(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await installed(stand, wizard)
        for _ in range(2):
            done = await wizard.submit(
                "/prepare", repository="acme/shop", labels="1", files="1", deploys="1"
            )
            assert done.status_code == 200
        assert "Pull request" in done.text
    names = {one["name"] for one in await stand.olga.ask("GET", "/repos/acme/shop/labels")}
    assert {"chimera", "chimera:queued", "chimera:done", "chimera:priority-high"} <= names
    pulls = await stand.olga.ask("GET", "/repos/acme/shop/pulls?state=all")
    assert [(one["head"]["ref"], one["draft"]) for one in pulls] == [(BRANCH, False)]
    files = await stand.olga.ask("GET", f"/repos/acme/shop/pulls/{pulls[0]['number']}/files")
    assert {one["filename"] for one in files} == {
        PATH,
        ".github/ISSUE_TEMPLATE/chimera.yml",
        ".github/pull_request_template.md",
    }
    patch = next(one["patch"] for one in files if one["filename"] == PATH)
    text = "\n".join(line[1:] for line in patch.splitlines() if line.startswith("+"))
    config = load_repo_config([(PATH, text.encode())]).config
    assert config.deploy.staging.workflow == config.deploy.production.workflow == "deploy.yml"
    assert not any("workflows" in one["filename"] for one in files)


async def test_what_a_repository_has_is_left_alone(stand: Stand) -> None:
    mine = {PATH: "version: 1\n", ".github/PULL_REQUEST_TEMPLATE.md": "mine\n"}
    await stand.olga.push(stand.shop, "main", mine, "ours")
    async with wizard_on(stand.settings()) as wizard:
        await installed(stand, wizard)
        done = await wizard.submit("/prepare", repository="acme/shop", files="1")
        assert "There already, untouched: .github/chimera.yml" in done.text
    pull = (await stand.olga.ask("GET", "/repos/acme/shop/pulls"))[0]
    files = await stand.olga.ask("GET", f"/repos/acme/shop/pulls/{pull['number']}/files")
    assert [one["filename"] for one in files] == [".github/ISSUE_TEMPLATE/chimera.yml"]


async def test_only_a_repository_of_the_installation_is_prepared(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await installed(stand, wizard)
        answer = await wizard.submit("/prepare", repository="acme/../other", labels="1")
    assert answer.status_code == 422


async def test_the_deploy_workflow_is_a_link_and_a_file(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await installed(stand, wizard)
        shown = (await wizard.browser.get(f"{wizard.base}/")).text
    link = re.search(r'href="([^"]+/new/main\?[^"]+)"', shown)
    assert link is not None
    address = unescape(link[1])
    assert len(address) < 8_000, "a browser and GitHub have to take it"
    query = parse_qs(urlsplit(address).query)
    assert query["filename"] == [WORKFLOW_PATH]
    copy = (stand.data_dir / "deploy.yml").read_text()
    assert query["value"] == [copy]
    assert "inputs" in yaml.safe_load(copy)[True]["workflow_dispatch"]


async def test_after_finish_every_page_is_gone(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await installed(stand, wizard)
        assert "Done" in (await wizard.submit("/finish")).text
        outcome = await wizard.running
        assert outcome.finished
        assert outcome.app_id == app_in(stand)
        with pytest.raises(httpx.ConnectError):
            await wizard.browser.get(f"{wizard.base}/")


async def test_started_again_it_goes_on_with_the_same_app(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await wizard.enter()
        await wizard.make_app(stand.hub.base_url)
    async with wizard_on(stand.settings()) as wizard:
        assert "Install the App" in (await wizard.enter()).text
        answer = await wizard.submit("/register", hub=stand.hub.base_url, name="second")
        assert answer.status_code == 410
    made = [one for one in stand.hub.world.apps.values() if one.owner.login == "acme"]
    assert len(made) == 1


async def test_when_the_time_is_over_it_ends(stand: Stand) -> None:
    async with wizard_on(stand.settings(), life_s=0.1) as wizard:
        outcome = await wizard.running
    assert (outcome.finished, outcome.app_id) == (False, None)


async def test_a_data_directory_that_cannot_be_written_is_told_before_an_app_exists(
    stand: Stand, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    async with wizard_on(stand.settings(data_dir=tmp_path / "file" / "data")) as wizard:
        await wizard.enter()
        answer = await wizard.submit("/register", hub=stand.hub.base_url, name="x")
    assert answer.status_code == 422
    assert "cannot be written" in answer.text
