"""The gateway between a caged program and a model provider, against servers of four protocols."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from bot.agents.agent import Limits, UsageSource
from bot.agents.cage import Cage
from bot.agents.gateway import PORT, Gateway, opened
from bot.agents.gateway_dialects import Family, Upstream
from bot.agents.gateway_record import Exchange
from bot.errors import AuthFailed, RateLimited, Transient
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import Babble, CutOff, Fault, ModelServer, Say, Silence, Turn

KEY = "sk-CANARY-93c1-gateway"
Json = dict[str, Any]
TOOL = {"type": "function", "name": "look", "function": {"name": "look"}}


@dataclass(frozen=True)
class Way:
    """How one protocol is spoken to."""

    family: Family
    model: str
    path: str
    body: Mapping[str, object]
    header: str  #: where the key goes


WAYS = {
    "chat": Way(
        Family.OPENAI,
        "gpt-4o",
        "/v1/chat/completions",
        {"model": "gpt-4o", "messages": [], "tools": [TOOL]},
        "authorization",
    ),
    "responses": Way(
        Family.OPENAI,
        "gpt-5.2-codex",
        "/v1/responses",
        {"model": "gpt-5.2-codex", "input": [], "tools": [TOOL]},
        "authorization",
    ),
    "messages": Way(
        Family.ANTHROPIC,
        "claude-sonnet-5",
        "/v1/messages",
        {"model": "claude-sonnet-5", "messages": [], "tools": [{"name": "look"}]},
        "x-api-key",
    ),
    "gemini": Way(
        Family.GOOGLE,
        "gemini-2.5-pro",
        "/v1beta/models/gemini-2.5-pro:generateContent",
        {"contents": [], "tools": [{"functionDeclarations": [{"name": "look"}]}]},
        "x-goog-api-key",
    ),
}


@dataclass
class Opened:
    """A gateway with a server behind it and a program in front of it."""

    way: Way
    server: ModelServer
    gateway: Gateway
    program: httpx.AsyncClient
    kept: list[Exchange] = field(default_factory=list)
    recorded: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, *, stream: bool = False, **more: object) -> httpx.Response:
        """One request, its answer read to the end. Raises httpx.HTTPError where that breaks off."""
        path, body = self.way.path, {**self.way.body, **more}
        if self.way.family is not Family.GOOGLE:
            body["stream"] = stream
        elif stream:
            path = path.replace(":generate", ":streamGenerate") + "?alt=sse&key=from-inside"
        return await self.program.post(path, json=body, headers=OWN_KEYS)


OWN_KEYS = {
    "authorization": "Bearer from-inside",
    "x-api-key": "from-inside",
    "x-goog-api-key": "from-inside",
    "anthropic-beta": "context-1m",
    "cookie": "from-inside",
}


@asynccontextmanager
async def gateway(
    dialect: str, *turns: Turn, limits: Limits | None = None, models: tuple[str, ...] = ()
) -> AsyncIterator[Opened]:
    way, kept, recorded = WAYS[dialect], list[Exchange](), asyncio.Event()

    def record(exchange: Exchange) -> None:
        kept.append(exchange)
        recorded.set()

    async with ModelServer(list(turns)).running() as server:
        base = server.url + ("/v1" if way.family is Family.OPENAI else "")
        upstream = Upstream(
            family=way.family, models=models or (way.model,), key=KEY, base_url=base
        )
        async with (
            opened(upstream, limits or Limits(idle_s=10), record) as (made, out),
            httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(uds=str(out.socket)),
                base_url="http://gateway",
                timeout=20,
            ) as program,
        ):
            yield Opened(way, server, made, program, kept, recorded)


BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
EVERY = pytest.mark.parametrize("dialect", list(WAYS))


@EVERY
@BOTH
async def test_an_answer_passes_and_is_counted_by_the_providers_word(
    dialect: str, stream: bool
) -> None:
    async with gateway(dialect, Say(text="forty-two")) as at:
        answer = await at.ask(stream=stream)
        usage = at.gateway.usage()
    assert answer.status_code == 200
    assert "forty-two" in answer.text
    assert (usage.requests, usage.input_tokens, usage.output_tokens) == (1, 1000, 100)
    assert usage.source is UsageSource.GATEWAY
    assert usage.cost_usd is not None
    assert 0 < usage.cost_usd < 0.1


@EVERY
@BOTH
async def test_the_key_is_added_outside_and_the_programs_own_is_thrown_away(
    dialect: str, stream: bool
) -> None:
    async with gateway(dialect, Say(text="yes")) as at:
        answer = await at.ask(stream=stream)
        (heard,) = at.server.heard
    assert KEY in heard.headers[at.way.header]
    assert "from-inside" not in heard.target + json.dumps(dict(heard.headers))
    assert heard.headers["anthropic-beta"] == "context-1m"
    assert KEY not in answer.text + repr(answer.headers) + repr(at.kept) + repr(at.gateway)


@EVERY
async def test_a_model_that_is_not_listed_is_refused_before_anybody_is_asked(dialect: str) -> None:
    async with gateway(dialect, Say(text="yes"), models=("another",)) as at:
        answer = await at.ask()
        assert at.server.heard == []
        assert at.gateway.usage().requests == 0
    assert answer.status_code == 403
    assert "another is" in json.dumps(answer.json()["error"])
    assert at.kept[0].note.startswith("the model")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("HEAD", "/"),
        ("POST", "/v1/files"),
        ("POST", "/v1/fine_tuning/jobs"),
        ("POST", "/v1/chat/completions/../files"),
        ("POST", "/v1/messages"),
        ("POST", "/v1beta/models/gemini-2.5-pro:generateContent"),
        ("DELETE", "/v1/responses"),
        ("POST", "/v1/responses/"),
        ("POST", "/v1beta/models/../files:generateContent"),
    ],
)
async def test_only_listed_paths_of_the_one_provider_are_open(method: str, path: str) -> None:
    async with gateway("chat", Say(text="yes")) as at:
        answer = await at.program.request(method, path, json={"model": "gpt-4o"})
        assert at.server.heard == []
    assert answer.status_code == 404


async def test_a_member_that_stands_there_twice_is_read_once() -> None:
    """The gateway and the provider could otherwise each believe another one."""
    async with gateway("chat", Say(text="yes")) as at:
        body = '{"model": "o1-pro", "tools": [{"type": "function"}], "model": "gpt-4o"}'
        answer = await at.program.post(at.way.path, content=body)
        (heard,) = at.server.heard
    assert answer.status_code == 200
    assert heard.body["model"] == "gpt-4o"


@pytest.mark.parametrize("body", ["", "[]", "{", '"model"', "\ud800", "[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(body: str) -> None:
    async with gateway("chat", Say(text="yes")) as at:
        content = body.encode("utf-8", "surrogatepass")
        answer = await at.program.post(at.way.path, content=content)
        assert at.server.heard == []
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("dialect", "tools", "kept"),
    [
        ("responses", [{"type": "web_search"}, {"type": "function", "name": "f"}], ["function"]),
        ("responses", [{"type": "mcp", "server_url": "https://x.test"}], []),
        ("responses", [{"type": "code_interpreter"}, {"type": "custom", "name": "c"}], ["custom"]),
        ("messages", [{"type": "web_search_20260209", "name": "w"}, {"name": "mine"}], [None]),
        ("messages", [{"type": "code_execution_20260120", "name": "c"}], []),
        ("messages", [{"type": "bash_20250124", "name": "bash"}], ["bash_20250124"]),
    ],
)
async def test_tools_that_the_provider_would_run_are_taken_out(
    dialect: str, tools: list[Json], kept: list[str | None]
) -> None:
    async with gateway(dialect, Say(text="yes")) as at:
        await at.ask(tools=tools)
        (heard,) = at.server.heard
    assert [tool.get("type") for tool in heard.body["tools"]] == kept


async def test_google_keeps_the_functions_and_loses_the_search() -> None:
    tools = [{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}], "urlContext": {}}]
    async with gateway("gemini", Say(text="yes")) as at:
        await at.ask(tools=tools)
        (heard,) = at.server.heard
    assert heard.body["tools"] == [{"functionDeclarations": [{"name": "f"}]}]


def content(**part: object) -> list[Json]:
    return [{"role": "user", "content": [part]}]


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        (
            "chat",
            {"messages": content(type="image_url", image_url={"url": "https://x.test/?s=1"})},
        ),
        ("responses", {"input": content(type="input_image", image_url="https://x.test/?s=1")}),
        ("responses", {"input": content(type="input_file", file_url="https://x.test/?s=1")}),
        (
            "messages",
            {"messages": content(type="image", source={"type": "url", "url": "https://x.test"})},
        ),
        ("gemini", {"contents": [{"parts": [{"fileData": {"fileUri": "https://x.test"}}]}]}),
    ],
)
async def test_an_address_that_the_provider_would_fetch_is_refused(
    dialect: str, more: Json
) -> None:
    async with gateway(dialect, Say(text="yes")) as at:
        answer = await at.ask(**more)
        assert at.server.heard == []
    assert answer.status_code == 403
    assert "x.test" in answer.text


async def test_what_a_tool_was_called_with_is_not_taken_for_an_address() -> None:
    called = {"type": "tool_use", "id": "1", "name": "open", "input": {"url": "https://x.test"}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    async with gateway("messages", Say(text="yes")) as at:
        assert (await at.ask(messages=content(**called))).status_code == 200
    async with gateway("chat", Say(text="yes")) as at:
        assert (await at.ask(messages=content(**picture))).status_code == 200


async def test_nothing_of_a_run_is_stored_with_the_provider() -> None:
    async with gateway("responses", Say(text="yes")) as at:
        await at.ask(store=True, background=True)
        (heard,) = at.server.heard
    assert heard.body["store"] is False
    assert "background" not in heard.body


@pytest.mark.parametrize("asked", [False, True])
async def test_the_bill_of_a_stream_is_asked_for_and_shown_to_who_wanted_it(asked: bool) -> None:
    more = {"stream_options": {"include_usage": True}} if asked else {}
    async with gateway("chat", Say(text="yes")) as at:
        answer = await at.ask(stream=True, **more)
        assert at.gateway.usage().input_tokens == 1000
    assert ("prompt_tokens" in answer.text) is asked
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_without_a_known_price_there_is_none_and_the_tokens_are_the_limit() -> None:
    limits = Limits(tokens=1500, cost_usd=0.0001, idle_s=10)
    async with gateway("chat", Say(text="yes"), limits=limits, models=("house-model",)) as at:
        first, second, third = [await at.ask(model="house-model") for _ in range(3)]
        usage = at.gateway.usage()
        assert len(at.server.heard) == 2
        await asyncio.wait_for(at.gateway.trouble.wait(), 5)
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 403]
    assert usage.cost_usd is None
    assert usage.input_tokens + usage.output_tokens == 2200
    assert at.gateway.trouble.limit == "2200 tokens used of 1500"


async def test_one_answer_without_a_price_leaves_the_bill_without_one() -> None:
    async with gateway("chat", Say(text="yes"), models=("gpt-4o", "house-model")) as at:
        await at.ask()
        assert at.gateway.usage().cost_usd is not None
        await at.ask(model="house-model")
        assert at.gateway.usage().cost_usd is None


async def test_money_that_is_spent_ends_the_asking() -> None:
    async with gateway("chat", Say(text="yes"), limits=Limits(cost_usd=0.001, idle_s=10)) as at:
        answers = [await at.ask() for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 403]
    assert "USD used of" in answers[1].text


async def test_a_run_has_so_many_requests_and_no_more() -> None:
    async with gateway("chat", Say(text="yes"), limits=Limits(turns=2, idle_s=10)) as at:
        answers = [await at.ask() for _ in range(3)]
        assert len(at.server.heard) == 2
    assert [answer.status_code for answer in answers] == [200, 200, 403]


@EVERY
async def test_an_answer_that_goes_over_the_budget_is_cut_while_it_is_said(dialect: str) -> None:
    limits = Limits(tokens=3000, idle_s=10)
    async with gateway(dialect, Babble(), limits=limits) as at:
        answer = await at.ask(stream=True)
        await asyncio.wait_for(at.server.left.wait(), 5)
        usage = at.gateway.usage()
    last = json.loads(answer.text.strip().rpartition("data: ")[2])
    assert "budget" in json.dumps(last)
    assert last.get("type") in {None, "error", "response.failed"}
    assert "error" in json.dumps(last)
    assert 3000 <= usage.input_tokens + usage.output_tokens < 30_000
    assert at.gateway.trouble.limit
    assert at.kept[0].note.startswith("cut: ")
    assert at.kept[0].used is not None
    assert at.kept[0].used.estimated


async def test_answers_that_are_said_at_once_share_one_budget() -> None:
    limits = Limits(tokens=20_000, idle_s=10)
    async with gateway("chat", Babble(), limits=limits) as at:
        answers = await asyncio.gather(*(at.ask(stream=True) for _ in range(4)))
        usage = at.gateway.usage()
    assert all("budget" in answer.text for answer in answers)
    assert usage.input_tokens + usage.output_tokens < 80_000


async def test_a_refused_key_ends_the_run_and_the_program_learns_nothing_of_it() -> None:
    words = json.dumps({"error": {"message": f"Incorrect API key: {KEY[:8]}***{KEY[-4:]} {KEY}"}})
    async with gateway("chat", Fault(status=401, body=words)) as at:
        answer = await at.ask()
        await asyncio.wait_for(at.gateway.trouble.wait(), 5)
        assert isinstance(at.gateway.trouble.error, AuthFailed)
    assert answer.status_code == 401
    assert KEY[:8] not in answer.text
    assert KEY not in str(at.gateway.trouble.error) + repr(at.kept)


@pytest.mark.parametrize(("header", "wait_s"), [({"retry-after": "1800"}, 1800), ({}, 60)])
async def test_a_provider_that_limits_us_says_for_how_long(
    header: Mapping[str, str], wait_s: float
) -> None:
    async with gateway("messages", Fault(status=429, headers=header)) as at:
        answer = await at.ask()
        error = at.gateway.trouble.error
    assert answer.status_code == 429
    assert isinstance(error, RateLimited)
    assert error.retry_at is not None
    assert abs(error.retry_at - time.time() - wait_s) < 30


async def test_one_hiccup_is_the_programs_to_retry_and_three_in_a_row_end_the_run() -> None:
    async with gateway("chat", Fault(status=503), Say(text="yes"), Fault(status=503)) as at:
        statuses = [(await at.ask()).status_code for _ in range(4)]
        assert at.gateway.trouble.error is None
        statuses.append((await at.ask()).status_code)
        assert isinstance(at.gateway.trouble.error, Transient)
    assert statuses == [503, 200, 503, 503, 503]


@EVERY
async def test_a_stream_that_breaks_off_breaks_off_inside_too_and_is_paid_for(dialect: str) -> None:
    async with gateway(dialect, CutOff(text="I was about to " * 100)) as at:
        with pytest.raises(httpx.RemoteProtocolError):
            await at.ask(stream=True)
        usage = at.gateway.usage()
    assert usage.output_tokens >= 300
    assert "failed" in at.kept[0].note


async def test_a_provider_that_is_not_there_is_passing_trouble() -> None:
    kept = list[Exchange]()
    upstream = Upstream(
        family=Family.OPENAI, models=("gpt-4o",), key=KEY, base_url="http://127.0.0.1:1/v1"
    )
    async with (
        opened(upstream, Limits(), kept.append) as (made, out),
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(out.socket))) as program,
    ):
        way = WAYS["chat"]
        for _ in range(3):
            answer = await program.post(f"http://gateway{way.path}", json=dict(way.body))
            assert answer.status_code == 503
        assert isinstance(made.trouble.error, Transient)
        assert made.usage().requests == 0


async def test_silence_of_the_provider_is_a_failure_of_it() -> None:
    async with gateway("chat", Silence(), limits=Limits(idle_s=0.3)) as at:
        answer = await at.ask()
        await asyncio.wait_for(at.server.left.wait(), 5)
    assert answer.status_code == 503


async def test_a_program_that_leaves_stops_the_answer_and_pays_for_what_was_said() -> None:
    async with gateway("chat", Babble()) as at:
        body = {**at.way.body, "stream": True}
        async with at.program.stream("POST", at.way.path, json=body) as answer:
            await anext(answer.aiter_bytes())
        await asyncio.wait_for(at.server.left.wait(), 5)
        await asyncio.wait_for(at.recorded.wait(), 5)
        assert at.gateway.usage().output_tokens > 0
    assert at.kept[0].note == "the agent left before the end"


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    elsewhere = Fault(status=307, headers={"location": "https://x.test/"})
    async with gateway("chat", elsewhere) as at:
        assert (await at.ask()).status_code == 502


async def test_every_exchange_is_kept_bounded_and_without_secrets() -> None:
    long = [{"role": "user", "content": f"{KEY} " + "x" * 200_000}]
    async with gateway("chat", Say(text=f"the key is {KEY}")) as at:
        await at.ask(messages=long)
    (kept,) = at.kept
    assert kept.status == 200
    assert (kept.path, kept.model) == ("/v1/chat/completions", "gpt-4o")
    assert "the key is [secret]" in kept.answer
    assert KEY not in repr(kept)
    assert 1000 < len(kept.request) < 50_000
    assert "left out" in kept.request


async def test_from_inside_a_cage_the_gateway_is_all_there_is(brief: MakeBrief, cage: Cage) -> None:
    asks = (
        "import json, urllib.request as u\n"
        f"body = json.dumps({dict(WAYS['chat'].body)!r}).encode()\n"
        f"r = u.Request('http://127.0.0.1:{PORT}/v1/chat/completions', body,"
        " {'content-type': 'application/json'})\n"
        "print(u.urlopen(r, timeout=10).read().decode())\n"
        "try: u.urlopen('{}', timeout=5)\n"
        "except OSError as e: print('not there:', e)\n"
    )
    async with ModelServer([Say(text="forty-two")]).running() as server:
        upstream = Upstream(
            family=Family.OPENAI, models=("gpt-4o",), key=KEY, base_url=f"{server.url}/v1"
        )
        async with opened(upstream, Limits(), lambda _: None) as (made, out):
            ran = await cage.run(
                [sys.executable, "-c", asks.replace("{}", server.url)],
                workspace=brief().workspace,
                network=[out],
            )
            assert made.usage().requests == 1
    assert "forty-two" in ran.text
    assert "not there:" in ran.text
    assert KEY not in ran.text
    assert KEY in server.heard[0].headers["authorization"]
