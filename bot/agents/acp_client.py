"""Our side of the conversation with an ACP program: what it tells, what it may ask of us.

Methods and their members: agentclientprotocol.com, "Schema". Messages are read leniently, for the
protocol grows and every program adds members of its own; what we don't know is left alone.
"""

import time
from collections.abc import Mapping
from typing import Any

from acp.exceptions import RequestError

from bot.agents.agent import Brief, Emit, EventKind
from bot.agents.telling import Teller
from bot.agents.tools import FileToolError, file_tool

MAX_WORDS = 1_000_000  #: characters of one turn that are kept, the last ones
_CHANGES = ("edit", "delete", "move", "execute")  #: kinds of tools
_SHORT = 50  #: characters of a number

Params = Mapping[str, Any]


class Client(Teller):
    """Listens to one session and answers its requests."""

    def __init__(self, brief: Brief, emit: Emit) -> None:
        super().__init__(emit)
        self._brief = brief
        self._unsaid = ""  #: words that have come and are not told yet
        self._words = ""
        self._calls: set[str] = set()
        self._heard_at = time.monotonic()  #: when there was last a sign of life

    @property
    def tool_calls(self) -> int:
        """How many different ones there were."""
        return len(self._calls)

    async def handle(self, method: str, params: Params | None, is_notification: bool) -> Any:
        """For the protocol's library. Raises RequestError for what we don't offer."""
        self.alive()
        given = _members(params)
        match method:
            case "session/update":
                self._update(_members(given.get("update")))
                return None
            case "session/request_permission":
                return self._permission(given)
            case "fs/read_text_file":
                return {"content": await self._read(given)}
            case "fs/write_text_file":
                await self._write(given)
                return {}
            case _ if is_notification:
                return None
            case _:
                raise RequestError.method_not_found(method)

    def alive(self) -> None:
        """Something has moved."""
        self._heard_at = time.monotonic()

    def silent_s(self) -> float:
        """Seconds since something moved."""
        return time.monotonic() - self._heard_at

    def turn_begins(self) -> None:
        """Forgets the words of the turn before."""
        self._words = ""

    def turn_ends(self) -> str:
        """All that was said in this turn."""
        self._tell_words()
        return self._words

    def _update(self, update: Params) -> None:
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                words = _text_of(update.get("content"))
                self._unsaid = (self._unsaid + words)[-MAX_WORDS:]
                self._words = (self._words + words)[-MAX_WORDS:]
            case "tool_call":
                self._tool_call(update)
            case "tool_call_update":
                self._tool_call(update)
                if update.get("status") in ("completed", "failed"):
                    ended = str(update["status"])
                    self.tell(EventKind.TOOL_RESULT, _result_of(update), status=ended)
            case "usage_update":
                self.own_count(update.get("used"))

    def own_count(self, tokens: object) -> None:
        """What the program says that it has used; nobody is billed by that."""
        self.tell(EventKind.USAGE, source="agent", tokens=str(tokens)[:_SHORT])

    def _tool_call(self, update: Params) -> None:
        """Told once per call: some programs begin with an update."""
        number = str(update.get("toolCallId", ""))
        if number in self._calls:
            return
        self._calls.add(number)
        self._tell_words()
        title = str(update.get("title") or "")
        asked = update.get("rawInput")
        text = title if asked is None else f"{title} {asked}"
        self.tell(EventKind.TOOL_CALL, text, str(update.get("kind") or "other"))

    def _permission(self, params: Params) -> Params:
        """Yes to what the cage lets happen anyway; a reader is told no for what would change."""
        call = _members(params.get("toolCall"))
        allow = not (self._brief.read_only and call.get("kind") in _CHANGES)
        wanted = ("allow_once", "allow_always") if allow else ("reject_once", "reject_always")
        offered = [_members(option) for option in _list(params.get("options"))]
        options = {str(option.get("kind")): option.get("optionId") for option in offered}
        chosen = next((options[kind] for kind in wanted if kind in options), None)
        self.tell(
            EventKind.PERMISSION,
            "allowed" if allow and chosen is not None else "refused",
            str(call.get("title") or ""),
        )
        if chosen is None:
            return {"outcome": {"outcome": "cancelled"}}
        return {"outcome": {"outcome": "selected", "optionId": chosen}}

    async def _read(self, params: Params) -> str:
        return await self._file(
            op="read_text",
            path=_path(params),
            first_line=params.get("line") or 1,
            lines=params.get("limit"),
        )

    async def _write(self, params: Params) -> None:
        content = params.get("content")
        if not isinstance(content, str):
            raise RequestError.invalid_params({"content": "must be a text"})
        await self._file(op="write_file", path=_path(params), content=content)

    async def _file(self, **request: object) -> str:
        """In a cage of its own: a link that the program planted leads nowhere from there."""
        try:
            return await file_tool(self._brief, **request)
        except FileToolError as problem:
            raise RequestError.invalid_params({"details": str(problem)}) from problem

    def _tell_words(self) -> None:
        if self._unsaid.strip():
            self.tell(EventKind.MESSAGE, self._unsaid)
        self._unsaid = ""


def _path(params: Params) -> str:
    path = params.get("path")
    if not isinstance(path, str) or not path:
        raise RequestError.invalid_params({"path": "must be a path"})
    return path


def _text_of(content: object) -> str:
    match content:
        case {"type": "text", "text": str(text)}:
            return text
        case _:
            return ""


def _result_of(update: Params) -> str:
    """What a tool call brought; a terminal's output comes beside the protocol, in `_meta`."""
    meta = _members(update.get("_meta"))
    terminal = _members(meta.get("terminal_output_delta") or meta.get("terminal_output"))
    words = _texts(update.get("content")) or str(terminal.get("data") or "")
    return words or str(update.get("rawOutput") or "")


def _texts(contents: object) -> str:
    """The words in a tool call's content."""
    return "\n".join(_text_of(_members(part).get("content")) for part in _list(contents))


def _members(found: object) -> Params:
    """Of an object; a program may send anything in its place."""
    return found if isinstance(found, dict) else {}


def _list(found: object) -> list[object]:
    return found if isinstance(found, list) else []
