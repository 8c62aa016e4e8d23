"""The webhook's door: what is accepted, what is refused, in which order, and never a 500."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.errors import StoreError
from bot.events import IssueLabeled
from bot.github.webhook import from_json
from bot.tasks.queue import TaskQueue
from bot.web.parts import WebSettings
from tests.web.deliveries import body_of, headers_for, labeled
from tests.web.house import SECRET, Clock, House

GOOD = body_of(labeled())
LIMIT = 25 * 1024 * 1024


async def post(
    client: httpx.AsyncClient, body: bytes = GOOD, path: str = "/webhook", **headers: Any
) -> httpx.Response:
    return await client.post(path, content=body, headers=headers_for(body, **headers))


@pytest.mark.parametrize("path", ["/webhook", "/api/github/webhooks"])
async def test_a_signed_delivery_is_stored_as_an_event_before_it_is_accepted(
    house: House, client: httpx.AsyncClient, path: str
) -> None:
    answer = await post(client, path=path)
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    [row] = await house.queue.pending()
    event = from_json(row.payload_text)
    assert isinstance(event, IssueLabeled)
    assert (event.issue.title, event.label) == ("Add logout", "chimera")


async def test_the_same_delivery_again_is_a_duplicate_and_stored_once(
    house: House, client: httpx.AsyncClient
) -> None:
    await post(client)
    answer = await post(client)
    assert (answer.status_code, answer.json()["status"]) == (200, "duplicate")
    assert len(await house.queue.pending()) == 1


@pytest.mark.parametrize("name", ["ping", "sponsorship", "an_event_of_tomorrow"])
async def test_an_event_that_means_nothing_to_us_is_ignored_and_not_stored(
    house: House, client: httpx.AsyncClient, name: str
) -> None:
    answer = await post(client, x_github_event=name)
    assert (answer.status_code, answer.json()["status"]) == (202, "ignored")
    assert await house.queue.pending() == []


ORDER: list[tuple[str, dict[str, str | None], int]] = [
    ("nothing", {}, 202),
    ("unreadable", {}, 400),
    ("not json by its type", {"content_type": "text/plain"}, 415),
    ("badly signed", {"x_hub_signature_256": "sha256=" + "0" * 64}, 401),
    ("no event name", {"x_github_event": None}, 400),
]


@pytest.mark.parametrize("first", range(1, len(ORDER)))
async def test_of_many_faults_the_earlier_check_answers(
    client: httpx.AsyncClient, first: int
) -> None:
    faults: dict[str, Any] = {}
    for _, fault, _ in ORDER[: first + 1]:
        faults |= fault
    answer = await post(client, b"{not json", **faults)
    assert answer.status_code == ORDER[first][2], ORDER[first][0]
    assert answer.headers["content-type"] == "application/problem+json"


async def test_size_is_checked_before_headers_and_signature(client: httpx.AsyncClient) -> None:
    answer = await client.post("/webhook", content=b"x" * (LIMIT + 1))
    assert answer.status_code == 413


async def test_a_body_of_exactly_the_limit_is_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/webhook", content=b"x" * LIMIT)
    assert answer.status_code == 400  # it is read, and then has no headers


async def test_a_body_without_a_declared_size_is_refused_while_it_is_read(
    client: httpx.AsyncClient,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * (1024 * 1024)

    answer = await client.post("/webhook", content=endless())
    assert answer.status_code == 413
    assert sent <= 27


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_only_post_is_a_method_of_the_webhook(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/webhook")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", "sha1=abc", "sha256=" + "0" * 64, "sha256=ü", "0" * 64],
)
async def test_every_bad_signature_gets_the_same_401(
    client: httpx.AsyncClient, signature: str | None
) -> None:
    headers = {
        name.encode(): value.encode()
        for name, value in headers_for(GOOD, x_hub_signature_256=signature).items()
    }
    answer = await client.post("/webhook", content=GOOD, headers=headers)
    usual = await post(client, x_hub_signature_256="sha256=" + "1" * 64)
    assert answer.status_code == 401
    assert answer.json() == usual.json()


async def test_while_draining_a_delivery_is_not_acknowledged(
    house: House, client: httpx.AsyncClient
) -> None:
    house.is_draining = True
    answer = await post(client)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert await house.queue.pending() == []


class _FullDisk(TaskQueue):
    async def accept_all(self, *_: object) -> list[bool]:
        raise StoreError("database or disk is full")


class _Broken(TaskQueue):
    async def accept_all(self, *_: object) -> list[bool]:
        raise RuntimeError("nobody expected this")


@pytest.mark.parametrize("kind", [_FullDisk, _Broken])
async def test_trouble_of_ours_is_a_503_and_never_an_acknowledgement(
    house: House, kind: type[TaskQueue]
) -> None:
    async with house.client(queue=kind(house.store, Clock())) as client:
        answer = await post(client)
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("body", [GOOD, b"{not json"])
async def test_a_server_without_a_secret_says_so_and_believes_nobody(
    house: House, body: bytes
) -> None:
    house.settings = WebSettings()
    with capture_logs() as logged:
        async with house.client() as client:
            answer = await post(client, body)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert "no webhook secret" in answer.json()["detail"]
    assert await house.queue.pending() == []
    [line] = [line for line in logged if line["event"] == "webhook_secret_missing"]
    assert "CHIMERA_WEBHOOK_SECRET" in line["fix"]


async def test_a_body_that_trickles_is_given_up_after_the_deadline(house: House) -> None:
    house.settings = WebSettings(webhook_secrets=(SECRET,), body_deadline_s=0.05)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    async with house.client() as client:
        answer = await asyncio.wait_for(client.post("/webhook", content=trickle()), 5)
    assert answer.status_code == 408
    assert answer.headers["connection"] == "close"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_EVENTS = [
    "issues",
    "issue_comment",
    "pull_request",
    "pull_request_review",
    "check_run",
    "check_suite",
    "workflow_run",
    "deployment_status",
    "push",
    "installation",
    "repository",
]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=st.binary(max_size=400) | _json.map(body_of), event=st.sampled_from(_EVENTS), signed=...)
async def test_no_bytes_whatever_make_a_500(
    client: httpx.AsyncClient, raw: bytes, event: str, signed: bool
) -> None:
    signature = {} if signed else {"x_hub_signature_256": "sha256=0"}
    guid = str(uuid4())
    answer = await post(client, raw, x_github_event=event, x_github_delivery=guid, **signature)
    assert answer.status_code in ({200, 202, 400} if signed else {401})


_fields = st.sampled_from(["action", "label", "issue", "repository", "sender", "installation"])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(outer=_fields, value=_json, inner=st.sampled_from(["title", "body", "user", "number", "id"]))
async def test_a_signed_delivery_with_any_member_replaced_is_a_2xx(
    client: httpx.AsyncClient, outer: str, value: Any, inner: str
) -> None:
    payload = labeled(**{outer: value})
    payload["issue"] = (
        {**labeled()["issue"], inner: value} if outer == "label" else payload["issue"]
    )
    answer = await post(client, body_of(payload), x_github_delivery=str(uuid4()))
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"[" * 100_000 + b"]" * 100_000,
        body_of(labeled()).replace(b"Add logout", b"\\ud800 lone"),
        body_of(labeled()).replace(b"Add logout", b"nul \\u0000"),
        b'{"action": 1' + b"0" * 5000 + b"}",
    ],
)
async def test_odd_but_valid_json_is_taken_after_a_valid_signature(
    client: httpx.AsyncClient, raw: bytes
) -> None:
    assert (await post(client, raw)).status_code in {200, 202}
