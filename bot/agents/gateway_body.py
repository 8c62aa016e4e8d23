"""What an agent may ask a provider for, by the body of its request.

A provider can reach the network on behalf of who asks: search the web, fetch a page or a picture,
call a tool server. A caged agent has no network, so none of this passes: what asks for it is taken
out where an agent can do without, and refused where the request would mean something else then.
"""

import json
from collections.abc import Iterator

from bot.agents.gateway_dialects import Dialect, Json

MAX_DEPTH = 60

#: Tools that the program itself runs, here in the cage; every other type is run by the provider.
_OWN_TOOLS = {
    Dialect.CHAT: ("function", "custom"),
    Dialect.RESPONSES: ("function", "custom", "local_shell", "shell", "apply_patch", "namespace"),
    Dialect.MESSAGES: ("custom", "bash_", "text_editor_", "memory_"),
}
_OWN_GEMINI = ("functionDeclarations", "function_declarations")
#: Members of a body that make the provider act, remember or answer later.
_DROPPED = ("web_search_options", "mcp_servers", "container", "background", "cachedContent")
#: Members of a content part that name an address for the provider to fetch.
_ADDRESSES = ("image_url", "file_url", "fileUri", "file_uri", "url")


class NotAllowed(Exception):
    """A request that does not pass; its text is for whoever made it."""


def cleaned(dialect: Dialect, body: Json, model: str, allowed: tuple[str, ...]) -> Json:
    """The request as it may go on. `model` is the one that the path names, if it does.

    Raises NotAllowed.
    """
    asked = model or str(body.get("model", ""))
    if asked not in allowed:
        raise NotAllowed(f"the model {asked!r} is not allowed here; {', '.join(allowed)} is")
    if address := next(_addresses(dialect, body), ""):
        raise NotAllowed(f"the provider may not fetch {address[:200]!r} for a caged agent")
    clean = {key: value for key, value in body.items() if key not in _DROPPED}
    if isinstance(tools := clean.get("tools"), list):
        clean["tools"] = [kept for tool in tools if (kept := _own(dialect, tool))]
    if dialect is Dialect.RESPONSES:
        clean["store"] = False  # nothing of a run stays with the provider for another to read
    if dialect is Dialect.CHAT and body.get("stream"):
        options = clean.get("stream_options")
        clean["stream_options"] = {
            **(options if isinstance(options, dict) else {}),
            "include_usage": True,
        }
    return clean


def wants_bill(dialect: Dialect, body: Json) -> bool:
    """Whether the program itself expects the last event of a Chat stream, which is the bill."""
    options = body.get("stream_options")
    asked = isinstance(options, dict) and bool(options.get("include_usage"))
    return asked or dialect is not Dialect.CHAT


def encoded(body: Json) -> bytes:
    """One reading only: a member that stood there twice is written once."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _own(dialect: Dialect, tool: object) -> object:
    """The tool, or the part of it, that is run by the program; None if nothing is."""
    if not isinstance(tool, dict):
        return None
    if dialect is Dialect.GEMINI:
        return {key: tool[key] for key in _OWN_GEMINI if key in tool} or None
    kind = str(tool.get("type", "custom"))
    return tool if kind.startswith(_OWN_TOOLS[dialect]) else None


def _addresses(dialect: Dialect, body: Json) -> Iterator[str]:
    """Places that the provider would fetch, in the conversation (and not in a tool's schema)."""
    keys = {
        Dialect.CHAT: ("messages",),
        Dialect.RESPONSES: ("input",),
        Dialect.MESSAGES: ("messages", "system"),
        Dialect.GEMINI: ("contents", "systemInstruction", "system_instruction"),
    }
    for key in keys[dialect]:
        yield from _fetched(body.get(key), 0)


def _fetched(value: object, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise NotAllowed(f"the request is nested deeper than {MAX_DEPTH}")
    match value:
        case {"type": "tool_use"} | {"functionCall": _} | {"functionResponse": _}:
            return  # arguments and results of the program's own tools: data, never fetched
        case dict():
            for key, part in value.items():
                if key in _ADDRESSES and isinstance(part, str) and not part.startswith("data:"):
                    yield part
                else:
                    yield from _fetched(part, depth + 1)
        case list():
            for part in value:
                yield from _fetched(part, depth + 1)
