"""What a run cannot mend by itself: a provider that refuses us or is gone, a budget that is used.

A coding agent answers all of this with silent retries, for minutes; so the gateway says it here,
and whoever runs the agent ends it at once with the right cause.
"""

import asyncio
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from bot.errors import AuthFailed, RateLimited, StepError, Transient

MAX_FAILURES = 3  #: in a row; fewer may be a hiccup that the agent's own retry gets over
RETRY_AFTER_S = 60.0  #: where a provider limits us and does not say for how long
_SHOWN = 500  #: characters of a provider's words


class Trouble:
    """Nothing, until something is wrong for good."""

    def __init__(self) -> None:
        self._come = asyncio.Event()
        self._failures = 0
        self.limit = ""  #: the limit of the run that was reached
        self.error: StepError | None = None  #: what the provider did

    async def wait(self) -> None:
        """Returns when the run has to end."""
        await self._come.wait()

    def over_limit(self, reason: str) -> None:
        """The budget is used up."""
        self.limit = self.limit or reason
        self._come.set()

    def refused(self, status: int, text: str, retry_after: str | None) -> None:
        """The provider answered with an error; `text` is masked."""
        said = f"the model provider answered {status}: {text[:_SHOWN]}"
        match status:
            case 401 | 403:
                self._end(AuthFailed(said))
            case 429:
                self._end(RateLimited(said, retry_at=time.time() + seconds_of(retry_after)))
            case _ if status >= 500 or status in {408, 409}:
                self.failed(said)

    def failed(self, text: str) -> None:
        """The provider broke off, or never answered."""
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._end(Transient(text))

    def fine(self) -> None:
        """An answer came through whole."""
        self._failures = 0

    def last_failure(self, text: str) -> StepError | None:
        """The error for a run that ended badly by itself: its provider's, if that had trouble."""
        if self.error is None and self._failures:
            return Transient(text)
        return self.error

    def _end(self, error: StepError) -> None:
        self.error = self.error or error
        self._come.set()


def seconds_of(
    retry_after: str | None, now: Callable[[], float] = time.time, usual: float = RETRY_AFTER_S
) -> float:
    """Seconds that a Retry-After header asks for: a number or a date (RFC 9110, 10.2.3)."""
    text = (retry_after or "").strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now())
    except ValueError:
        return usual
