"""How late the event loop is: beats that should come on time, and how late they came.

One look at one moment would miss a loop that stands still most of the time, for whoever looks only
runs while it does not.
"""

import time
from collections.abc import Callable

BEAT_S = 0.25  #: from one beat to the next


class Lag:
    """`beat` is called every `BEAT_S`; whoever wants to know takes what has come together."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last: float | None = None
        self._beats, self._late_s = 0, 0.0

    async def beat(self) -> None:
        """One beat; the first says nothing yet."""
        now = self._now()
        if self._last is not None:
            self._beats += 1
            self._late_s += max(0.0, now - self._last - BEAT_S)
        self._last = now

    def take(self) -> float:
        """Seconds by which a beat was late on average since this was asked last.

        A single hiccup among many beats hardly counts, a loop that keeps stalling does.
        """
        late_s = self._late_s / self._beats if self._beats else 0.0
        self._beats, self._late_s = 0, 0.0
        return late_s
