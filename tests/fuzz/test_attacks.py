"""Every door of API and dashboard, taken from the tables of routes: a new door is attacked, too."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.web.auth import Scope
from bot.web.bodies import NewPriority
from bot.web.parts import WebSettings
from bot.web.routes import API, PAGES
from bot.web.row import Row
from tests.web.house import OTHER, SECRET, House, opened_house

ROWS = [*API, *PAGES]
STREAM = "text/event-stream"
OF_A_TASK = [row for row in ROWS if "{task_id}" in row.path and row.media_type != STREAM]
CHANGING = [row for row in ROWS if row.method != "GET"]
SIGNS_OUT = "/sign-out"  #: takes nothing but the session away, and needs none
SECRETS = "a title that only its readers know"


def named(row: Row) -> str:
    return f"{row.method} {row.path}"


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened_house(tmp_path) as house:
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


async def asked(
    client: httpx.AsyncClient, row: Row, task_id: str, headers: dict[str, str]
) -> httpx.Response:
    """The row's answer; every part of the path that names no task is `cancel` or a made-up name."""
    path = row.path.replace("{task_id}", task_id).replace("{verb}", "cancel")
    body = {"priority": 5} if row.body is NewPriority else None
    path = re.sub(r"{\w+}", "none", path)
    return await client.request(row.method, path, headers=headers, json=body)


async def bearer(house: House, *, scope: Scope, repos: tuple[int, ...] = ()) -> dict[str, str]:
    token = await house.tokens.create("somebody", scopes=(scope,), repos=repos)
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_no_door_opens_without_a_token_where_one_exists(
    house: House, client: httpx.AsyncClient, row: Row
) -> None:
    await bearer(house, scope=Scope.READ)
    task = await house.add(SECRETS, issue=1)
    for headers in ({}, {"authorization": "Bearer chim_made_up"}, {"authorization": "Basic eDp5"}):
        answer = await asked(client, row, task.id, headers)
        assert answer.status_code in {401, 303}, headers
        assert SECRETS not in answer.text


@pytest.mark.parametrize("row", OF_A_TASK, ids=named)
async def test_a_task_of_another_repository_is_not_there(
    house: House, client: httpx.AsyncClient, row: Row
) -> None:
    headers = await bearer(house, scope=Scope.WRITE, repos=(7,))
    theirs = await house.add(SECRETS, repo=OTHER, issue=1)
    answer = await asked(client, row, theirs.id, headers)
    assert answer.status_code in {403, 404}
    assert SECRETS not in answer.text
    assert (await house.queue.get(theirs.id)).updated_at == theirs.updated_at


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r not in OF_A_TASK and r.method == "GET" and r.media_type != STREAM],
    ids=named,
)  # fmt: skip
async def test_no_list_tells_of_another_repository(
    house: House, client: httpx.AsyncClient, row: Row
) -> None:
    headers = await bearer(house, scope=Scope.READ, repos=(7,))
    theirs = await house.add(SECRETS, repo=OTHER, issue=1)
    answer = await asked(client, row, "none", headers)
    assert answer.status_code in {200, 403, 404}
    assert SECRETS not in answer.text
    assert theirs.id not in answer.text


@pytest.mark.parametrize("row", [r for r in CHANGING if r.path != SIGNS_OUT], ids=named)
async def test_who_may_only_read_changes_nothing(
    house: House, client: httpx.AsyncClient, row: Row
) -> None:
    headers = await bearer(house, scope=Scope.READ)
    task = await house.add(issue=1)
    answer = await asked(client, row, task.id, headers)
    assert answer.status_code == 403
    assert (await house.queue.get(task.id)).updated_at == task.updated_at


@pytest.mark.parametrize("row", CHANGING, ids=named)
@pytest.mark.parametrize(
    "foreign", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
async def test_a_page_of_another_site_changes_nothing_at_any_door(
    house: House, client: httpx.AsyncClient, row: Row, foreign: dict[str, str]
) -> None:
    task = await house.add(issue=1)
    answer = await asked(client, row, task.id, foreign)
    assert answer.status_code == 403
    assert (await house.queue.get(task.id)).updated_at == task.updated_at


@pytest.mark.parametrize("row", [r for r in OF_A_TASK if r.method == "GET"], ids=named)
async def test_looking_changes_nothing(house: House, client: httpx.AsyncClient, row: Row) -> None:
    task = await house.add(issue=1)
    before = await house.queue.get(task.id)
    await asked(client, row, task.id, {})
    assert await house.queue.get(task.id) == before


@pytest.mark.parametrize("row", [r for r in PAGES if r.media_type == "text/html"], ids=named)
async def test_every_page_and_every_refusal_has_the_strict_policy(
    house: House, client: httpx.AsyncClient, row: Row
) -> None:
    task = await house.add(issue=1)
    for task_id in (task.id, "none"):
        answer = await asked(client, row, task_id, {})
        if answer.status_code == 303:
            continue
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("row", [r for r in API if r.body is not None], ids=named)
@pytest.mark.parametrize("body", [b'{"unknown": 1}', b"[]", b'"x"', b"{", b"\xff", b"1e999"])
async def test_every_body_is_read_strictly(
    house: House, client: httpx.AsyncClient, row: Row, body: bytes
) -> None:
    task = await house.add(issue=1)
    path = row.path.replace("{task_id}", task.id)
    answer = await client.request(
        row.method, path, content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_is_nowhere_in_the_store(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        token = await house.tokens.create("somebody", scopes=(Scope.READ,))
        kept = await asyncio.to_thread(everything_in, tmp_path)
    assert b"SQLite format 3" in kept
    assert token.encode() not in kept
    assert token.removeprefix("chim_").encode() not in kept


async def test_no_request_is_made_to_the_target_of_a_wish(house: House) -> None:
    visits: list[object] = []
    listener = await asyncio.start_server(lambda *visit: visits.append(visit), "127.0.0.1", 0)
    address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    house.settings = WebSettings(
        webhook_secrets=(SECRET,),
        default_repository="octo/shop",
        allowed_hosts=frozenset({address}),
    )
    wish = {"feature": "Add logout", "target_url": f"http://{address}/latest/meta-data"}
    async with listener, house.client() as client:
        assert (await client.post("/api/tasks", json=wish)).status_code == 202
        refused = await client.post("/api/tasks", json=wish | {"target_url": "http://127.0.0.1/"})
        assert refused.status_code == 422
        await asyncio.sleep(0)  # whatever was begun has had its turn
    assert visits == []
