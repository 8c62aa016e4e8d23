"""What troubles everybody for a while: the hub is down, the disk is full, the clock jumps."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What it is."""

    HUB_DOWN = "the hub answers 503 for an hour"
    REFUSED = "401 for good"  #: until a person has mended the App; an hour here
    DISK_FULL = "the disk of the store is full"
    LOCKED = "another process locks the store for 30 s"
    CLOCK_AHEAD = "the clock jumps ahead by 2 h"
    CLOCK_BACK = "the clock jumps back by 2 h"


LASTS_S = {
    Kind.HUB_DOWN: 3600.0,
    Kind.REFUSED: 3600.0,
    Kind.DISK_FULL: 240.0,
    Kind.LOCKED: 30.0,
    Kind.CLOCK_AHEAD: 86_400.0,
    Kind.CLOCK_BACK: 86_400.0,
}
SKEW_S = {Kind.CLOCK_AHEAD: 7200.0, Kind.CLOCK_BACK: -7200.0}
STATUS = {Kind.HUB_DOWN: 503, Kind.REFUSED: 401}
STORE = {Kind.DISK_FULL: "database or disk is full", Kind.LOCKED: "database is locked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """One trouble, from `at_s` after the start of the history on."""

    kind: Kind
    at_s: float


@dataclass(slots=True, kw_only=True)
class Weather:
    """All storms of a history, on its clock; `on_hit` hears of each once, when it is felt."""

    passed: Callable[[], float]  #: seconds since the start
    storms: Sequence[Storm]
    on_hit: Callable[[Kind], None]
    over: bool = False  #: the faults of this history have stopped
    _felt: set[Kind] = field(default_factory=set)

    def skew_s(self) -> float:
        """How wrong the bot's clock is now. Clocks are put right by no one: it stays wrong."""
        found = self._now(SKEW_S, ends=False)
        return SKEW_S[found] if found is not None else 0.0

    def status(self) -> int | None:
        """What every call to the hub is answered with, if it is down."""
        found = self._now(STATUS)
        return STATUS[found] if found is not None else None

    def store_error(self) -> sqlite3.OperationalError | None:
        """What every write to the store comes to, if none can be written."""
        found = self._now(STORE)
        return sqlite3.OperationalError(STORE[found]) if found is not None else None

    def _now(self, kinds: Mapping[Kind, object], *, ends: bool = True) -> Kind | None:
        if self.over and ends:
            return None
        for storm in self.storms:
            since = self.passed() - storm.at_s
            if storm.kind in kinds and 0 <= since < LASTS_S[storm.kind]:
                if storm.kind not in self._felt:
                    self._felt.add(storm.kind)
                    self.on_hit(storm.kind)
                return storm.kind
        return None
