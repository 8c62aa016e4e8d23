"""What a tree of processes uses, read from /proc (proc(5)).

The kernel's own limits are not enough: RLIMIT_NPROC exempts root, RLIMIT_AS breaks programs that
reserve more than they use (WebAssembly), and control groups are not ours on every machine.
"""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = resource.getpagesize()


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeUse:
    """One look at a tree."""

    pids: tuple[int, ...]
    tasks: int  #: processes and threads
    cpu_s: float  #: of the living and of those they have waited for
    rss: int  #: bytes, shared pages counted for each process: an upper bound


def look_at(root: int, *, at_most: int) -> TreeUse:
    """The tree under `root`, itself included; stops counting beyond `at_most` tasks."""
    todo, pids = [root], []
    tasks, cpu, rss = 0, 0.0, 0
    while todo and tasks <= at_most:
        pid = todo.pop()
        try:
            threads = os.listdir(f"/proc/{pid}/task")
            cpu += _cpu_s(pid)
            rss += _rss(pid)
            for thread in threads:
                todo += _children(pid, thread)
        except (OSError, IndexError, ValueError):
            continue  # it has ended while we looked
        pids.append(pid)
        tasks += len(threads)
    return TreeUse(pids=tuple(pids), tasks=tasks, cpu_s=cpu, rss=rss)


def pss_of(pids: tuple[int, ...]) -> int:
    """Bytes of memory in use, a page that n processes share counted 1/n for each."""
    return sum(_pss(pid) for pid in pids)


def _children(pid: int, thread: str) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()]


def _cpu_s(pid: int) -> float:
    # fields 14-17 of the line: utime, stime, cutime, cstime; the name in ( ) may hold anything
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def _rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0
