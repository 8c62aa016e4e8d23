"""What a process uses: processor time by its own account, memory as the kernel sees it."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_PAGE_KIB = resource.getpagesize() / 1024


class Meter:
    """Wall and processor seconds of a block, every thread included, children apart."""

    def __init__(self) -> None:
        self.wall_s = 0.0
        self.cpu_s = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Adds what the block takes; a meter may run more than once."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.wall_s += time.perf_counter() - wall
            self.cpu_s += time.process_time() - cpu

    def reading(self, operations: int) -> dict[str, float]:
        """Per operation: microseconds of processor, and how many a second."""
        return {
            "cpu_us": self.cpu_s / operations * 1e6,
            "per_s": operations / self.wall_s,
            "per_cpu_s": operations / self.cpu_s,
        }


def rss_kib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_KIB


def tree_cpu_s(pid: int) -> float:
    """Processor seconds, in ticks of 10 ms, of a process and of all that it has started."""
    times = [one.cpu_times() for one in _tree(pid)]
    ended = sum(one.children_user + one.children_system for one in times)
    return ended + sum(one.user + one.system for one in times)


def tree_rss_kib(pid: int) -> float:
    """Resident memory of a process and of all below it; what they share counts for each."""
    return sum(one.memory_info().rss for one in _tree(pid)) / 1024


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def percentile(values: list[float], share: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
