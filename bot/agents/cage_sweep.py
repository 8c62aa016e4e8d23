"""Takes away what a killed server has left of its cages.

Killed in the moment in which bubblewrap makes its namespaces, a server can leave the first process
inside, which waits for ever for a word from outside and has run nothing yet. Control groups are
left by every kill. Neither can be prevented by the one who dies, so the next one looks.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from bot.agents.cage_cgroup import left_groups
from bot.agents.cage_spawn import LEASH

SETTLED_S = 60.0  #: a younger empty group may be about to get its first process


def sweep() -> None:
    """Ends orphans of cages and removes empty groups; what is in use stays. Blocks for a moment."""
    for pid in orphans():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    for group in left_groups(before=time.time() - SETTLED_S):
        with contextlib.suppress(OSError):  # somebody is in it
            group.rmdir()


def orphans() -> Iterator[int]:
    """First processes of cages of ours whose bubblewrap outside has ended."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if _is_first_inside(entry) and not _is_cage(_status(entry)["PPid"]):
                yield int(entry)
        except (OSError, KeyError):
            continue  # it has ended, or is not ours to look at


def _is_first_inside(pid: str) -> bool:
    return _is_cage(pid) and _status(pid)["NSpid"].split()[1:] == ["1"]


def _is_cage(pid: str) -> bool:
    """Whether it was started with our command line; what is inside another cage does not count."""
    return LEASH.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _status(pid: str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return dict(line.split(":\t", 1) for line in lines)
