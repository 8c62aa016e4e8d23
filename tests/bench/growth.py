"""growth: what a server holds after its first whole workflow, and after nine more.

The server is `chimera serve` in a process of its own with the demo's recording for its agents; the
hub, its runs and whatever they deploy are this process and its children, and do not count.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bot.demo import sample
from bot.demo.ports import free_port
from bot.demo.stage import hub_with, register
from bot.demo.story import deployed_to, stop_what_was_deployed
from bot.domain import Role, Status
from bot.github.app_types import NewApp
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from tests.bench import spawned
from tests.bench.meter import tree_rss_kib
from tests.bench.model import Bench, Cell, Figure, Reading
from tests.bench.shops import more_shops

WHOLE_S = 1500.0
LOOK_S = 0.2
SETTLE_S = 2.0  #: after the last task, for its last pictures


def bench(*, quick: bool) -> Bench:
    more = 0 if quick else 9
    return Bench(
        name="growth",
        about="one whole workflow, then nine more one by one; the hub is another process",
        rounds=1,
        cells=[Cell(name="server", work="tests.bench.growth:grown", args={"more": more})],
        figures=(
            Figure(
                name="completed",
                of=lambda r: r["server"]["completed"],
                at_least=1 + more,
                exact=True,
            ),
            Figure(name="idle", unit="MiB", of=lambda r: r["server"]["idle_kib"] / 1024),
            Figure(
                name="after the first completed workflow",
                unit="MiB",
                of=lambda r: r["server"]["first_kib"] / 1024,
            ),
            Figure(name="after ten", unit="MiB", of=lambda r: r["server"]["last_kib"] / 1024),
            Figure(
                name="growth per workflow after the first",
                unit="KiB",
                of=lambda r: r["server"]["each_kib"],
                at_most=1024,
            ),
        ),
    )


async def grown(more: int) -> Reading:
    """As many repositories as workflows, all on one hub; a server with one slot."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        async with at_work(Path(name), 1 + more, slots=1) as (play, repositories):
            first, *others = repositories
            return await _played(play, first, others)


@asynccontextmanager
async def at_work(
    folder: Path, count: int, *, slots: int, within: Sequence[str] = ()
) -> AsyncIterator[tuple["Play", list[Repository]]]:
    """A server in a process of its own, a hub in this one, and so many repositories on it."""
    places = [folder / f"deploys-{number}" for number in range(count)]
    variables = [deployed_to(place) for place in places]
    try:
        async with hub_with(folder, sample.files(), variables[0], "ada") as (hub, ada, first):
            repositories = [first, *await more_shops(hub, variables[1:])]
            port = free_port()
            app = await register(hub, f"http://127.0.0.1:{port}/webhook")
            given = _environment(hub, app, slots)
            with spawned.server(port, folder, given, within=within) as server:
                await asyncio.to_thread(spawned.until_alive, server, port, folder)
                hub.install(app.id, "ada", repositories)
                yield Play(hub, ada, port, server.pid), repositories
    finally:
        for place in places:
            await stop_what_was_deployed(place)


async def _played(play: "Play", first: Repository, others: list[Repository]) -> Reading:
    idle = await play.held()
    await play.complete([first])
    reading = {"idle_kib": idle, "first_kib": await play.held()}
    if others:
        await play.complete(others)
        reading["last_kib"] = await play.held()
        reading["each_kib"] = (reading["last_kib"] - reading["first_kib"]) / len(others)
    return {**reading, "completed": (await play.ended()).count(Status.COMPLETED)}


@dataclass(slots=True)
class Play:
    """Opens the issues, approves what waits for a person, and weighs the server."""

    hub: LocalHub
    owner: Person
    port: int
    pid: int
    asked: int = 0
    pressed: set[int] = field(default_factory=set)

    async def held(self) -> float:
        """KiB of the server, once GitHub shows the last state."""
        await self.hub.settle()
        await asyncio.sleep(SETTLE_S)
        return tree_rss_kib(self.pid)

    async def complete(self, repositories: list[Repository]) -> None:
        """A labelled issue in each, to the end of its task."""
        title, body = sample.issue()
        for repository in repositories:
            issue = await self.owner.open_issue(repository, title, body)
            await self.owner.label(repository, issue["number"], "chimera")
        self.asked += len(repositories)
        async with asyncio.timeout(WHOLE_S):
            while len(await self.ended()) < self.asked:
                for repository in repositories:
                    await self._approve(repository)
                await asyncio.sleep(LOOK_S)

    async def ended(self) -> list[Status]:
        """How the tasks ended that have ended."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.get(f"http://127.0.0.1:{self.port}/api/tasks?limit=100")
        found = [Status(one["status"]) for one in answer.raise_for_status().json()["tasks"]]
        return [status for status in found if status.ended]

    async def _approve(self, repository: Repository) -> None:
        base = f"/repos/{repository.full_name}"
        for pull in await self.owner.ask("GET", f"{base}/pulls"):
            checks = await self.owner.ask("GET", f"{base}/commits/{pull['head']['sha']}/check-runs")
            for run in checks["check_runs"]:
                if run["conclusion"] == "action_required" and run["id"] not in self.pressed:
                    self.pressed.add(run["id"])
                    await self.owner.press(repository, run["id"], "approve")


def _environment(hub: LocalHub, app: NewApp, slots: int) -> dict[str, str]:
    recorded = {"use": "replay", "recording": str(sample.recording())}
    return {
        "CHIMERA_API_URL": hub.api_url,
        "CHIMERA_WEB_URL": hub.base_url,
        "CHIMERA_APP_ID": str(app.id),
        "CHIMERA_PRIVATE_KEY": app.pem,
        "CHIMERA_WEBHOOK_SECRET": app.webhook_secret,
        "CHIMERA_WRITE_SPACING_S": "0",
        "CHIMERA_QUIET_S": "1",
        "CHIMERA_MAX_CONCURRENT": str(slots),
        "CHIMERA_AGENTS": json.dumps({role.value: recorded for role in Role}),
    }
