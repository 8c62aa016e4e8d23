"""cage: a caged spawn beside a plain one, ten agents at once, ten workspaces beside ten clones."""

import asyncio
import tempfile
import time
from pathlib import Path

from bot.agents.cage import Cage
from bot.errors import CageMissing
from bot.github.git import Git
from tests.bench.making_git import make_repository
from tests.bench.model import Absent, Bench, Cell, Figure, Reading

AT_ONCE = 10


def bench(*, quick: bool) -> Bench:
    spawns = {"count": 3 if quick else 30}
    repo = {"mebibytes": 1 if quick else 20}
    agents = {"count": 2 if quick else AT_ONCE}
    return Bench(
        name="cage",
        about=(
            f"/bin/true caged; {agents['count']} agents; "
            f"{AT_ONCE} checkouts of a {repo['mebibytes']} MiB repository"
        ),
        cells=[
            Cell(name="spawn", work="tests.bench.cages:spawn", args=spawns),
            Cell(name="agents", work="tests.bench.agents_at_once:at_once", args=agents),
            Cell(name="workspaces", work="tests.bench.cages:workspaces", args=repo),
        ],
        figures=(
            Figure(name="caged spawn", unit="ms", of=lambda r: r["spawn"]["caged_ms"]),
            Figure(name="plain spawn", unit="ms", of=lambda r: r["spawn"]["plain_ms"]),
            Figure(name="caged runs that went well", of=lambda r: r["spawn"]["ok"],
                   at_least=1, exact=True),
            Figure(name="agents at once that went well", of=lambda r: r["agents"]["ok"],
                   at_least=1, exact=True),
            Figure(name="ten agents at once", unit="s", of=lambda r: r["agents"]["wall_s"]),
            Figure(name="the whole tree while they work", unit="MiB",
                   of=lambda r: r["agents"]["tree_kib"] / 1024),
            Figure(name="of it for each workflow", unit="MiB",
                   of=lambda r: r["agents"]["each_kib"] / 1024, at_most=75),
            Figure(name="what each of them adds", unit="MiB",
                   of=lambda r: r["agents"]["more_kib"] / 1024),
            Figure(name="ten workspaces at once", unit="s", of=lambda r: r["workspaces"]["ours_s"]),
            Figure(name="ten full clones at once", unit="s",
                   of=lambda r: r["workspaces"]["clones_s"]),
            Figure(
                name="workspaces faster than full clones",
                unit="×",
                of=lambda r: r["workspaces"]["clones_s"] / r["workspaces"]["ours_s"],
                at_least=1.0,
            ),
            Figure(
                name="disk taken by ten workspaces, work trees apart, of one full clone's",
                unit="×",
                of=lambda r: r["workspaces"]["git_share"],
                at_most=0.2,
                exact=True,
            ),
        ),
    )  # fmt: skip


async def spawn(count: int) -> Reading:
    """One after the other, in turns with the plain ones."""
    try:
        cage = await Cage.open()
    except CageMissing as missing:
        raise Absent("no cage works on this machine") from missing
    caged = plain = 0.0
    ok = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(count):
            begun = time.perf_counter()
            process = await asyncio.create_subprocess_exec("/bin/true")
            await process.wait()
            plain += time.perf_counter() - begun
            begun = time.perf_counter()
            ran = await cage.run(["/bin/true"], workspace=Path(folder))
            caged += time.perf_counter() - begun
            ok += ran.ok
    return {"caged_ms": caged / count * 1e3, "plain_ms": plain / count * 1e3, "ok": ok / count}


async def workspaces(mebibytes: int) -> Reading:
    """A mirror and ten checkouts that borrow its objects; and ten clones that copy them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sha = await asyncio.to_thread(make_repository, folder / "origin", mebibytes)
        url = str(folder / "origin")
        begun = time.perf_counter()
        git = Git(folder / "git")
        mirror = await git.mirror(url, "bench")
        ours = [folder / f"ours-{number}" for number in range(AT_ONCE)]
        await asyncio.gather(*(git.checkout(mirror, path, sha, "work") for path in ours))
        ours_s = time.perf_counter() - begun
        begun = time.perf_counter()
        clones = [folder / f"clone-{number}" for number in range(AT_ONCE)]
        await asyncio.gather(*(_clone(url, path) for path in clones))
        clones_s = time.perf_counter() - begun
        share = sum(_size(path / ".git") for path in ours) / _size(clones[0] / ".git")
    return {"ours_s": ours_s, "clones_s": clones_s, "git_share": share}


async def _clone(url: str, path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        "git", "clone", "--quiet", "--no-local", url, str(path)
    )
    assert await process.wait() == 0


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
