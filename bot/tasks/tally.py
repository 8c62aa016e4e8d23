"""Counts what the journal gains: steps, retries, working time, tokens and money.

The counts come from committed rows and not from hooks on the way, so that a step which was never
recorded is never counted. They begin at 0 with the process.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.domain import Cause, Outcome, Phase
from bot.facts import Spend
from bot.tasks.queue import TaskQueue
from bot.tasks.statistics import Recorded

#: Upper bounds in seconds: a look at GitHub, a test run, an agent's turn, the longest phase.
BUCKETS_S = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
#: A wait for what a person has to mend or pay; or for nothing that went wrong.
_NOT_TRIED_AGAIN = frozenset({None, Cause.CONFIG, Cause.BUDGET})
PAGE = 1000  #: rows read at once


@dataclass(frozen=True, slots=True)
class Kind:
    """What a step was."""

    phase: Phase
    outcome: Outcome
    cause: Cause | None


@dataclass(slots=True)
class Durations:
    """A histogram: how many took at most `BUCKETS_S[i]` and longer than the bound before."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


@dataclass(slots=True)
class Counted:
    """The counts so far."""

    steps: Counter[Kind] = field(default_factory=Counter)
    seconds: dict[Phase, Durations] = field(default_factory=dict)
    spend: dict[Phase, Spend] = field(default_factory=dict)

    def retries(self) -> dict[tuple[Phase, Cause], int]:
        """Steps that will be tried again after a failure that may pass: a wait that has a cause."""
        found: Counter[tuple[Phase, Cause]] = Counter()
        for kind, n in self.steps.items():
            if kind.outcome is Outcome.WAIT and kind.cause not in _NOT_TRIED_AGAIN:
                assert kind.cause is not None
                found[kind.phase, kind.cause] += n
        return dict(found)

    def add(self, rows: Iterable[Recorded]) -> None:
        for row in rows:
            self.steps[Kind(row.phase, row.outcome, row.cause)] += 1
            self.seconds.setdefault(row.phase, Durations()).add(row.seconds)
            self.spend[row.phase] = self.spend.get(row.phase, Spend()) + row.spend


class Tally:
    """Made once for a process; it reads on from where it stopped, when it is asked."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._counted = Counted()
        self._place: int | None = None  #: of the last row counted
        self._one_at_a_time = asyncio.Lock()

    async def counted(self) -> Counted:
        """The counts, brought up to date; they begin with the first call. Raises StoreError."""
        async with self._one_at_a_time:
            if self._place is None:
                self._place = await self._queue.journal_head()
            while rows := await self._queue.recorded_after(self._place, PAGE):
                self._counted.add(rows)
                self._place = rows[-1].place
            return self._counted
