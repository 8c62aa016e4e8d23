"""A control group with a limit of memory, as a container or a small machine has one."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
MIB = 2**20
REMOVE_S = 10.0  #: a group is busy until the kernel has buried its last process


@dataclass(frozen=True, slots=True, kw_only=True)
class Confines:
    """One group: what holds it, and what was used in it."""

    place: Path
    old: bool  #: version 1 of control groups

    @property
    def within(self) -> list[str]:
        """What execs a program inside."""
        return ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', str(self.place)]

    def held_mib(self) -> float:
        """Memory that the kernel cannot take back now: without the cache of files."""
        names = ("total_rss", "total_shmem") if self.old else ("anon", "shmem")
        stat = self._stat("memory.stat")
        return sum(stat[name] for name in names) / MIB

    def killed(self) -> int:
        """Processes that the kernel ended because the limit was reached."""
        return self._stat("memory.oom_control" if self.old else "memory.events")["oom_kill"]

    def _stat(self, file: str) -> dict[str, int]:
        lines = (self.place / file).read_text(encoding="ascii").splitlines()
        return {name: int(value) for name, value in (line.split() for line in lines)}


@contextlib.contextmanager
def confines(memory_mib: int) -> Iterator[Confines]:
    """A group of so much memory without swap. Raises OSError where none can be made (root can)."""
    old = (MOUNT / "memory").is_dir()
    place = (MOUNT / "memory" if old else MOUNT) / f"chimera-size-{os.getpid()}"
    place.mkdir()
    try:
        limit = "memory.limit_in_bytes" if old else "memory.max"
        (place / limit).write_text(str(memory_mib * MIB))
        swap, none = ("memory.swappiness", "0") if old else ("memory.swap.max", "0")
        with contextlib.suppress(FileNotFoundError):  # a kernel without swap
            (place / swap).write_text(none)
        yield Confines(place=place, old=old)
    finally:
        _remove(place)


def _remove(place: Path) -> None:
    deadline = time.monotonic() + REMOVE_S
    while True:
        try:
            return place.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
