"""The confines in which servers of other sizes are measured hold what they say."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.packaging.confined import MIB, Confines, confines

LIMIT_MIB, HELD_MIB = 96, 48
HOLD = "import sys; held = b'1' * {size}; print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def group() -> Iterator[Confines | None]:
    """None where this user may make no control group, as on most machines that are not root's."""
    try:
        made = confines(LIMIT_MIB)
        group = made.__enter__()
    except OSError:
        yield None
        return
    yield group
    made.__exit__(None, None, None)


def held(group: Confines | None, mib: int) -> tuple[bool, float]:
    """Whether a program could hold so much, and what its group says that it held."""
    argv = [*(group.within if group else []), sys.executable, "-c", HOLD.format(size=mib * MIB)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        lives = program.stdout.readline() == b"held\n"
        seen = group.held_mib() if group else float(mib)
        program.communicate(timeout=60)
        return lives, seen


def test_what_fits_is_weighed_and_what_does_not_is_ended_and_counted(
    group: Confines | None,
) -> None:
    lives, seen = held(group, HELD_MIB)
    assert lives
    assert HELD_MIB <= seen <= LIMIT_MIB
    if group is not None:
        assert group.killed() == 0
        assert held(group, 2 * LIMIT_MIB)[0] is False
        assert group.killed() == 1
