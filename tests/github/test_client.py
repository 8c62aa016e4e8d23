"""The faults of the wire, and what becomes of them."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from bot.domain import RepoRef
from bot.errors import (
    AuthFailed,
    ConfigError,
    Conflict,
    RateLimited,
    Refused,
    StepError,
    Transient,
    Uncertain,
)
from bot.github.client import GitHub
from bot.github.kit import CONNECT_S, WHOLE_S
from bot.github.names import BadName
from bot.github.repo import Repo
from bot.log import mask
from tests.github.wire import API, PEM, REPO, Clock, Wire, github

NOW = 1_800_000_000.0
BAD_GATEWAY = httpx.Response(502, text="<html>Bad Gateway</html>")
ISSUE = httpx.Response(200, json={"number": 1, "title": "x"})
MADE = httpx.Response(201, json={"id": 11, "html_url": "http://hub/c"})


Call = Callable[[Wire], Awaitable[None]]


async def read(wire: Wire) -> None:
    await Repo(github(wire), REPO).issue(1)


async def write(wire: Wire) -> None:
    await Repo(github(wire), REPO).create_comment(1, "hello")


# ── which call is repeated ───────────────────────────────────────────────────────────────────


async def test_a_read_is_repeated_after_a_passing_failure() -> None:
    wire = Wire(BAD_GATEWAY, httpx.ConnectError("refused"), ISSUE)
    await read(wire)
    assert wire.sent == ["GET /repos/acme/shop/issues/1"] * 3


async def test_a_read_is_given_up_after_three_calls() -> None:
    wire = Wire(BAD_GATEWAY)
    with pytest.raises(Transient, match="502"):
        await read(wire)
    assert len(wire.sent) == 3


@pytest.mark.parametrize(
    "answer",
    [
        BAD_GATEWAY,
        httpx.Response(500, text=""),
        httpx.Response(504, text=""),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("closed"),
        httpx.Response(201, text="<html>not JSON</html>"),
        httpx.Response(201, json=[]),
        httpx.Response(201, json={"id": None}),
    ],
)
async def test_a_write_without_a_readable_answer_is_uncertain_and_sent_once(
    answer: httpx.Response | Exception,
) -> None:
    wire = Wire(answer)
    with pytest.raises(Uncertain):
        await write(wire)
    assert wire.sent == ["POST /repos/acme/shop/issues/1/comments"]


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
async def test_no_method_that_writes_is_repeated(method: str) -> None:
    wire = Wire(BAD_GATEWAY)
    with pytest.raises(Uncertain):
        await github(wire).call(method, "/x", installation_id=5)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("error", [httpx.ConnectError("no"), httpx.ConnectTimeout("no")])
async def test_a_write_that_never_left_is_transient(error: Exception) -> None:
    wire = Wire(error)
    with pytest.raises(Transient):
        await write(wire)
    assert len(wire.sent) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirected_write_is_a_conflict_and_not_followed(status: int) -> None:
    wire = Wire(httpx.Response(status, headers={"location": f"{API}/repositories/7/x"}))
    with pytest.raises(Conflict, match="renamed"):
        await write(wire)
    assert len(wire.sent) == 1


async def test_a_redirected_read_is_followed_without_the_token_on_another_host() -> None:
    there = httpx.Response(302, headers={"location": "http://elsewhere.test/log"})
    wire = Wire(there, httpx.Response(200, text="the log"))
    assert await Repo(github(wire), REPO).job_log(4, limit=3) == "log"
    assert "authorization" in wire.requests[0].headers
    assert "authorization" not in wire.requests[1].headers


# ── deadlines ────────────────────────────────────────────────────────────────────────────────


async def test_every_call_has_its_deadlines() -> None:
    wire = Wire(ISSUE)
    await read(wire)
    limits = wire.requests[0].extensions["timeout"]
    assert limits == {"connect": CONNECT_S, "read": WHOLE_S, "write": WHOLE_S, "pool": CONNECT_S}


class Trickle(httpx.AsyncByteStream):
    """A body that comes a byte at a time and never ends."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)


class TricklingWire(Wire):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        minted = request.url.path.endswith("/access_tokens")
        return answer if minted else httpx.Response(200, stream=Trickle())


@pytest.mark.parametrize(("call", "error", "calls"), [(read, Transient, 3), (write, Uncertain, 1)])
async def test_a_body_that_trickles_for_ever_is_given_up(
    call: Call, error: type[StepError], calls: int
) -> None:
    wire = TricklingWire()
    hub = GitHub(app_id=3, private_key=PEM, api_url=API, transport=wire, backoff_s=0.0, whole_s=0.1)
    repo = Repo(hub, REPO)
    with pytest.raises(error, match="TimeoutError"):
        await (repo.issue(1) if call is read else repo.create_comment(1, "x"))
    assert len(wire.sent) == calls


async def test_an_answer_without_end_is_not_read_to_the_end() -> None:
    with pytest.raises(Uncertain, match="exceeds"):
        await write(Wire(httpx.Response(200, content=b"x" * (33 * 1024 * 1024))))


# ── limits ───────────────────────────────────────────────────────────────────────────────────

SECONDARY = {"message": "You have exceeded a secondary rate limit."}


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (httpx.Response(429, headers={"retry-after": "17"}), 17),
        (httpx.Response(403, headers={"retry-after": "0"}), 0),
        (httpx.Response(403, headers={"retry-after": "30"}, json=SECONDARY), 30),
        (httpx.Response(403, json=SECONDARY), 60),
        (httpx.Response(429), 60),
        (
            httpx.Response(
                403,
                headers={
                    "x-ratelimit-remaining": "0",
                    "x-ratelimit-reset": f"{NOW + 3300:.0f}",
                },
            ),
            3300,
        ),
        (
            httpx.Response(
                429,
                headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW - 9:.0f}"},
            ),
            1,
        ),
        (httpx.Response(429, headers={"retry-after": "999999"}), 3900),
        (httpx.Response(429, headers={"retry-after": "Wed, 21 Oct"}), 60),
    ],
)
@pytest.mark.parametrize("call", [read, write])
async def test_a_limit_in_any_form_says_when_to_come_again(
    call: Call, answer: httpx.Response, wait_s: float
) -> None:
    wire = Wire(answer)
    with pytest.raises(RateLimited) as caught:
        await call(wire)
    assert caught.value.retry_at == NOW + wait_s
    assert len(wire.sent) == 1


async def test_a_silent_limit_doubles_and_starts_again_after_a_served_call() -> None:
    clock, silent = Clock(), httpx.Response(429)
    repo = Repo(github(Wire(silent, silent, ISSUE, silent), clock), REPO)
    for wait_s in (60, 120, None, 60):
        if wait_s is None:
            await repo.issue(1)
            continue
        with pytest.raises(RateLimited) as caught:
            await repo.issue(1)
        assert caught.value.retry_at == clock.at + wait_s
        clock.at += wait_s + 1


async def test_while_a_limit_lasts_nothing_is_sent() -> None:
    clock, wire = Clock(), Wire(httpx.Response(429, headers={"retry-after": "17"}), ISSUE)
    repo = Repo(github(wire, clock), REPO)
    for _ in range(3):
        with pytest.raises(RateLimited):
            await repo.issue(1)
    assert len(wire.sent) == 1
    clock.at += 18
    assert (await repo.issue(1)).number == 1


async def test_another_403_is_a_plain_refusal() -> None:
    body = {"message": "Resource not accessible by integration"}
    with pytest.raises(Refused, match="not accessible") as caught:
        await write(Wire(httpx.Response(403, json=body)))
    assert caught.value.status == 403


async def test_the_sixty_first_creating_call_in_a_minute_waits_for_its_time() -> None:
    clock, wire = Clock(), Wire(MADE)
    repo = Repo(github(wire, clock), REPO)
    for _ in range(60):
        await repo.create_comment(1, "x")
        clock.at += 0.5
    with pytest.raises(RateLimited) as caught:
        await repo.create_comment(1, "x")
    assert caught.value.retry_at == NOW + 60
    assert len(wire.sent) == 60
    await repo.edit_comment(9, "an edit creates nothing")
    clock.at = NOW + 60.1
    await repo.create_comment(1, "x")


async def test_the_four_hundred_and_first_in_an_hour_waits_too() -> None:
    clock = Clock()
    repo = Repo(github(Wire(MADE), clock), REPO)
    for _ in range(400):
        await repo.create_comment(1, "x")
        clock.at += 2
    with pytest.raises(RateLimited) as caught:
        await repo.create_comment(1, "x")
    assert caught.value.retry_at == NOW + 3600


async def test_what_an_earlier_process_has_created_counts() -> None:
    clock, wire = Clock(), Wire(MADE)
    hub = github(wire, clock)
    hub.recall(REPO.installation_id, [NOW - 59 + n / 60 for n in range(59)])
    await Repo(hub, REPO).create_comment(1, "x")
    with pytest.raises(RateLimited) as caught:
        await Repo(hub, REPO).create_comment(1, "x")
    assert caught.value.retry_at == NOW + 1
    assert len(wire.sent) == 1


async def test_one_write_at_a_time_and_reads_beside_it() -> None:
    busy = most = 0

    async def slow(request: httpx.Request) -> httpx.Response:
        nonlocal busy, most
        if request.method == "GET":
            return ISSUE
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.005)
        busy -= 1
        return MADE

    repo = Repo(github(Wire(slow)), REPO)
    await asyncio.gather(*(repo.create_comment(1, "x") for _ in range(5)), repo.issue(1))
    assert most == 1


async def test_writes_keep_their_distance_and_a_long_queue_is_sent_away() -> None:
    wire = Wire(MADE)
    spaced = GitHub(app_id=3, private_key=PEM, api_url=API, transport=wire, write_spacing_s=0.7)
    repo = Repo(spaced, REPO)
    started = time.monotonic()
    results = await asyncio.gather(
        *(repo.create_comment(1, "x") for _ in range(6)), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, RateLimited)]
    assert len(wire.sent) + len(refused) == 6
    assert refused
    assert time.monotonic() - started >= 0.7 * (len(wire.sent) - 1)


# ── credentials ──────────────────────────────────────────────────────────────────────────────


async def test_ten_first_calls_at_once_mint_one_token() -> None:
    wire = Wire(ISSUE)
    repo = Repo(github(wire), REPO)
    await asyncio.gather(*(repo.issue(1) for _ in range(10)))
    assert (wire.minted, len(wire.sent)) == (1, 10)


@pytest.mark.parametrize("call", [read, write])
async def test_a_401_renews_the_token_once_and_calls_again(call: Call) -> None:
    wire = Wire(httpx.Response(401, json={"message": "Bad credentials"}), MADE)
    wire.answers[1] = httpx.Response(201, json={"id": 1, "number": 1})
    await call(wire)
    assert wire.authorizations == ["Bearer ghs_5_token.0001", "Bearer ghs_5_token.0002"]


async def test_a_401_for_good_is_an_error_after_two_calls() -> None:
    wire = Wire(httpx.Response(401))
    with pytest.raises(AuthFailed):
        await read(wire)
    assert (len(wire.sent), wire.minted) == (2, 2)


async def test_ten_calls_that_meet_a_401_renew_the_token_once() -> None:
    def old_is_refused(request: httpx.Request) -> httpx.Response:
        fresh = request.headers["authorization"].endswith("0002")
        return ISSUE if fresh else httpx.Response(401)

    wire = Wire(old_is_refused)
    repo = Repo(github(wire), REPO)
    await asyncio.gather(*(repo.issue(1) for _ in range(10)))
    assert wire.minted == 2


async def test_a_token_is_renewed_before_it_ends() -> None:
    clock, wire = Clock(4_102_444_800.0 - 400), Wire(ISSUE)
    repo = Repo(github(wire, clock), REPO)
    await repo.issue(1)
    clock.at += 200  # less than five minutes are left
    await repo.issue(1)
    assert wire.minted == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(404, json={"message": "Not Found"}), AuthFailed),
        (httpx.Response(403, json={"message": "This installation is suspended"}), AuthFailed),
        (httpx.Response(401), AuthFailed),
        (httpx.Response(502), Transient),
        (httpx.ReadTimeout("slow"), Transient),
        (httpx.Response(201, json={}), Transient),
        (httpx.Response(429, headers={"retry-after": "5"}), RateLimited),
    ],
)
async def test_a_token_that_cannot_be_had_sends_no_write(
    answer: httpx.Response | Exception, error: type[StepError]
) -> None:
    wire = Wire(MADE)
    wire.token_answer = answer
    with pytest.raises(error):
        await write(wire)
    assert wire.sent == []


async def test_tokens_are_known_to_the_masker() -> None:
    wire = Wire(ISSUE)
    wire.token_answer = httpx.Response(201, json={"token": "v1.plain-and-unlike-any-pattern"})
    await read(wire)
    assert "plain-and-unlike" not in mask("x v1.plain-and-unlike-any-pattern y")


async def test_the_app_speaks_with_a_short_jwt_of_its_own() -> None:
    wire = Wire(httpx.Response(200, json={"id": 3}))
    await github(wire).get("/app", installation_id=0)
    token = wire.requests[0].headers["authorization"].removeprefix("Bearer ")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims == {"iat": NOW - 60, "exp": NOW + 540, "iss": "3"}
    assert wire.minted == 0


@pytest.mark.parametrize("pem", ["", "nonsense", PEM[:200]])
def test_a_broken_private_key_is_a_configuration_error_that_does_not_quote_it(pem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GitHub(app_id=3, private_key=pem)
    assert "MII" not in str(caught.value)


async def test_a_key_with_escaped_line_ends_works() -> None:
    escaped = GitHub(app_id=3, private_key=PEM.replace("\n", "\\n"), transport=Wire())
    await escaped.get("/app", installation_id=0)


# ── addresses ────────────────────────────────────────────────────────────────────────────────


async def test_the_version_of_the_api_is_stated() -> None:
    wire = Wire(ISSUE)
    await read(wire)
    assert wire.requests[0].headers["x-github-api-version"] == "2022-11-28"
    assert wire.requests[0].headers["accept"] == "application/vnd.github+json"


@pytest.mark.parametrize(
    ("api", "graphql", "web"),
    [
        ("https://api.github.com", "https://api.github.com/graphql", "https://github.com"),
        ("https://ghes.test/api/v3/", "https://ghes.test/api/graphql", "https://ghes.test"),
        (API, "http://127.0.0.1:9/api/graphql", "http://127.0.0.1:9"),
    ],
)
async def test_the_other_addresses_follow_from_the_api(api: str, graphql: str, web: str) -> None:
    made = GitHub(app_id=3, private_key=PEM, api_url=api)
    assert (made.graphql_url, made.web_url) == (graphql, web)


@pytest.mark.parametrize(
    ("owner", "name"),
    [("..", "user"), ("a", ".."), ("a", "."), ("a/b", "c"), ("a", "b/c"), ("a", "b?x"),
     ("", "b"), ("a", ""), ("a\n", "b"), ("a", "b\0"), ("a%2f", "b"), ("-a", "b")],
)  # fmt: skip
async def test_a_crafted_repository_is_refused(owner: str, name: str) -> None:
    wire = Wire()
    with pytest.raises(BadName):
        Repo(github(wire), RepoRef(id=1, owner=owner, name=name, installation_id=5))


async def test_crafted_arguments_never_leave() -> None:
    wire = Wire()
    repo = Repo(github(wire), REPO)
    for ref in ("../../../user", "a b", "a\nb", "", "-x", "a..b"):
        with pytest.raises(BadName):
            await repo.branch_sha(ref)
    for path in ("../x", "/x", "a/../../b", "a//b", ""):
        with pytest.raises(BadName):
            await repo.file(path, limit=9)
    for login in ("a/b", "..", ""):
        with pytest.raises(BadName):
            await repo.role_of(login)
    for number in (0, -1, True, 2**70):
        with pytest.raises(BadName):
            await repo.issue(number)
    for workflow in ("..", ".", ""):
        with pytest.raises(BadName):
            await repo.dispatch(workflow, ref="main", inputs={})
    for sha in ("HEAD", "abc", "a" * 41):
        with pytest.raises(BadName):
            await repo.merge(1, sha=sha, method="squash")
    assert wire.sent == []


async def test_a_name_with_odd_characters_stays_one_segment() -> None:
    wire = Wire(httpx.Response(204))
    await Repo(github(wire), REPO).remove_label(1, "a/../b ü?#")
    assert wire.requests[0].url.raw_path.endswith(b"/labels/a%2F..%2Fb%20%C3%BC%3F%23")


# ── pages and GraphQL ────────────────────────────────────────────────────────────────────────


async def test_all_pages_are_read() -> None:
    second = f'<{API}/repos/acme/shop/issues/1/comments?page=2>; rel="next"'
    wire = Wire(
        httpx.Response(200, json=[{"id": 1}, {"id": 2}], headers={"link": second}),
        httpx.Response(200, json=[{"id": 3}]),
    )
    comments = await Repo(github(wire), REPO).comments(1)
    assert [one.id for one in comments] == [1, 2, 3]
    assert dict(wire.requests[0].url.params) == {"per_page": "100"}
    assert dict(wire.requests[1].url.params) == {"page": "2"}


@pytest.mark.parametrize(
    "url", ["http://evil.test/api/v3/x", "http://127.0.0.1:9/api/v33/x", "http://127.0.0.1:9/x"]
)
async def test_a_next_page_elsewhere_is_not_asked_for(url: str) -> None:
    wire = Wire(httpx.Response(200, json=[], headers={"link": f'<{url}>; rel="next"'}))
    with pytest.raises(Transient, match="elsewhere"):
        await Repo(github(wire), REPO).comments(1)
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([{"type": "NOT_FOUND", "message": "no"}], Refused),
        ([{"type": "FORBIDDEN", "message": "no"}], Refused),
        ([{"type": "UNPROCESSABLE", "message": "no"}], Refused),
        ([{"type": "RATE_LIMITED", "message": "no"}], RateLimited),
        ([{"message": "Something went wrong while executing your query"}], Uncertain),
        ([], Uncertain),
    ],
)
async def test_errors_of_graphql_come_with_200(
    errors: list[dict[str, str]], kind: type[StepError]
) -> None:
    wire = Wire(httpx.Response(200, json={"errors": errors}))
    with pytest.raises(kind):
        await Repo(github(wire), REPO).mark_ready("PR_1")
    assert str(wire.requests[0].url) == "http://127.0.0.1:9/api/graphql"
    assert wire.body()["variables"] == {"id": "PR_1"}
