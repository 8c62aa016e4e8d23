"""What the providers' APIs look like from the gateway: which paths, where the model stands, what an
error is.

Sources: platform.openai.com/docs/api-reference (chat, responses), docs.claude.com/en/api/messages,
ai.google.dev/api/generate-content.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qs

from bot.agents.dependency import provider_name
from bot.agents.providers import provider_of

Json = dict[str, object]

_GEMINI = re.compile(
    r"/v1(?:beta|alpha)?/models/([A-Za-z0-9._-]{1,100}):"
    r"(generateContent|streamGenerateContent|countTokens)"
)


class Family(StrEnum):
    """Whose API it is; many servers speak one of these. The names are those of the price list."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"


class Dialect(StrEnum):
    """What is spoken on one path."""

    CHAT = "chat"  #: OpenAI's Chat Completions
    RESPONSES = "responses"  #: OpenAI's Responses
    MESSAGES = "messages"  #: Anthropic's Messages
    GEMINI = "gemini"  #: Google's generateContent


DIALECTS: Mapping[Family, frozenset[Dialect]] = {
    Family.OPENAI: frozenset({Dialect.CHAT, Dialect.RESPONSES}),
    Family.ANTHROPIC: frozenset({Dialect.MESSAGES}),
    Family.GOOGLE: frozenset({Dialect.GEMINI}),
}
_HOMES = {
    Family.OPENAI: "https://api.openai.com/v1",
    Family.ANTHROPIC: "https://api.anthropic.com",
    Family.GOOGLE: "https://generativelanguage.googleapis.com",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The provider behind one gateway, and what may be asked of it."""

    family: Family
    models: tuple[str, ...]  #: the only ones that may be named, the usual one first
    key: str = field(repr=False)
    base_url: str = ""  #: empty: the family's own

    @property
    def provider(self) -> str:
        """The name of the dependency: the same for a model that is asked without a gateway."""
        return provider_name(self.family, self.base_url)

    def address(self, path: str) -> str:
        """Where `path` of the gateway is at the provider."""
        home = (self.base_url or _HOMES[self.family]).rstrip("/")
        if self.family is Family.OPENAI:  # by convention its base address ends in /v1
            return home + path.removeprefix("/v1")
        return home + path

    def credentials(self) -> dict[str, str]:
        """The headers that carry the key; none for a server of our own that wants none."""
        if not self.key:
            return {}
        match self.family:
            case Family.OPENAI:
                return {"authorization": f"Bearer {self.key}"}
            case Family.ANTHROPIC:
                return {"x-api-key": self.key}
            case Family.GOOGLE:
                return {"x-goog-api-key": self.key}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request that the gateway knows."""

    dialect: Dialect
    path: str  #: without a query: of that, only what we understand goes on
    query: str = ""
    model: str = ""  #: where the path names it
    counts_only: bool = False  #: asks how many tokens a prompt has; costs nothing


def family_of(model: str) -> Family | None:
    """Of a model's provider; None for one that the gateway does not speak for."""
    provider = provider_of(model)
    return next((family for family in Family if family == provider), None)


def route_of(method: str, target: str) -> Route | None:
    """What `target` asks for; None for everything that a coding agent does not need."""
    if method != "POST":
        return None
    path, _, query = target.partition("?")
    match path:
        case "/v1/chat/completions":
            return Route(dialect=Dialect.CHAT, path=path)
        case "/v1/responses":
            return Route(dialect=Dialect.RESPONSES, path=path)
        case "/v1/messages" | "/v1/messages/count_tokens":
            return Route(
                dialect=Dialect.MESSAGES, path=path, counts_only=path.endswith("/count_tokens")
            )
    found = _GEMINI.fullmatch(path)
    if found is None:
        return None
    return Route(
        dialect=Dialect.GEMINI,
        path=path,
        query="alt=sse" if parse_qs(query).get("alt") == ["sse"] else "",
        model=found[1],
        counts_only=found[2] == "countTokens",
    )


def error_body(dialect: Dialect, status: int, text: str) -> Json:
    """An error as the dialect's own server would word it, so that a program shows its text."""
    match dialect:
        case Dialect.CHAT | Dialect.RESPONSES:
            return {"error": {"message": text, "type": "chimera_gateway", "code": "refused"}}
        case Dialect.MESSAGES:
            kind = "permission_error" if status == 403 else "api_error"
            return {"type": "error", "error": {"type": kind, "message": text}}
        case Dialect.GEMINI:
            kind = "PERMISSION_DENIED" if status == 403 else "UNAVAILABLE"
            return {"error": {"code": status, "message": text, "status": kind}}


def last_event(dialect: Dialect, text: str) -> bytes:
    """How a stream ends that the gateway cuts."""
    match dialect:
        case Dialect.RESPONSES:
            error = {"code": "insufficient_quota", "message": text}
            failed: Json = {
                "type": "response.failed",
                "sequence_number": 0,
                "response": {"id": "resp_cut", "object": "response", "created_at": 0,
                             "status": "failed", "output": [], "error": error},
            }  # fmt: skip
            return _event("response.failed", failed)
        case Dialect.MESSAGES:
            return _event("error", error_body(dialect, 403, text))
        case Dialect.CHAT | Dialect.GEMINI:
            return _event("", error_body(dialect, 403, text))


def _event(name: str, data: Json) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()
