"""Reads what a provider answers, whole or as server-sent events, and finds out what it used.

The tokens that a provider bills come at the end of a stream, or never where it breaks off, so
what has been said so far is estimated on the way: about four characters make a token.
"""

import json
from collections.abc import Iterator

from bot.agents.gateway_dialects import Dialect, Json

CHARS_PER_TOKEN = 4
MAX_EVENT = 16 * 1024 * 1024  #: bytes; an event of Responses may carry the whole answer


class EventTooLong(Exception):
    """A stream without an end of its event."""


class Events:
    """Cuts a stream into whole events, each with the empty line that ends it.

    Source: html.spec.whatwg.org, "Server-sent events", 9.2.5.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The events that `data` completes. Raises EventTooLong."""
        looked = max(0, len(self._rest) - 3)
        self._rest += data
        while (end := _end_of_event(self._rest, looked)) is not None:
            event, self._rest, looked = self._rest[:end], self._rest[end:], 0
            yield event
        if len(self._rest) > MAX_EVENT:
            raise EventTooLong

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return self._rest


def data_of(event: bytes) -> Json | None:
    """The JSON of an event; None for `[DONE]`, comments and anything else."""
    lines = [line for line in event.splitlines() if line.startswith(b"data:")]
    return as_json(b"\n".join(line[5:].strip() for line in lines))


def as_json(text: bytes) -> Json | None:
    """A JSON object, or None."""
    try:
        found = json.loads(text)
    except ValueError:  # also bytes that are not UTF-8
        return None
    except RecursionError:
        return None
    return found if isinstance(found, dict) else None


class Answer:
    """What one answer has said so far, and the piece of it that carries the bill."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._bill: Json = {}
        self.said = 0  #: characters of the model's words and calls
        self.final = dialect is not Dialect.MESSAGES  #: whether the bill counts all that was said

    @property
    def bill(self) -> Json | None:
        """An object of the shape of a whole answer with its usage, if there was one."""
        key = "usageMetadata" if self._dialect is Dialect.GEMINI else "usage"
        return self._bill if self._bill.get(key) else None

    def whole(self, body: Json) -> None:
        """An answer that came in one piece."""
        self._bill = body
        self.final = True

    def event(self, data: Json) -> None:
        """One event of a stream."""
        match self._dialect:
            case Dialect.CHAT:
                self._keep(data, "usage")
                self.said += _letters(data.get("choices"))
            case Dialect.RESPONSES:
                if isinstance(response := data.get("response"), dict):
                    self._keep(response, "usage")
                if str(data.get("type", "")).endswith(".delta"):
                    self.said += _letters(data.get("delta"))
            case Dialect.MESSAGES:
                self._message(data)
            case Dialect.GEMINI:
                self._keep(data, "usageMetadata")
                self.said += _letters(data.get("candidates"))

    def _keep(self, body: Json, key: str) -> None:
        if body.get(key):
            self._bill = body

    def _message(self, data: Json) -> None:
        """`message_start` counts the input, each `message_delta` all of the output so far."""
        if isinstance(message := data.get("message"), dict):
            self._bill = dict(message)
        if isinstance(usage := data.get("usage"), dict) and self._bill:
            before = self._bill.get("usage")
            self._bill["usage"] = {**(before if isinstance(before, dict) else {}), **usage}
            self.final = True
        if data.get("type") == "content_block_delta":
            self.said += _letters(data.get("delta"))


def tokens_of(characters: int) -> int:
    """An estimate."""
    return -(-characters // CHARS_PER_TOKEN)


def _end_of_event(data: bytes, start: int) -> int | None:
    found = [
        at + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (at := data.find(mark, start)) >= 0
    ]
    return min(found, default=None)


def _letters(value: object) -> int:
    match value:
        case str():
            return len(value)
        case dict():
            return sum(_letters(part) for part in value.values())
        case list():
            return sum(_letters(part) for part in value)
        case _:
            return 0
