"""Runs benches: rounds of cells in shuffled order, each in a fresh process, beside the load.

What the rest of the machine does meanwhile is recorded, for a reader to weigh the timings by.
"""

import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench.model import Bench, Cell, Line, Reading, Readings, Round, Verdict, judge

CELL_S = 1800.0  #: after which a cell is given up
RERUNS = 3  #: of a bench with a noisy figure
ROOT = Path(__file__).parents[2]
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What else this machine was busy with, in cores; ours does not count."""

    cores: int
    before: float  #: load average of the last minute
    after: float
    foreign: float  #: cores that others used, on average


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    bench: str
    about: str
    rounds: int
    seconds: float
    load: Load
    lines: tuple[Line, ...]
    readings: tuple[Readings, ...]
    reruns: int = 0  #: it was noisy so often; what stands here is the last run

    @property
    def noisy(self) -> tuple[str, ...]:
        """The figures about which another run might say otherwise."""
        return tuple(line.figure for line in self.lines if line.verdict is Verdict.NOISY)


def settled(
    bench: Bench, *, rounds: int | None, say: Callable[[str], None], reruns: int = RERUNS
) -> Result:
    """Measure a bench, and again from its first round while a figure is noisy.

    The last run counts, as it is: runs are neither mixed nor chosen from.
    """
    result = run(bench, rounds=rounds, say=say)
    for number in range(1, reruns + 1):
        if not result.noisy:
            break
        say(f"{bench.name}: noisy ({'; '.join(result.noisy)}): rerun {number} of {reruns}")
        result = replace(run(bench, rounds=rounds, say=say), reruns=number)
    return result


def run(bench: Bench, *, rounds: int | None, say: Callable[[str], None]) -> Result:
    """Measure a bench; `rounds` overrides its own number."""
    count = rounds or bench.rounds
    before, watch = os.getloadavg()[0], _Watch()
    done: list[Round] = []
    for number in range(1, count + 1):
        say(f"{bench.name}: round {number} of {count}")
        done.append(_round(bench))
    load = Load(
        cores=os.cpu_count() or 1,
        before=before,
        after=os.getloadavg()[0],
        foreign=watch.foreign_cores(),
    )
    return Result(
        bench=bench.name,
        about=bench.about,
        rounds=count,
        seconds=watch.wall_s(),
        load=load,
        lines=tuple(judge(figure, done) for figure in bench.figures),
        readings=tuple(one.readings for one in done),
    )


def _round(bench: Bench) -> Round:
    readings: dict[str, Reading] = {}
    absent: dict[str, str] = {}
    for cell in random.sample(list(bench.cells), len(bench.cells)):
        answer = measure(cell)
        if "reading" in answer:
            readings[cell.name] = answer["reading"]
        else:
            absent[cell.name] = answer["absent"]
    return Round(readings=readings, absent=absent)


def measure(cell: Cell) -> dict[str, Any]:
    """The cell's answer. Raises RuntimeError with its last words when it broke."""
    argv = [sys.executable, "-m", "tests.bench.child", cell.work, json.dumps(dict(cell.args))]
    ran = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, timeout=CELL_S, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"cell {cell.name} broke:\n{ran.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer


class _Watch:
    """The processor time of the machine and of our own processes since it was made."""

    def __init__(self) -> None:
        self._wall = time.monotonic()
        self._busy, self._own = _busy_s(), _own_s()

    def wall_s(self) -> float:
        return time.monotonic() - self._wall

    def foreign_cores(self) -> float:
        others = _busy_s() - self._busy - (_own_s() - self._own)
        return max(0.0, others) / max(self.wall_s(), 0.001)


def _busy_s() -> float:
    """Processor seconds that anybody used: all of `cpu` in /proc/stat but idle and iowait."""
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    user, nice, system, _idle, _iowait, *rest = map(int, first.split()[1:9])
    return (user + nice + system + sum(rest)) / _TICKS


def _own_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)
