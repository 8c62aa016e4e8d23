"""Who may do what on the hub: App JWTs, installation tokens, people."""

import time
from typing import Any

import pytest

from bot.localhub.auth import JWT_LIFE_S
from tests.localhub.shop import Shop


async def test_an_installation_token_has_githubs_long_form(shop: Shop) -> None:
    token = await shop.new_token()
    assert token.startswith(f"ghs_{shop.app.id}_")
    assert 480 <= len(token) <= 560
    assert token.count(".") == 2


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) + JWT_LIFE_S + 3600},
        {"exp": int(time.time()) - 10},
        {"iat": int(time.time()) + 3600},
        {"exp": "soon"},
    ],
)
async def test_a_jwt_with_wrong_times_is_refused(shop: Shop, claims: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {shop.jwt(**claims)}"}
    assert (await shop.client.get("/app", headers=headers)).status_code == 401


async def test_a_jwt_signed_with_another_key_is_refused(shop: Shop) -> None:
    other = shop.hub.register_app("acme", "Other", permissions={}, events=[])
    shop.app.pem, own = other.pem, shop.app.pem
    forged = shop.jwt()
    shop.app.pem = own
    headers = {"Authorization": f"Bearer {forged}"}
    assert (await shop.client.get("/app", headers=headers)).status_code == 401


async def test_an_expired_token_is_bad_credentials(shop: Shop) -> None:
    token = await shop.new_token()
    shop.hub.expire_tokens(shop.installation_id)
    answer = await shop.bot("GET", "/issues", token=token)
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")


async def test_a_token_without_the_permission_is_refused(shop: Shop) -> None:
    token = await shop.new_token({"permissions": {"issues": "read"}})
    assert (await shop.bot("GET", "/issues", token=token)).status_code == 200
    refused = await shop.bot("POST", "/issues", {"title": "x"}, token=token)
    assert refused.status_code == 403
    assert refused.json()["message"] == "Resource not accessible by integration"


async def test_a_token_cannot_ask_for_more_than_was_granted(shop: Shop) -> None:
    path = f"/app/installations/{shop.installation_id}/access_tokens"
    answer = await shop.as_app("POST", path, {"permissions": {"administration": "write"}})
    assert answer.status_code == 422


async def test_a_token_for_one_repository_does_not_reach_another(shop: Shop) -> None:
    shop.hub.create_repository("acme", "other", {"a": "b"}, private=True)
    token = await shop.new_token({"repositories": ["shop"]})
    assert (await shop.bot("GET", "", token=token)).status_code == 200
    assert (await shop.bot("GET", "/repos/acme/other", token=token)).status_code == 404
    listed = await shop.bot("GET", "/installation/repositories", token=token)
    assert [one["name"] for one in listed.json()["repositories"]] == ["shop"]


async def test_a_private_repository_does_not_exist_for_strangers(shop: Shop) -> None:
    shop.hub.configure(shop.repo, private=True)
    headers = {"Authorization": f"Bearer {shop.stranger.token}"}
    assert (await shop.client.get("/repos/acme/shop", headers=headers)).status_code == 404
    assert (await shop.client.get("/repos/acme/shop")).status_code == 404
    assert (await shop.bot("GET", "")).status_code == 200


@pytest.mark.parametrize(
    ("role", "folded"),
    [
        ("none", "read"),
        ("read", "read"),
        ("triage", "read"),
        ("write", "write"),
        ("maintain", "write"),
        ("admin", "admin"),
    ],
)
async def test_the_permission_of_a_person_is_folded_and_the_role_is_not(
    shop: Shop, role: str, folded: str
) -> None:
    if role != "none":
        shop.hub.set_role(shop.repo, "sam", role)
    answer = (await shop.bot("GET", "/collaborators/sam/permission")).json()
    assert answer["permission"] == folded
    assert answer["role_name"] == ("read" if role == "none" else role)
    assert answer["user"]["login"] == "sam"


async def test_a_suspended_installation_gets_nothing(shop: Shop) -> None:
    token = await shop.new_token()
    shop.hub.suspend(shop.installation_id)
    assert (await shop.bot("GET", "", token=token)).status_code == 403
    shop.hub.unsuspend(shop.installation_id)
    assert (await shop.bot("GET", "", token=token)).status_code == 200
    shop.hub.uninstall(shop.installation_id)
    assert (await shop.bot("GET", "", token=token)).status_code == 401
    assert shop.actions("installation") == ["created", "suspend", "unsuspend", "deleted"]


async def test_an_app_sees_its_installation_from_the_repository(shop: Shop) -> None:
    answer = await shop.as_app("GET", "/repos/acme/shop/installation")
    assert answer.json()["id"] == shop.installation_id
    listed = await shop.as_app("GET", "/app/installations")
    assert [one["id"] for one in listed.json()] == [shop.installation_id]
    assert (await shop.as_app("GET", "/app")).json()["slug"] == "chimera"
