"""Many histories, in processes that are renewed now and then, and what they add up to."""

import logging
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import structlog

from tests.faults.history import Told, tell
from tests.faults.plan import drawn

RENEWED_AFTER = 10  #: histories; every hub's tokens are learnt by the masker, for ever


@dataclass(slots=True, kw_only=True)
class Sum:
    """What histories add up to."""

    histories: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    recovery_s: dict[str, list[float]] = field(default_factory=dict)
    stranded: Counter[str] = field(default_factory=Counter)
    failed: list[Told] = field(default_factory=list)
    simulated_s: float = 0.0
    cpu_s: float = 0.0

    def add(self, told: Told) -> None:
        self.histories += 1
        self.outcomes += told.outcomes
        self.hits += told.hits
        self.points += told.points
        self.stranded += told.stranded
        for kind, seconds in told.recovery_s:
            self.recovery_s.setdefault(kind, []).append(seconds)
        self.simulated_s += told.simulated_s
        self.cpu_s += told.cpu_s
        if told.problems:
            self.failed.append(told)


def run(seeds: Iterable[int], *, jobs: int = 1, seconds: float | None = None) -> Iterator[Told]:
    """The histories of these seeds, as they end; no new one is begun after `seconds`."""
    os.environ["PYTHONHASHSEED"] = "0"  # for the processes: the order of a set is part of a story
    until = None if seconds is None else time.monotonic() + seconds
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # a new process then costs nothing
    with context.Pool(jobs, initializer=silent, maxtasksperchild=RENEWED_AFTER) as pool:
        for told in pool.imap_unordered(one, seeds):
            yield told
            if until is not None and time.monotonic() > until:
                pool.terminate()
                return


def one(seed: int) -> Told:
    """The history of a seed."""
    return tell(drawn(seed))


def silent() -> None:
    """Without the bot's log, which would be most of what there is to see."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
