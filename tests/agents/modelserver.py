"""A model server that says what a test tells it to, in the providers' own four protocols.

OpenAI Chat and Responses, Anthropic Messages and Gemini, whole and streamed. It serves programs
that we did not write, so a `Shell` turn calls whatever shell tool the program offers.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

Json = dict[str, Any]

INPUT_TOKENS, OUTPUT_TOKENS = 1000, 100  #: of every answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Words, and the end of the model's turn."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a tool by its name."""

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A call of the shell tool that the request offers, whatever it is named there."""

    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An answer that is none."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "out of order", "type": "server_error"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """A stream that breaks off after some words."""

    text: str = "I was about to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Babble:
    """A stream that does not stop until the other side goes."""

    word: str = "and so on "


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No byte of an answer, until the other side goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """The connection ends without a byte of an answer."""


Turn = Say | Call | Shell | Fault | CutOff | Babble | Silence | HangUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: Json


@dataclass
class ModelServer:
    """Answers each request that offers tools with the next of `turns`, the last one for ever."""

    turns: Sequence[Turn]
    heard: list[Heard] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)  #: somebody hung up on us
    url: str = ""
    answered: int = 0  #: how many requests got an answer that a provider would bill
    billing: bool = True  #: whether Chat streams end with the bill that was asked for
    _said: int = 0

    def says_now(self, *turns: Turn) -> None:
        """From now on these, from the first one."""
        self.turns, self._said = turns, 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ModelServer"]:
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard = await _request(reader)
            self.heard.append(heard)
            if not self.billing:
                heard.body.pop("stream_options", None)
            dialect = DIALECTS[_kind(heard.target)](heard)
            await self._speak(self._turn(heard), dialect, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()

    def _turn(self, heard: Heard) -> Turn:
        only_faults = all(isinstance(turn, Fault) for turn in self.turns)
        if not heard.body.get("tools") and not only_faults:  # a title, a summary, the doctor
            return Say(text="A title")
        self._said += 1
        return self.turns[min(self._said, len(self.turns)) - 1]

    async def _speak(
        self,
        turn: Turn,
        dialect: "Spoken",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.answered += isinstance(turn, Say | Call | Shell)
        match turn:
            case HangUp():
                return
            case Fault():
                await _whole(writer, turn.status, "application/json", turn.body, turn.headers)
            case Silence():
                await reader.read()
                self.left.set()
            case CutOff():
                await _head(writer, 200, "text/event-stream", {"content-length": "100000"})
                await _write(writer, "".join(dialect.beginning(turn.text)))
            case Babble():
                await _head(writer, 200, "text/event-stream", {})
                await _write(writer, "".join(dialect.beginning(turn.word)))
                while True:
                    await _write(writer, dialect.more(turn.word * 50))
                    await asyncio.sleep(0)
            case Say() | Call() | Shell() if dialect.streamed:
                said = _spoken(turn, dialect)
                await _whole(writer, 200, "text/event-stream", "".join(dialect.stream(said)), {})
            case Say() | Call() | Shell():
                said = _spoken(turn, dialect)
                await _whole(writer, 200, "application/json", json.dumps(dialect.whole(said)), {})


def _spoken(turn: Say | Call | Shell, dialect: "Spoken") -> Say | Call:
    return shell_call(dialect.tools(), turn.command) if isinstance(turn, Shell) else turn


#: Names of shell tools and what they are called with.
SHELLS: Mapping[str, Any] = {
    "exec_command": lambda command: {"cmd": command, "yield_time_ms": 30_000},  # its longest wait
    "shell_command": lambda command: {"command": command},
    "shell": lambda command: {"command": ["bash", "-lc", command]},
    "bash": lambda command: {"command": command, "description": "Works"},
    "Bash": lambda command: {"command": command, "description": "Works"},
    "run_shell_command": lambda command: {
        "command": command,
        "description": "Works",
        "is_background": False,
    },
    "run_command": lambda command: {"command": command},
}


def shell_call(offered: Sequence[str], command: str) -> Call:
    """A call of the first shell tool among those that are offered."""
    for name, arguments in SHELLS.items():
        if name in offered:
            return Call(tool=name, arguments=arguments(command))
    raise AssertionError(f"no shell tool among {offered}")


@dataclass
class Spoken:
    """One answer in one protocol."""

    heard: Heard

    @property
    def model(self) -> str:
        return str(self.heard.body.get("model", ""))

    @property
    def streamed(self) -> bool:
        return bool(self.heard.body.get("stream"))

    def tools(self) -> list[str]:
        return [_tool_name(tool) for tool in self.heard.body.get("tools", [])]

    def whole(self, said: Say | Call) -> Json:
        raise NotImplementedError

    def stream(self, said: Say | Call) -> Iterator[str]:
        raise NotImplementedError

    def beginning(self, text: str) -> Iterator[str]:
        raise NotImplementedError

    def more(self, text: str) -> str:
        raise NotImplementedError


class Chat(Spoken):
    usage: ClassVar[Json] = {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }

    def _message(self, said: Say | Call) -> tuple[Json, str]:
        if isinstance(said, Say):
            return {"role": "assistant", "content": said.text}, "stop"
        call = {"name": said.tool, "arguments": json.dumps(said.arguments)}
        calls = [
            {"index": 0, "id": f"call_{secrets.token_hex(8)}", "type": "function", "function": call}
        ]
        return {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"

    def whole(self, said: Say | Call) -> Json:
        message, reason = self._message(said)
        choice = {"index": 0, "finish_reason": reason, "message": message}
        return {**self._frame("chat.completion"), "choices": [choice], "usage": self.usage}

    def stream(self, said: Say | Call) -> Iterator[str]:
        message, reason = self._message(said)
        yield self._chunk([{"index": 0, "delta": message, "finish_reason": None}])
        yield self._chunk([{"index": 0, "delta": {}, "finish_reason": reason}])
        if self.heard.body.get("stream_options", {}).get("include_usage"):
            yield self._chunk([], usage=self.usage)
        yield "data: [DONE]\n\n"

    def beginning(self, text: str) -> Iterator[str]:
        yield self.more(text)

    def more(self, text: str) -> str:
        return self._chunk([{"index": 0, "delta": {"content": text}, "finish_reason": None}])

    def _frame(self, kind: str) -> Json:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": self.model}

    def _chunk(self, choices: list[Json], **more: object) -> str:
        data = {**self._frame("chat.completion.chunk"), "choices": choices, **more}
        return f"data: {json.dumps(data)}\n\n"


class Responses(Spoken):
    usage: ClassVar[Json] = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }

    def _item(self, said: Say | Call) -> Json:
        if isinstance(said, Say):
            part = {"type": "output_text", "text": said.text, "annotations": []}
            return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                    "content": [part]}  # fmt: skip
        return {
            "type": "function_call",
            "id": "fc_1",
            "call_id": f"call_{secrets.token_hex(8)}",
            "name": said.tool,
            "arguments": json.dumps(said.arguments),
            "status": "completed",
        }

    def whole(self, said: Say | Call) -> Json:
        return self._response("completed", [self._item(said)], self.usage)

    def stream(self, said: Say | Call) -> Iterator[str]:
        item = self._item(said)
        yield from self.beginning("")
        yield self._event("response.output_item.added", output_index=0, item=item)
        if isinstance(said, Say):
            yield self.more(said.text)
        yield self._event("response.output_item.done", output_index=0, item=item)
        yield self._event("response.completed", response=self.whole(said))

    def beginning(self, text: str) -> Iterator[str]:
        yield self._event("response.created", response=self._response("in_progress", [], None))
        if text:
            yield self.more(text)

    def more(self, text: str) -> str:
        return self._event(
            "response.output_text.delta", item_id="msg_1", output_index=0, content_index=0,
            delta=text,
        )  # fmt: skip

    def _response(self, status: str, output: list[Json], usage: Json | None) -> Json:
        return {
            "id": "resp_1", "object": "response", "created_at": 1, "status": status,
            "model": self.model, "output": output, "usage": usage, "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {},
            "parallel_tool_calls": False, "temperature": 1.0, "tool_choice": "auto",
            "tools": [], "top_p": 1.0,
        }  # fmt: skip

    def _event(self, kind: str, **data: object) -> str:
        return (
            f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': 0, **data})}\n\n"
        )


class Messages(Spoken):
    def _block(self, said: Say | Call) -> tuple[Json, str]:
        if isinstance(said, Say):
            return {"type": "text", "text": said.text}, "end_turn"
        return {"type": "tool_use", "id": f"toolu_{secrets.token_hex(8)}", "name": said.tool,
                "input": dict(said.arguments)}, "tool_use"  # fmt: skip

    def whole(self, said: Say | Call) -> Json:
        block, reason = self._block(said)
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
        return self._message([block], reason, usage)

    def stream(self, said: Say | Call) -> Iterator[str]:
        block, reason = self._block(said)
        empty = {**block, "text": ""} if "text" in block else {**block, "input": {}}
        piece = (
            {"type": "text_delta", "text": said.text}
            if isinstance(said, Say)
            else {"type": "input_json_delta", "partial_json": json.dumps(said.arguments)}
        )
        yield self._start()
        yield self._event("content_block_start", index=0, content_block=empty)
        yield self._event("content_block_delta", index=0, delta=piece)
        yield self._event("content_block_stop", index=0)
        yield self._event(
            "message_delta",
            delta={"stop_reason": reason, "stop_sequence": None},
            usage={"output_tokens": OUTPUT_TOKENS},
        )
        yield self._event("message_stop")

    def beginning(self, text: str) -> Iterator[str]:
        yield self._start()
        yield self._event(
            "content_block_start", index=0, content_block={"type": "text", "text": ""}
        )
        yield self.more(text)

    def more(self, text: str) -> str:
        return self._event(
            "content_block_delta", index=0, delta={"type": "text_delta", "text": text}
        )

    def _start(self) -> str:
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
        return self._event("message_start", message=self._message([], None, usage))

    def _message(self, content: list[Json], reason: str | None, usage: Json) -> Json:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": self.model,
                "content": content, "stop_reason": reason, "stop_sequence": None,
                "usage": usage}  # fmt: skip

    def _event(self, kind: str, **data: object) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"


class Gemini(Spoken):
    @property
    def model(self) -> str:
        return self.heard.target.rpartition("/")[2].partition(":")[0]

    @property
    def streamed(self) -> bool:
        return ":streamGenerateContent" in self.heard.target

    def tools(self) -> list[str]:
        declared = "functionDeclarations"
        return [
            str(f["name"])
            for tool in self.heard.body.get("tools", [])
            for f in tool.get(declared, [])
        ]

    def whole(self, said: Say | Call) -> Json:
        part: Json = (
            {"text": said.text}
            if isinstance(said, Say)
            else {"functionCall": {"name": said.tool, "args": dict(said.arguments)}}
        )
        return {
            **self._piece(part, "STOP"),
            "usageMetadata": {
                "promptTokenCount": INPUT_TOKENS,
                "candidatesTokenCount": OUTPUT_TOKENS,
                "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
            },
        }

    def stream(self, said: Say | Call) -> Iterator[str]:
        yield f"data: {json.dumps(self.whole(said))}\r\n\r\n"

    def beginning(self, text: str) -> Iterator[str]:
        yield self.more(text)

    def more(self, text: str) -> str:
        return f"data: {json.dumps(self._piece({'text': text}, None))}\r\n\r\n"

    def _piece(self, part: Json, reason: str | None) -> Json:
        candidate: Json = {"index": 0, "content": {"role": "model", "parts": [part]}}
        if reason is not None:
            candidate["finishReason"] = reason
        return {"candidates": [candidate], "modelVersion": self.model}


DIALECTS = {"chat": Chat, "responses": Responses, "messages": Messages, "gemini": Gemini}


def _kind(target: str) -> str:
    path = target.partition("?")[0]
    ends = {"/chat/completions": "chat", "/responses": "responses", "/messages": "messages"}
    return next((kind for end, kind in ends.items() if path.endswith(end)), "gemini")


def _tool_name(tool: Json) -> str:
    return str(tool.get("name") or tool.get("function", {}).get("name", ""))


async def _request(reader: asyncio.StreamReader) -> Heard:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Heard(method=method, target=target, headers=headers, body=json.loads(body or b"{}"))


async def _head(
    writer: asyncio.StreamWriter, status: int, kind: str, headers: Mapping[str, str]
) -> None:
    lines = {"content-type": kind, "connection": "close", **headers}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    await _write(writer, f"HTTP/1.1 {status} X\r\n{text}\r\n")


async def _whole(
    writer: asyncio.StreamWriter, status: int, kind: str, body: str, headers: Mapping[str, str]
) -> None:
    size = {"content-length": str(len(body.encode()))}
    await _head(writer, status, kind, {**size, **headers})
    await _write(writer, body)


async def _write(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(text.encode())
    await writer.drain()
