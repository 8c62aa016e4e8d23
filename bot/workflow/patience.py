"""How often somebody without a role here is listened to: every answer is a write at GitHub.

An installation may create 400 things an hour. Whoever may only read could use them all up with
comments, and nobody's task could go on.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

HOUR_S = 3600.0
COMMANDS = 20  #: comments with commands of one such person in a repository within an hour
MAX_REMEMBERED = 10_000  #: people; whoever spoke first is forgotten first


class Patience:
    """Who said how much of late. A restart is patient again."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._heard: OrderedDict[tuple[int, int], deque[float]] = OrderedDict()

    def ends(self, repo_id: int, person_id: int) -> bool:
        """Whether this is more than a person without a role is listened to; counts it if not."""
        heard = self._heard.setdefault((repo_id, person_id), deque(maxlen=COMMANDS))
        if len(heard) == COMMANDS and heard[0] > self._now() - HOUR_S:
            return True
        heard.append(self._now())
        if len(self._heard) > MAX_REMEMBERED:
            self._heard.popitem(last=False)
        return False
