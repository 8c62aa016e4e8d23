"""The clock of one run, and the words for what happens in it."""

import time

from bot.agents.agent import EVENT_TEXT, AgentEvent, Emit, EventKind, Usage


class Teller:
    """Tells the events of one run, which begins now."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._started = time.monotonic()

    @property
    def duration_ms(self) -> int:
        """Since the run began."""
        return round((time.monotonic() - self._started) * 1000)

    def tell(
        self,
        kind: EventKind,
        text: str = "",
        tool: str = "",
        used: Usage | None = None,
        **data: object,
    ) -> None:
        """One line of the transcript; `used` is what one answer of a model has cost."""
        event = AgentEvent(
            at_ms=self.duration_ms,
            kind=kind,
            text=text[:EVENT_TEXT],
            tool=tool,
            data=data,
            used=used,
        )
        self._emit(event)
