"""What may be remembered of an answer for a little while: bounded, with an end for each."""

from collections import OrderedDict
from collections.abc import Callable

MAX_ENTRIES = 2_000


class Memory:
    """Short texts that are good for some seconds; the oldest give way."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._held: OrderedDict[tuple[str | int, ...], tuple[float, str]] = OrderedDict()

    def get(self, key: tuple[str | int, ...]) -> str | None:
        ends_at, value = self._held.get(key, (0.0, ""))
        return value if ends_at > self._now() else None

    def keep(self, key: tuple[str | int, ...], value: str, *, for_s: float) -> str:
        """Remember the value, and return it."""
        self._held.pop(key, None)
        self._held[key] = (self._now() + for_s, value)
        while len(self._held) > MAX_ENTRIES:
            self._held.popitem(last=False)
        return value
