"""GitHub's clock: ours may be wrong by hours, and what it signs and refuses goes by its own.

Every answer says when it was given (`Date`, RFC 9110 section 6.6.1).
"""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

TOLERATED_S = 30.0  #: an answer takes its time, and `Date` has whole seconds


class HubClock:
    """Unix seconds as GitHub counts them, as far as its answers have told."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return self._now() + self._ahead_s

    def learn(self, date: str) -> bool:
        """Take in an answer's `Date`; whether it is another time than we thought."""
        said = _instant(date)
        if said is None or abs(said.timestamp() - self()) <= TOLERATED_S:
            return False
        self._ahead_s = said.timestamp() - self._now()
        return True


def _instant(date: str) -> datetime | None:
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return None
