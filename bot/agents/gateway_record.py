"""What passed through the gateway, for the audit: one `Exchange` for each request."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.agents.cage_output import Capture, Stream
from bot.agents.gateway_meter import Used
from bot.log import mask

#: Bytes of a request or an answer; the beginning and the end are kept. Every request repeats the
#: conversation, so its end is what is new.
MAX_KEPT = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came of it; every secret that we know is blanked."""

    path: str
    model: str
    status: int  #: what the agent got; 0: it had gone before it got anything
    request: str
    answer: str
    duration_ms: int
    used: Used | None = None  #: None: nothing was billed
    note: str = ""  #: why the gateway refused it or cut it


Record = Callable[[Exchange], None]


class Tape:
    """What is kept of an answer as it comes, whatever its length."""

    def __init__(self) -> None:
        self._kept = Capture(MAX_KEPT)

    def add(self, data: bytes) -> None:
        """Memory stays bounded."""
        self._kept.add(Stream.STDOUT, data)

    def text(self) -> str:
        """As it may be stored."""
        return mask(self._kept.text_of(Stream.STDOUT).decode("utf-8", "replace"))


def storable(text: bytes) -> str:
    """`text` as it may be stored."""
    tape = Tape()
    tape.add(text)
    return tape.text()
