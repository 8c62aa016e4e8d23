"""whole: ten whole workflows at once, from label to production, through the hub with replays."""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot import log
from bot.agents.cage import Cage
from bot.agents.replay import Recording, ReplayAgent
from bot.demo import sample
from bot.demo.stage import Stage, bot_on, hub_with
from bot.demo.story import deployed_to, stop_what_was_deployed
from bot.domain import Role, Status, Task, WaitFor
from bot.localhub.state import Repository
from tests.bench.meter import rss_kib
from tests.bench.model import Bench, Cell, Figure, Reading
from tests.bench.shops import more_shops

SLOTS = 5
WHOLE_S = 840.0
LOOK_S = 0.1


def bench(*, quick: bool) -> Bench:
    args = {"count": 1 if quick else 10}
    return Bench(
        name="whole",
        about=f"{args['count']} whole workflows at once in as many repositories, {SLOTS} slots",
        rounds=1,
        cells=[Cell(name="factory", work="tests.bench.whole:factory", args=args)],
        figures=(
            Figure(
                name="completed",
                of=lambda r: r["factory"]["completed"],
                at_least=args["count"],
                exact=True,
            ),
            Figure(
                name="most at once",
                of=lambda r: r["factory"]["most"],
                at_most=SLOTS,
                exact=True,
            ),
            Figure(name="from the first label to the last end", unit="s",
                   of=lambda r: r["factory"]["wall_s"]),
            Figure(name="memory per workflow, bot and hub in one process", unit="MiB",
                   of=lambda r: r["factory"]["each_kib"] / 1024),
        ),
    )  # fmt: skip


async def factory(count: int) -> Reading:
    """One hub, one bot, `count` repositories with one labelled issue each."""
    log.set_up(level="ERROR")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        recording = await asyncio.to_thread(Recording.load, sample.recording())
        agents = dict.fromkeys(Role, ReplayAgent(recording))
        cage = await Cage.open()
        places = [folder / f"deploys-{number}" for number in range(count)]
        variables = [deployed_to(place) for place in places]
        try:
            async with hub_with(folder, sample.files(), variables[0], "ada") as (hub, ada, first):
                others = await more_shops(hub, variables[1:])
                async with bot_on(
                    hub, ada, first, folder, agents, cage=cage,
                    adjust=lambda s: s.model_copy(update={"max_concurrent": SLOTS}),
                ) as stage:  # fmt: skip
                    if others:
                        installation = next(iter(hub.world.installations.values()))
                        hub.set_installed_repositories(installation.id, [first, *others])
                    return await _play(stage, [first, *others])
        finally:
            for place in places:
                await stop_what_was_deployed(place)


async def _play(stage: Stage, repositories: list[Repository]) -> Reading:
    before, begun = rss_kib(), time.perf_counter()
    title, body = sample.issue()
    for repository in repositories:
        issue = await stage.owner.open_issue(repository, title, body)
        await stage.owner.label(repository, issue["number"], "chimera")
    watch = _Watch(stage, repositories)
    async with asyncio.timeout(WHOLE_S):
        while not await watch.all_ended():  # noqa: ASYNC110 - the store has the answer
            await asyncio.sleep(LOOK_S)
    return {
        "completed": watch.completed,
        "most": watch.most,
        "wall_s": time.perf_counter() - begun,
        "each_kib": (watch.peak_kib - before) / len(repositories),
    }


@dataclass(slots=True)
class _Watch:
    """Looks on, and approves what waits for a person."""

    stage: Stage
    repositories: list[Repository]
    most: int = 0
    completed: int = 0
    peak_kib: float = 0.0

    async def all_ended(self) -> bool:
        house = self.stage.house
        self.most = max(self.most, house.pool.active)
        self.peak_kib = max(self.peak_kib, rss_kib())
        found = [await house.queue.find(one.id, 1) for one in self.repositories]
        tasks = [task for task in found if task is not None]
        for task, repository in zip(found, self.repositories, strict=True):
            if task is not None and _wants_approval(task):
                await self._approve(task, repository)
        self.completed = sum(task.status is Status.COMPLETED for task in tasks)
        return len(tasks) == len(found) and all(task.status.ended for task in tasks)

    async def _approve(self, task: Task, repository: Repository) -> None:
        owner = self.stage.owner
        path = f"/repos/{repository.full_name}/commits/{task.facts.head_sha}/check-runs"
        answer: Mapping[str, list[dict[str, object]]] = await owner.ask("GET", path)
        for run in answer["check_runs"]:
            if run["conclusion"] == "action_required":
                await owner.press(repository, int(str(run["id"])), "approve")


def _wants_approval(task: Task) -> bool:
    waits = task.status is Status.WAITING and task.wait is not None
    return waits and task.wait is not None and task.wait.on is WaitFor.APPROVAL
