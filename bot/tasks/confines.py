"""What the control groups around this process leave it of memory: a container's limit, a unit's.

psutil reads the machine's memory, which a limit makes no smaller. Sources:
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory and cgroup-v1/memory.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """How a version of control groups calls its limit, what is used, and what of that is cache."""

    limit: str
    used: str
    cache: tuple[str, str]  #: lines of `memory.stat`: file pages, which the kernel takes back


_ONE = _Files(
    limit="memory.limit_in_bytes",
    used="memory.usage_in_bytes",
    cache=("total_active_file", "total_inactive_file"),
)
_TWO = _Files(limit="memory.max", used="memory.current", cache=("active_file", "inactive_file"))


def memory_in_use(mount: Path = MOUNT, own: Path = OWN) -> float:
    """The share of the tightest limit that is in use, 0–1; 0 where nothing is limited."""
    return max((_share(group, files) for group, files in _groups(mount, own)), default=0.0)


def _groups(mount: Path, own: Path) -> Iterator[tuple[Path, _Files]]:
    """Our group and those above it; in a container the mount itself is the container's group."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        top, files = (mount, _TWO) if controllers == "" else (mount / "memory", _ONE)
        if controllers == "" or "memory" in controllers.split(","):
            below = Path(path.lstrip("/"))
            yield from ((top / group, files) for group in (below, *below.parents))


def _share(group: Path, files: _Files) -> float:
    """Without the cache, as `MemAvailable` counts it. A group that is not there limits nothing."""
    try:
        limit = (group / files.limit).read_text(encoding="ascii").strip()
        used = int((group / files.used).read_text(encoding="ascii"))
        stat = (group / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    if limit == "max":
        return 0.0
    cached = sum(int(line.split()[1]) for line in stat if line.split()[0] in files.cache)
    return max(0, used - cached) / int(limit)
