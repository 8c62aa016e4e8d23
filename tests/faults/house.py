"""The bot of a history: the same parts as `chimera serve` has, on simulated ground."""

import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from bot.agents.cage import CageKind
from bot.agents.roster import Prompts
from bot.app import House, house_of, recall
from bot.config.settings import Settings
from bot.domain import RepoRef, Role
from bot.door import Opened
from bot.github.client import GitHub
from bot.github.repo import Repo
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.tasks.opening import Alone
from bot.tasks.sqlite import SqliteStore
from bot.tooling import github_of
from bot.workflow.context import Tools
from bot.workflow.phases.step import Probe
from bot.workflow.repoconfig import MAX_BYTES, Configs
from bot.workflow.report.view import Links
from bot.workflow.workspace import Origin
from tests.faults.boot import Boot
from tests.faults.cast import Mood, SimAgent
from tests.faults.points import Points, Script
from tests.faults.simcage import SimCage
from tests.faults.simgit import SimGit
from tests.faults.stage import Stage
from tests.faults.store import SimLedger, SimQueue, Watch, open_store
from tests.faults.weather import Weather
from tests.faults.wire import Line, Outward

QUIET_S = 60.0
SLOTS = 5  #: fixed: a number that follows the machine would tell another story on a busy one


@dataclass(frozen=True, slots=True, kw_only=True)
class Protections:
    """What keeps a house from doing things twice; a mutation takes one away."""

    queue: type[SimQueue] = SimQueue
    ledger: type[SimLedger] = SimLedger
    quiet_s: float = QUIET_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What houses of one history stand on, over all boots."""

    folder: Path
    stage: Stage
    line: Line
    git: SimGit
    script: Script
    watch: Watch
    mood: Callable[[Role], Mood]
    now: Callable[[], float]  #: the clock of the bot's machine, which may be wrong
    weather: Weather
    drafts: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    protections: Protections = field(default_factory=Protections)


@contextlib.asynccontextmanager
async def open_house(ground: Ground, boot: Boot) -> AsyncIterator[House]:
    """A house of this boot; its daemon is not running yet."""
    settings = _settings(ground, boot)
    store = open_store(settings.data_dir / "chimera.db", boot, ground.weather.store_error)
    github = github_of(settings, Outward(ground.line, boot), ground.now)
    assert github is not None, "the settings name an App"
    try:
        async with github:
            lasting = Lasting(store, ground.now)
            await recall(github, Ledger(store, ground.now), lasting, ground.now)
            tools = _tools(ground, boot, store, github)
            opened = Opened(store=store, queue=tools.queue, now=ground.now, company=Alone())
            yield house_of(settings, opened, tools)
    finally:
        for connection in (store._writer, *store._readers):
            await connection.close()


def _settings(ground: Ground, boot: Boot) -> Settings:
    stage = ground.stage
    return Settings(
        data_dir=ground.folder / "bot",
        public_url="http://bot.test",
        api_url=stage.hub.api_url,
        web_url=stage.hub.base_url,
        app_id=stage.app.id,
        private_key=SecretStr(stage.app.pem),
        webhook_secret=SecretStr(stage.app.webhook_secret),
        default_repository=stage.repository.full_name,
        quiet_s=ground.protections.quiet_s,
        worker_name=boot.name,
        max_concurrent=SLOTS,
    )


def _tools(ground: Ground, boot: Boot, store: SqliteStore, github: GitHub) -> Tools:
    points, watch, now = Points(ground.script, boot), ground.watch, ground.now
    queue = ground.protections.queue(store, now, points=points, watch=watch)
    ledger = ground.protections.ledger(store, now, points=points, watch=watch)
    origin_of = _origins(github)

    async def read(repo: RepoRef, path: str, ref: str) -> bytes | None:
        return await Repo(github, repo).file(path, ref=ref, limit=MAX_BYTES)

    return Tools(
        queue=queue,
        ledger=ledger,
        lasting=Lasting(store, now),
        git=ground.git,
        cage=_cage(ground),
        agents=_agents(ground, boot),
        prompts=_prompts(),
        configs=Configs(ground.git, origin_of, now, read=read),
        origin_of=origin_of,
        now=now,
        probe=_probe(ground),
        folder=ground.folder / "work",
        hmac_key=b"the key of the simulation",
        github=github,
        links=Links(hub=ground.stage.hub.base_url, task_page="http://bot.test"),
        quiet_s=ground.protections.quiet_s,
    )


@functools.cache
def _prompts() -> Prompts:
    """Read from the package once for all histories."""
    return Prompts()


def _origins(github: GitHub) -> Callable[[RepoRef | None], Origin]:
    def origin_of(repo: RepoRef | None) -> Origin:
        assert repo is not None, "every task of a history has a repository"
        installation = repo.installation_id

        async def token() -> str:
            return await github.token(installation)

        return Origin(
            url=f"{github.web_url}/{repo.full_name}.git",
            key=f"repo-{repo.id}",
            default_branch=repo.default_branch,
            token=token,
            repo=repo,
        )

    return origin_of


def _agents(ground: Ground, boot: Boot) -> Mapping[Role, SimAgent]:
    return {
        role: SimAgent(
            role=role,
            work=ground.git.work,
            mood=ground.mood,
            now=ground.now,
            alive=boot.alive,
            drafts=ground.drafts,
        )
        for role in Role
    }


def _cage(ground: Ground) -> SimCage:
    def at(url: str) -> Mapping[str, bytes]:
        environment = url.removeprefix("http://").removesuffix(".test")
        runs, objects = ground.stage.runs, ground.stage.objects
        sha = runs.live.get(environment, "")
        if not sha.strip("0") or environment in runs.broken:
            return {}
        return objects.files(objects.commit(sha).tree)

    return SimCage(
        kind=CageKind.NONE,
        program=None,
        toolchains=(),
        files_of=lambda path: ground.git.work[path],
        files_at=at,
    )


def _probe(ground: Ground) -> Probe:
    async def probe(url: str) -> str | None:
        environment = url.removeprefix("http://").partition(".test")[0]
        return ground.stage.runs.live.get(environment)

    return probe
