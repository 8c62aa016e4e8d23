"""When each loop of the daemon last showed that it turns.

A loop that hangs raises nothing and logs nothing: that it has become silent is all there is to see.
"""

import time
from collections.abc import Callable

SILENT_S = 180.0  #: the longest sleep of a loop, and the longest work on one thing, with room


class Pulse:
    """Loops beat; whoever wants to know asks which are silent. On the machine's own clock."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: dict[str, float] = {}

    def beat(self, loop: str) -> None:
        """This loop turns."""
        self._seen[loop] = self._now()

    def silent(self, longer_than_s: float = SILENT_S) -> dict[str, float]:
        """The loops that have not been heard of for so long, and since how many seconds."""
        ages = {loop: self._now() - at for loop, at in self._seen.items()}
        return {loop: age for loop, age in ages.items() if age > longer_than_s}
