"""What servers of several sizes hold: `python -m tests.packaging.sizes [--cores N] [--memory MIB]`.

For each size a server of its own, `chimera serve`, takes several of the demo's workflows at once,
confined to so many cores and so much memory (a control group without swap, which only root can
make). The hub, its Actions and what they deploy are outside, as GitHub would be: on this machine,
but not in that memory. What agents need is not in the figures: their session is played again.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import httpx

from bot.domain import Status
from tests.bench.growth import Play, at_work
from tests.packaging.confined import Confines, confines

CORES, MEMORY_MIB = (1, 2), (512, 1024, 2048)
LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One size, and what came of it."""

    cores: int
    memory_mib: int
    slots: int
    workflows: int
    completed: int  #: 0 as well where the server did not live to tell
    seconds: float  #: from the first label to the last end
    held_mib: float  #: the most, of the server, its cages and the tests in them
    killed: int  #: processes that the kernel ended for want of memory


async def measured(*, cores: int, memory_mib: int, slots: int, workflows: int) -> Row:
    """So many workflows at once on a server of this size."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, confines(memory_mib) as c:
        within = ["taskset", "-c", f"0-{cores - 1}", *c.within]
        async with at_work(Path(name), workflows, slots=slots, within=within) as (play, where):
            async with _weighed(c) as looks:
                begun = time.perf_counter()
                with suppress(httpx.TransportError):  # the server is no more
                    await play.complete(where)
                seconds = time.perf_counter() - begun
            completed = await _completed(play)
        return Row(
            cores=cores, memory_mib=memory_mib, slots=slots, workflows=workflows,
            completed=completed, seconds=seconds, held_mib=max(looks), killed=c.killed(),
        )  # fmt: skip


@asynccontextmanager
async def _weighed(group: Confines) -> AsyncIterator[list[float]]:
    """What the group holds, in MiB, look by look until the block ends."""
    looks = [group.held_mib()]

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            looks.append(group.held_mib())

    looking = asyncio.create_task(look(), name="sizes")
    try:
        yield looks
    finally:
        looking.cancel()


async def _completed(play: Play) -> int:
    with suppress(httpx.TransportError):
        return (await play.ended()).count(Status.COMPLETED)
    return 0


@click.command()
@click.option("--cores", type=click.IntRange(1), multiple=True, default=CORES, show_default=True)
@click.option("--memory", type=click.IntRange(256), multiple=True, default=MEMORY_MIB,
              show_default=True, help="MiB, each in a round of its own.")  # fmt: skip
@click.option("--slots", type=click.IntRange(1), default=3, show_default=True)
@click.option("--workflows", type=click.IntRange(1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(
    cores: tuple[int, ...], memory: tuple[int, ...], slots: int, workflows: int, as_json: bool
) -> None:
    """Print a row for each number of cores and each memory."""
    rows = []
    for count in cores:
        for size in memory:
            rows.append(asyncio.run(measured(
                cores=count, memory_mib=size, slots=slots, workflows=workflows
            )))  # fmt: skip
            if not as_json:
                click.echo(_line(rows[-1]))
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))


def _line(row: Row) -> str:
    return (
        f"{row.cores} cores, {row.memory_mib:>5} MiB, {row.slots} slots: "
        f"{row.completed} of {row.workflows} in {row.seconds:.0f} s, "
        f"{row.held_mib:.0f} MiB held at most, {row.killed} killed"
    )


if __name__ == "__main__":
    main()
