"""A limit of memory around the server counts as the machine's own does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bot.tasks.confines import MOUNT, OWN, memory_in_use

TWO = ("memory.max", "memory.current", "active_file", "inactive_file")
ONE = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "total_active_file",
    "total_inactive_file",
)
HOLDS = 192 * 2**20  #: bytes that the process of the real group keeps: more than a machine does
LIMIT = 256 * 2**20
HOLDER = f"""
from pathlib import Path
from bot.tasks.scaler import pressure_of
held = b"1" * {HOLDS}
print(pressure_of(Path("/"), lag_s=0).memory)
"""


def group(
    folder: Path, names: tuple[str, str, str, str], limit: str, used: int, cache: int
) -> Path:
    """A control group as the kernel shows it, with twice `cache` bytes of file pages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 7\n{names[2]} {cache}\n{names[3]} {cache}\n")
    return folder


def told(folder: Path, line: str) -> float:
    (folder / "own").write_text(f"{line}\n")
    return memory_in_use(folder, folder / "own")


def test_what_is_used_is_held_against_the_limit_and_the_cache_is_not_counted(
    tmp_path: Path,
) -> None:
    group(tmp_path / "system.slice/chimera.service", TWO, "1000", 900, 100)
    assert told(tmp_path, "0::/system.slice/chimera.service") == 0.7
    group(tmp_path / "memory/docker/1", ONE, "1000", 600, 50)
    assert told(tmp_path, "4:memory:/docker/1") == 0.5


def test_the_tightest_of_the_groups_around_us_counts(tmp_path: Path) -> None:
    group(tmp_path / "pod/container", TWO, "max", 800, 0)
    group(tmp_path / "pod", TWO, "1000", 800, 0)
    assert told(tmp_path, "0::/pod/container") == 0.8


def test_in_a_container_the_mount_is_its_own_group_whatever_its_path_outside(
    tmp_path: Path,
) -> None:
    group(tmp_path / "memory", ONE, "1000", 950, 0)
    assert told(tmp_path, "4:memory:/docker/not-shown-in-here") == 0.95


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_without_a_limit_nothing_is_short(tmp_path: Path, limit: str) -> None:
    group(tmp_path / "any", TWO, limit, 900, 0)
    assert told(tmp_path, "0::/any") < 0.001
    assert told(tmp_path, "8:pids:/any") == 0.0
    assert memory_in_use(tmp_path, tmp_path / "no such file") == 0.0


@pytest.fixture
def real_group() -> Iterator[Path | None]:
    """A group of the kernel's with a limit of memory; None where this user may make none."""
    lines = [line.split(":", 2) for line in OWN.read_text().splitlines()]
    below = {controllers: path.lstrip("/") for _, controllers, path in lines}
    one = "memory" in below
    parent = MOUNT / "memory" / below["memory"] if one else MOUNT / below.get("", "")
    place = parent / f"chimera-test-{os.getpid()}"
    try:
        place.mkdir()
        (place / (ONE if one else TWO)[0]).write_text(str(LIMIT))
    except OSError:
        with suppress(OSError):
            place.rmdir()
        yield None
        return
    yield place
    place.rmdir()


def test_the_pool_hears_of_a_real_limit_where_one_can_be_set(real_group: Path | None) -> None:
    join = ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', str(real_group)]
    argv = [*(join if real_group else []), sys.executable, "-c", HOLDER]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (HOLDS / LIMIT if real_group else 0) < float(done.stdout) <= 1
