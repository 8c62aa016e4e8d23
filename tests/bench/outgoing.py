"""outgoing: what an effect on GitHub costs here: requests, processor time, rows of the ledger.

Ten callers, each with a claimed task and an installation of its own (a governor lets one write of
an installation out at a time), make comments at a server of this machine that counts.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bot import log
from bot.domain import RepoRef, Task
from bot.effects import EffectKind, EffectState
from bot.github.client import GitHub
from bot.github.repo import Repo
from bot.tasks.ledger import Ledger
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.workflow.effects import Effects, Remote, place_of
from tests.bench import making, remote
from tests.bench.keys import private_key
from tests.bench.meter import Meter
from tests.bench.model import Bench, Cell, Figure, Reading, Readings

CALLERS = 10
ANCHORS = {
    "client": "our client without the ledger",
    "githubkit": "plain githubkit",
    "gidgethub": "gidgethub on httpx",
}
TEXT = "Chimera is at work on this. " * 20


def bench(*, quick: bool) -> Bench:
    args = {"each": 3 if quick else 50}
    whole = CALLERS * args["each"]
    anchors = (
        Cell(name="client", work="tests.bench.outgoing:client", args=args),
        Cell(name="githubkit", work="tests.bench.outgoing_anchors:githubkit_plain", args=args),
        Cell(name="gidgethub", work="tests.bench.outgoing_anchors:gidgethub_httpx", args=args),
    )
    return Bench(
        name="outgoing",
        about=f"{whole} comments by {CALLERS} callers, each in the ledger before it goes out",
        cells=[Cell(name="chimera", work="tests.bench.outgoing:chimera", args=args), *anchors],
        figures=(
            Figure(name="processor per effect", unit="µs", of=lambda r: r["chimera"]["cpu_us"]),
            *(_call(name, words) for name, words in ANCHORS.items()),
            *(_against(name, words) for name, words in ANCHORS.items()),
            _exactly("made once each, of wanted", "once", whole),
            _exactly("in the ledger as confirmed, of wanted", "confirmed", whole),
            _exactly("requests per effect", "requests", whole),
            _exactly("tokens minted per installation", "mint", CALLERS),
            Figure(
                name="requests when all are asked for again",
                of=lambda r: r["chimera"]["again"],
                at_most=0,
                exact=True,
            ),
        ),
    )


def _call(cell: str, words: str) -> Figure:
    return Figure(name=f"a call by {words}", unit="µs", of=lambda r: r[cell]["cpu_us"])


def _against(cell: str, words: str) -> Figure:
    def of(readings: Readings) -> float:
        return readings["chimera"]["cpu_us"] / readings[cell]["cpu_us"]

    return Figure(name=f"an effect in calls by {words}", unit="×", of=of)


def _exactly(name: str, key: str, of: int) -> Figure:
    return Figure(name=name, of=lambda r: r["chimera"][key] / of, at_least=1, at_most=1, exact=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caller:
    """A claimed task, where its comments go, and its effects."""

    task: Task
    repo: Repo
    effects: Effects

    async def comment(self, issue: int) -> None:
        """One effect: intent, call, confirmation."""
        body = f"{self.task.id}/{issue}: {TEXT}"

        async def call() -> Remote:
            made = await self.repo.create_comment(issue, body)
            return Remote(id=str(made.id), url=made.url)

        await self.effects.ensure(EffectKind.STATUS_COMMENT, str(issue), {"body": body}, call)


async def chimera(each: int) -> Reading:
    """Every effect through `ensure`, under the fence of its task's claim; then all once more."""
    log.set_up(level="ERROR")
    async with remote.started() as url:
        with tempfile.TemporaryDirectory() as folder:
            store = await SqliteStore.open(Path(folder) / "chimera.db")
            ledger, meter = Ledger(store, time.time), Meter()
            async with _github(url) as github:
                callers = await _callers(store, ledger, github)
                with meter.running():
                    await asyncio.gather(*(_all(one, each) for one in callers))
                seen = await remote.seen_at(url)
                await asyncio.gather(*(_all(one, each) for one in callers))
                again = sum((await remote.seen_at(url)).values()) - sum(seen.values())
            confirmed = await _confirmed(ledger, callers)
            await store.close()
    return {
        **meter.reading(CALLERS * each),
        "once": seen["once"],
        "mint": seen["mint"],
        "requests": seen["comment"] + seen.get("other", 0),
        "confirmed": confirmed,
        "again": again,
    }


async def client(each: int) -> Reading:
    """The same calls through our client, with tokens, governors and deadlines, and no ledger."""
    log.set_up(level="ERROR")
    meter = Meter()
    async with remote.started() as url, _github(url) as github:
        repos = [Repo(github, _ref(number)) for number in range(1, CALLERS + 1)]

        async def caller(repo: Repo) -> None:
            for issue in range(1, each + 1):
                await repo.create_comment(issue, f"{repo.repo.id}/{issue}: {TEXT}")

        with meter.running():
            await asyncio.gather(*map(caller, repos))
    return meter.reading(CALLERS * each)


def _ref(number: int) -> RepoRef:
    return replace(making.repo(number), installation_id=number)


def _github(url: str) -> GitHub:
    return GitHub(app_id=1, private_key=private_key(), api_url=url, write_spacing_s=0.0)


async def _all(caller: _Caller, each: int) -> None:
    for issue in range(1, each + 1):
        await caller.comment(issue)


async def _callers(store: SqliteStore, ledger: Ledger, github: GitHub) -> list[_Caller]:
    queue = TaskQueue(store, time.time)
    for number in range(1, CALLERS + 1):
        await queue.submit(replace(making.wish(1), repo=_ref(number)))
    tasks = await queue.claim_some("bench", CALLERS)
    return [_caller(task, ledger, github) for task in tasks]


def _caller(task: Task, ledger: Ledger, github: GitHub) -> _Caller:
    assert task.repo is not None
    effects = Effects(
        ledger,
        time.time,
        task_id=task.id,
        fence=task.fence,
        quiet_s=60.0,
        place=place_of(task.repo),
    )
    return _Caller(task=task, repo=Repo(github, task.repo), effects=effects)


async def _confirmed(ledger: Ledger, callers: Iterable[_Caller]) -> int:
    rows = [row for one in callers for row in await ledger.of_task(one.task.id)]
    return sum(row.state is EffectState.CONFIRMED and row.remote_id != "" for row in rows)
