"""Every load in turn, in its whole size or in one that CI has time for."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.load import doors, queues
from tests.load.copies import copies
from tests.load.figures import Figure
from tests.load.server import stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of each."""

    burst: int = 500
    flood: int = 5000
    flood_s: float = 10.0
    copies: int = 10_000
    bodies: int = 20
    slow: int = 200
    queued: int = 10_000
    busy: int = 1000


SMALL = Size(
    burst=150, flood=600, flood_s=2.0, copies=500, bodies=5, slow=40, queued=1500, busy=200
)


async def doors_of(folder: Path, size: Size) -> list[Figure]:
    """What comes to the webhook's door of one server."""
    async with stand(folder) as served:
        return [
            *await doors.burst(served, size.burst),
            *await doors.flood(served, size.flood, within_s=size.flood_s),
            *await doors.bodies(served, size.bodies),
            *await doors.slow(served, size.slow),
        ]


async def every(size: Size) -> AsyncIterator[list[Figure]]:
    """The figures of each load as it ends, each on a data directory of its own."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / str(number) for number in range(4)]
        for folder in folders:
            folder.mkdir()
        yield await doors_of(folders[0], size)
        yield await copies(folders[1], size.copies)
        yield await queues.long_queue(folders[2], size.queued)
        yield await queues.fair(folders[3], size.busy)
