"""kill -9 at random moments of a real server under load: nothing lost, nothing doubled.

With FAULTS=all twenty of them, else a few.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain import Status
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from bot.tasks.sqlite import SqliteStore, check
from tests.faults.sample import wish
from tests.faults.served import AGENT, Served
from tests.stories import sample

ALL = os.environ.get("FAULTS") == "all"
ISSUES, KILLS = (6, 20) if ALL else (2, 3)
SEED = 20_261_122
END_S = 150.0
CONFIG = {
    "deploy": {"staging": None, "production": {"workflow": "", "approval": "automatic"}},
    "limits": {"rounds": 3},
}


@pytest.mark.slow
async def test_a_served_house_survives_kills_under_load(tmp_path: Path) -> None:
    dice, hub = random.Random(SEED), LocalHub(tmp_path / "hub")
    async with hub.serve():
        owner = hub.add_user("ada")
        files = sample.files(CONFIG) | {"agent.py": AGENT}
        site = await asyncio.to_thread(hub.create_repository, "ada", "site", files)
        served = await Served.registered(tmp_path, hub)
        await served.start()
        hub.install(served.app.id, "ada", [site])
        asking = asyncio.create_task(ask(owner, site, dice))
        while served.kills < KILLS:
            await asyncio.sleep(dice.uniform(0.2, 5.0))
            await served.kill()
            await served.start()
        await asking
        await all_done(served, owner, site)
        await served.kill()
        assert list(doubled(site)) == []
        await nothing_is_lost(served, hub)


async def ask(owner: Person, site: Repository, dice: random.Random) -> None:
    """Wishes, while the server comes and goes."""
    for number in range(1, ISSUES + 1):
        made = await owner.open_issue(site, *wish(number))
        await owner.label(site, made["number"], "chimera")
        await asyncio.sleep(dice.uniform(0.2, 3.0))


async def all_done(served: Served, owner: Person, site: Repository) -> None:
    """Every wish has come true; where one step was hit three times, a person says `retry`."""
    retried: set[str] = set()
    async with asyncio.timeout(END_S):
        while True:
            tasks = await served.tasks()
            done = [task for task in tasks if task["status"] == Status.COMPLETED]
            if len(done) == ISSUES and all(one.state == "closed" for one in site.issues.values()):
                assert len(tasks) == ISSUES, "one task an issue"
                return
            for task in tasks:
                if task["status"] == Status.DEAD and task["task_id"] not in retried:
                    assert task["cause"] == "poison", task
                    retried.add(task["task_id"])
                    await owner.comment(site, task["issue"], "/chimera retry")
            await asyncio.sleep(0.5)


def doubled(site: Repository) -> Iterator[str]:
    """What is on the hub more often than once."""
    things: Counter[str] = Counter()
    for issue in site.issues.values():
        marks = (comment.body.partition("\n")[0] for comment in issue.comments)
        things.update(f"{mark} on #{issue.number}" for mark in marks if "task=" in mark)
        if issue.pull is not None:
            things[f"pull request of {issue.pull.head_ref}"] += 1
            things.update(r.body.partition("\n")[0] for r in issue.pull.reviews)
    things.update(f"{check.name} on {check.head_sha}" for check in site.checks.values())
    yield from (what for what, times in things.items() if times > 1)


async def nothing_is_lost(served: Served, hub: LocalHub) -> None:
    """Every delivery that was acknowledged is in the store, which is sound."""
    path = served.folder / "bot" / "chimera.db"
    assert check(path) == []
    store = await SqliteStore.open(path)
    rows = await store.read(lambda tx: tx.all("SELECT delivery_id FROM inbox"))
    await store.close()
    stored = {row["delivery_id"] for row in rows}
    for delivery in hub.deliveries:
        if delivery.status_code == 202 and '"accepted"' in delivery.response_body:
            assert delivery.guid in stored, f"{delivery.event} was acknowledged and is lost"
