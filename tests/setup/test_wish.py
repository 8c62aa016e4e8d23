"""The first form: what it accepts, what follows from it, and where credentials go."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.config.settings import Settings
from bot.errors import ConfigError, WrongState
from bot.github.app_types import NewApp
from bot.setup.credentials import save
from bot.setup.wish import LOOPBACK, Wish, wish_of

APP = NewApp(
    id=7,
    slug="chimera",
    html_url="https://github.com/apps/chimera",
    client_id="Iv1",
    client_secret="client-canary",
    webhook_secret="hook-canary",
    pem="-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n",
)


@pytest.mark.parametrize(
    ("hub", "api"),
    [
        ("", "https://api.github.com"),
        ("github.com", "https://api.github.com"),
        ("https://github.com/", "https://api.github.com"),
        ("https://octo.ghe.com", "https://api.octo.ghe.com"),
        ("https://github.example.com", "https://github.example.com/api/v3"),
        ("github.example.com:8443", "https://github.example.com:8443/api/v3"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000/api/v3"),
    ],
)
def test_the_api_follows_from_the_hub_and_the_settings_find_back(hub: str, api: str) -> None:
    wish = wish_of({"hub": hub, "name": "chimera"})
    assert wish.api_url == api
    assert Settings(api_url=api).hub_url == wish.hub


@pytest.mark.parametrize(
    ("given_url", "hook_url", "public_url"),
    [
        ("", "", ""),
        ("https://c.example.com", "https://c.example.com/webhook", "https://c.example.com"),
        ("https://c.example.com/", "https://c.example.com/webhook", "https://c.example.com"),
        (
            "https://c.example.com/a/webhook",
            "https://c.example.com/a/webhook",
            "",
        ),
        ("https://smee.io/AbC", "https://smee.io/AbC", ""),
    ],
)
def test_a_bare_host_is_our_server_and_a_channel_stays(
    given_url: str, hook_url: str, public_url: str
) -> None:
    wish = wish_of({"name": "chimera", "hook_url": given_url})
    assert (wish.hook_url, wish.public_url) == (hook_url, public_url)


@given(
    st.dictionaries(
        st.sampled_from(["hub", "organisation", "name", "hook_url", "permit"]), st.text()
    )
)
def test_whatever_is_typed_becomes_a_wish_or_words(form: dict[str, str]) -> None:
    try:
        hub = urlsplit(wish_of(form).hub)
    except ConfigError:
        return
    assert hub.scheme == "https" or hub.hostname in LOOPBACK


def test_what_the_file_said_before_stays_with_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "settings.yml"
    path.write_text("# mine\nport: 9000\n")
    save(tmp_path, Wish(), APP)
    text = path.read_text()
    assert text.startswith("# mine\nport: 9000\n\n# The GitHub App chimera,")
    found = yaml.safe_load(text)
    assert (found["port"], found["app_id"], found["private_key"]) == (9000, 7, APP.pem)
    assert "client-canary" not in text


def test_the_client_secret_is_kept_where_people_can_be_sent_back_to(tmp_path: Path) -> None:
    save(tmp_path, Wish(hook_url="https://chimera.example.com/webhook"), APP)
    found = yaml.safe_load((tmp_path / "settings.yml").read_text())
    assert (found["client_id"], found["client_secret"]) == (APP.client_id, APP.client_secret)


def test_an_app_that_stands_there_is_never_replaced(tmp_path: Path) -> None:
    save(tmp_path, Wish(), APP)
    before = (tmp_path / "settings.yml").read_bytes()
    with pytest.raises(WrongState, match="names an App already"):
        save(tmp_path, Wish(), APP)
    assert (tmp_path / "settings.yml").read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["settings.yml"]
