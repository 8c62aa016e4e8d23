"""A control group around one run, where this machine lets us make one.

RLIMIT_NPROC holds for everybody but root, whom the kernel exempts (setrlimit(2)); the `pids`
controller holds for root too. Root can always make a group, others have the limit: so one of the
two is there, and the watch on the process tree is a second line for both.
Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1/pids.html
"""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_NAME = "chimera-"
_REMOVE_TRIES = 20  #: a group is busy until the kernel has buried its last process


def make_group(pids: int) -> Path | None:
    """A group that holds at most `pids` tasks; None where we may not make one."""
    for parent in _parents():
        group = parent / f"{_NAME}{os.getpid()}-{secrets.token_hex(6)}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / "pids.max").write_text(str(pids))
        except OSError:
            group.rmdir()
            continue
        return group
    return None


def join_group(group: Path, pid: int) -> None:
    """Puts `pid`, and what it starts from now on, into `group`. Raises OSError."""
    (group / "cgroup.procs").write_text(str(pid))


def remove_group(group: Path) -> None:
    """Removes a group whose processes have ended. Blocks for up to a fifth of a second."""
    for _ in range(_REMOVE_TRIES):
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.01)


def left_groups(*, before: float) -> Iterator[Path]:
    """Groups of runs that were made before this moment (Unix seconds), in use or not."""
    for parent in _parents():
        with contextlib.suppress(OSError):
            yield from (g for g in parent.glob(f"{_NAME}*") if g.stat().st_mtime < before)


def _parents() -> Iterator[Path]:
    """Where a group with the pids controller may be made: below ours, or beside it."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers == "pids":
            yield _MOUNT / "pids" / own.lstrip("/")
        elif controllers == "":
            here = _MOUNT / own.lstrip("/")
            yield from (place for place in (here, here.parent) if _hands_on_pids(place))


def _hands_on_pids(place: Path) -> bool:
    try:
        return "pids" in (place / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


def may_need_group() -> bool:
    """Only root is exempt from the ordinary limit."""
    return os.geteuid() == 0
