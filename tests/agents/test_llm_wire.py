"""The built-in agent against model servers that speak the providers' own protocols."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.agents.agent import AgentEvent, Limits, Outcome
from bot.agents.llm import LlmAgent, ModelChoice
from bot.agents.replies import WrittenCode
from bot.errors import AuthFailed, RateLimited, Transient

from .conftest import MakeBrief

KEY = "sk-CANARY-93c1"
Json = dict[str, Any]
WRITE: tuple[str, Json] = ("write_file", {"path": "new.txt", "content": "by wire"})
LOOK: tuple[str, Json] = ("run_command", {"command": "env; cat /proc/*/environ"})
DONE: tuple[str, Json] = ("final_result", {"summary": "Written."})


@dataclass
class ModelServer:
    """Answers each request with the next of `calls`, in the dialect of the path it came to."""

    calls: list[tuple[str, Json]]
    status: int = 200
    headers: str = ""
    heard: list[tuple[str, Json]] = field(default_factory=list)  #: head and body

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next(
            int(li[15:]) for li in head.lower().split("\r\n") if li[:15] == "content-length:"
        )
        self.heard.append((head, json.loads(await reader.readexactly(size))))
        tool, arguments = self.calls[min(len(self.heard), len(self.calls)) - 1]
        said = DIALECTS[head.split()[1].partition("?")[0]](tool, arguments)
        streamed = bool(self.heard[-1][1].get("stream"))
        body = (anthropic_events(said) if streamed else json.dumps(said)).encode()
        kind = "text/event-stream" if streamed else "application/json"
        first = f"HTTP/1.1 {self.status} X\r\nContent-Type: {kind}\r\n{self.headers}"
        writer.write(f"{first}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
        writer.write(body)
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self.answer, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def openai_chat(tool: str, arguments: Json) -> Json:
    call = {"name": tool, "arguments": json.dumps(arguments)}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
    }
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }


def anthropic(tool: str, arguments: Json) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "content": [{"type": "tool_use", "id": "toolu_1", "name": tool, "input": arguments}],
        "usage": {"input_tokens": 1000, "output_tokens": 100},
    }


def anthropic_events(message: Json) -> str:
    """The same message as the provider streams it, the tool's arguments in one piece."""
    (block,) = message["content"]
    piece = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    events: list[Json] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {**block, "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": piece},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 100},
        },
        {"type": "message_stop"},
    ]
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)


DIALECTS: dict[str, Callable[[str, Json], Json]] = {
    "/v1/chat/completions": openai_chat,
    "/v1/messages": anthropic,
}
MODELS = [("openai-chat:gpt-4o", "/v1"), ("anthropic:claude-sonnet-5", "")]


@pytest.mark.parametrize(("model", "prefix"), MODELS)
async def test_a_whole_run_over_the_wire(
    brief: MakeBrief, checkout: Path, events: list[AgentEvent], model: str, prefix: str
) -> None:
    server = ModelServer([WRITE, LOOK, DONE])
    async with server.running() as url:
        choice = ModelChoice(model=model, base_url=url + prefix, api_key=KEY)
        reply = await LlmAgent(choice).run(brief(), events.append)
    assert reply.outcome is Outcome.COMPLETED, reply.error
    assert reply.output == WrittenCode(summary="Written.")
    assert (checkout / "new.txt").read_text() == "by wire"
    assert (reply.usage.requests, reply.usage.input_tokens, reply.usage.output_tokens) == (
        3,
        3000,
        300,
    )
    assert reply.usage.cost_usd is not None
    assert 0 < reply.usage.cost_usd < 1
    assert all(KEY in head for head, _ in server.heard)
    bodies = json.dumps([body for _, body in server.heard])
    assert KEY not in bodies + reply.session + repr(events) + repr(reply)


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (401, "", AuthFailed),
        (429, "retry-after: 1800\r\n", RateLimited),
        (500, "", Transient),
    ],
)
async def test_a_provider_that_refuses_is_an_error_with_a_cause(
    brief: MakeBrief, status: int, headers: str, error: type[Exception]
) -> None:
    server = ModelServer([DONE], status=status, headers=headers)
    async with server.running() as url:
        choice = ModelChoice(model="openai-chat:gpt-4o", base_url=f"{url}/v1", api_key=KEY)
        with pytest.raises(error) as raised:
            await LlmAgent(choice).run(brief(), lambda _: None)
    assert KEY not in str(raised.value)


async def test_a_request_that_the_provider_will_never_take_is_a_failure(brief: MakeBrief) -> None:
    async with ModelServer([DONE], status=400).running() as url:
        choice = ModelChoice(model="openai-chat:gpt-4o", base_url=f"{url}/v1", api_key=KEY)
        reply = await LlmAgent(choice).run(brief(), lambda _: None)
    assert reply.outcome is Outcome.FAILED
    assert "400" in reply.error


async def test_a_dead_provider_is_passing_trouble(brief: MakeBrief) -> None:
    choice = ModelChoice(model="openai-chat:gpt-4o", base_url="http://127.0.0.1:1/v1", api_key=KEY)
    with pytest.raises(Transient):
        await LlmAgent(choice).run(brief(limits=Limits(wall_s=30)), lambda _: None)


async def test_the_next_model_answers_where_the_first_one_fails(brief: MakeBrief) -> None:
    broken, sound = ModelServer([DONE], status=500), ModelServer([DONE])
    async with broken.running() as one, sound.running() as two:
        agent = LlmAgent(
            ModelChoice(model="openai-chat:gpt-4o", base_url=f"{one}/v1", api_key=KEY),
            ModelChoice(model="anthropic:claude-sonnet-5", base_url=two, api_key=KEY),
        )
        reply = await agent.run(brief(), lambda _: None)
    assert reply.outcome is Outcome.COMPLETED, reply.error


async def test_silence_ends_a_run(brief: MakeBrief) -> None:
    async def hush(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hush, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        choice = ModelChoice(model="openai-chat:gpt-4o", base_url=url, api_key=KEY)
        limits = Limits(wall_s=20, idle_s=0.5)
        with pytest.raises(Transient):
            await LlmAgent(choice).run(brief(limits=limits), lambda _: None)
