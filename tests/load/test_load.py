"""A small load on a real server keeps every promise; `python -m tests.load` puts on the whole.

Counts are exact. Times have the bound that is promised, or a multiple of what an anchor beside it
took, so that a busy machine is no failure.
"""

from pathlib import Path

import pytest

from tests.load import queues
from tests.load.copies import copies
from tests.load.figures import Figure, wrong
from tests.load.whole import SMALL, doors_of


@pytest.mark.slow
async def test_bursts_floods_large_bodies_and_slow_clients(tmp_path: Path) -> None:
    assert wrong(await doors_of(tmp_path, SMALL)) == []


@pytest.mark.slow
async def test_one_delivery_many_times_is_one_task(tmp_path: Path) -> None:
    assert wrong(await copies(tmp_path, SMALL.copies)) == []


@pytest.mark.slow
async def test_a_long_queue_is_claimed_from_and_listed_quickly(tmp_path: Path) -> None:
    assert wrong(await queues.long_queue(tmp_path, SMALL.queued)) == []


async def test_one_repository_with_many_tasks_does_not_starve_another(tmp_path: Path) -> None:
    assert wrong(await queues.fair(tmp_path, SMALL.busy)) == []


def test_a_figure_beyond_its_bound_is_told() -> None:
    slow = Figure(load="burst", name="slowest", value=3.0, unit="s", at_most=2.0)
    lost = Figure(load="flood", name="lost", value=1, exactly=0)
    assert wrong([slow, lost]) == [
        "burst: slowest is 3 s, not ≤ 2 s",
        "flood: lost is 1 , not 0",
    ]
