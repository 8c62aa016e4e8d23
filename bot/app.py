"""The whole program, put together: every part is made here, once, and handed to whom it concerns.

`create_app` opens a house and closes it again; `door` puts it behind a socket. The demo and the
story tests open the same house.
"""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace

import httpx
from starlette.applications import Starlette

from bot.agents.cage import Cage
from bot.agents.cage import CageKind as OpenCage
from bot.agents.roster import Prompts
from bot.config.choices import CageKind
from bot.config.settings import Settings
from bot.domain import RepoRef
from bot.door import Opened, open_store, web_settings
from bot.errors import CageMissing, ConfigError
from bot.github.app import App
from bot.github.client import GitHub
from bot.github.git import Git
from bot.github.repo import Repo
from bot.log import get, mask
from bot.tasks.daemon import ChimeraDaemon, Sweep
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.tasks.tokens import Tokens
from bot.web.desk import Desk
from bot.web.parts import WebParts
from bot.web.routes import make_web
from bot.workflow.commanding import Commander
from bot.workflow.context import NO_HUB, Contexts, Tools
from bot.workflow.executor import ChimeraExecutor
from bot.workflow.intake import Intake
from bot.workflow.intake_pulls import PullIntake
from bot.workflow.phases.step import AgentsRegistry, Probe
from bot.workflow.reconcile import Reconciler
from bot.workflow.registry import agents_of, chooser
from bot.workflow.repoconfig import MAX_BYTES, SHARED, Configs
from bot.workflow.report.view import Links
from bot.workflow.starting import Starter
from bot.workflow.tidying import Tidier
from bot.workflow.workspace import Origin

log = get("app")

REDELIVER_EVERY_S = 300.0
COMPARE_EVERY_S = 900.0
FIRST_SWEEP_S = 60.0  #: after the start: what GitHub is about to deliver needs no look
PURGE_EVERY_S = 3600.0
TIDY_EVERY_S = 3600.0
PROBE_S = 10.0  #: for a version address
PROBE_BYTES = 64 * 1024
MARKER_KEY = "marker_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A running Chimera without its socket."""

    web: Starlette
    queue: TaskQueue
    ledger: Ledger
    lasting: Lasting
    pool: ExecutorPool
    daemon: ChimeraDaemon
    contexts: Contexts
    intake: Intake
    reconciler: Reconciler | None
    tokens: Tokens


@contextlib.asynccontextmanager
async def create_app(
    settings: Settings,
    *,
    agents: AgentsRegistry | None = None,
    cage: Cage | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    now: Callable[[], float] = time.time,
    opened: Opened | None = None,
) -> AsyncIterator[House]:
    """Open a house; the caller runs `house.daemon` and serves `house.web`.

    `agents` and `cage` default to what the settings say; `opened` is a store that the caller has
    open already, with the same clock. Raises ConfigError, CageMissing and StoreError.
    """
    async with contextlib.AsyncExitStack() as stack:
        if opened is None:
            opened = await stack.enter_async_context(open_store(settings, now))
        github = await asyncio.to_thread(github_of, settings, transport, now)
        if github is not None:
            await stack.enter_async_context(github)
        probe = await stack.enter_async_context(
            httpx.AsyncClient(timeout=PROBE_S, follow_redirects=False, trust_env=False)
        )
        lasting = Lasting(opened.store, now)
        tools = await _tools(
            settings, opened, lasting, github, probe, agents=agents, cage=cage, now=now
        )
        yield house_of(settings, opened.store, tools, now)


def github_of(
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None = None,
    now: Callable[[], float] = time.time,
) -> GitHub | None:
    """The hub that the settings name, to be entered by the caller; None without an App."""
    if settings.app_id is None or settings.private_key is None:
        return None
    return GitHub(
        app_id=settings.app_id,
        private_key=settings.private_key.get_secret_value(),
        api_url=settings.api_url,
        transport=transport,
        write_spacing_s=settings.write_spacing_s,
        now=now,
    )


async def _tools(
    settings: Settings,
    opened: Opened,
    lasting: Lasting,
    github: GitHub | None,
    probe: httpx.AsyncClient,
    *,
    agents: AgentsRegistry | None,
    cage: Cage | None,
    now: Callable[[], float],
) -> Tools:
    git = Git(settings.data_dir / "git")

    def origin_of(repo: RepoRef | None) -> Origin:
        assert repo is not None, "a server's tasks have a repository"
        if github is None:
            raise ConfigError(NO_HUB)
        installation = repo.installation_id

        async def token() -> str:
            return await github.token(installation)

        url = f"{github.web_url}/{repo.full_name}.git"
        return Origin(
            url=url,
            key=f"repo-{repo.id}",
            default_branch=repo.default_branch,
            token=token,
            repo=repo,
        )

    async def shared_file(repo: RepoRef) -> bytes | None:
        if github is None:
            raise ConfigError(NO_HUB)
        owners = Repo(github, replace(repo, name=".github"))
        return await owners.file(SHARED, limit=MAX_BYTES)

    server = settings.repo_defaults
    layer = (str(server), await asyncio.to_thread(server.read_bytes)) if server else None
    return Tools(
        queue=opened.queue,
        ledger=Ledger(opened.store, now),
        lasting=lasting,
        git=git,
        cage=cage or await _cage(settings),
        agents=agents if agents is not None else agents_of(settings),
        prompts=Prompts(),
        configs=Configs(git, origin_of, now, layer, shared_file if github else None),
        origin_of=origin_of,
        now=now,
        probe=_prober(probe),
        folder=settings.data_dir / "work",
        hmac_key=await _marker_key(lasting),
        github=github,
        links=Links(hub=settings.hub_url, task_page=settings.public_url),
        allowed_hosts=frozenset(settings.allowed_hosts),
        chosen=chooser(settings) if agents is None else None,
        daily_usd=settings.daily_cost_usd,
        quiet_s=settings.quiet_s,
        settle_s=settings.settle_s,
    )


async def _cage(settings: Settings) -> Cage:
    """The cage of this machine. Raises CageMissing, with the fix, where there is none."""
    if settings.cage is CageKind.NONE:
        return await Cage.open(OpenCage.NONE)
    if settings.cage in (CageKind.AUTO, CageKind.BWRAP):
        return await Cage.open()
    raise CageMissing(f"cage: {settings.cage} is not available in this version; use bwrap")


async def _marker_key(lasting: Lasting) -> bytes:
    """The key that signs our comments; made once, kept in the store."""
    known = await lasting.value(MARKER_KEY)
    if known is None:
        known = secrets.token_hex(32)
        await lasting.put(MARKER_KEY, known)
    mask.learn(known)
    return bytes.fromhex(known)


def _prober(client: httpx.AsyncClient) -> Probe:
    async def probe(url: str) -> str | None:
        try:
            async with client.stream("GET", url) as response:
                if response.status_code != 200:
                    return None
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > PROBE_BYTES:
                        return None
                return body.decode("utf-8", "replace")
        except httpx.HTTPError:
            return None

    return probe


def house_of(
    settings: Settings, store: SqliteStore, tools: Tools, now: Callable[[], float]
) -> House:
    """The parts of a house, connected; nothing runs yet."""
    contexts = Contexts(tools)
    executor = ChimeraExecutor(
        queue=tools.queue, context_for=contexts.context_for, now=now, breakers=contexts.breakers
    )
    name = settings.worker_name or socket.gethostname()
    pool = ExecutorPool(tools.queue, executor.advance, name=name, slots=settings.max_concurrent)
    starter = Starter(
        queue=tools.queue,
        lasting=tools.lasting,
        configs=tools.configs,
        repo_of=contexts.repo,
        now=now,
    )
    commander = Commander(
        queue=tools.queue,
        ledger=tools.ledger,
        lasting=tools.lasting,
        starter=starter,
        repo_of=contexts.repo,
        view_of=contexts.view,
        stop=pool.cancel,
        now=now,
        hmac_key=tools.hmac_key,
    )
    pulls = PullIntake(
        queue=tools.queue,
        ledger=tools.ledger,
        starter=starter,
        repo_of=contexts.repo,
        stop=pool.cancel,
        now=now,
        quiet_s=tools.quiet_s,
    )
    intake = Intake(
        queue=tools.queue,
        lasting=tools.lasting,
        starter=starter,
        commander=commander,
        pulls=pulls,
        check_again=contexts.painter.check_again,
    )
    reconciler = _reconciler(tools, contexts, starter)
    daemon = ChimeraDaemon(
        tools.queue,
        pool,
        now=now,
        intake=intake,
        paint=contexts.painter.paint,
        sweeps=_sweeps(tools, reconciler),
        grace_s=settings.grace_s,
    )
    desk = Desk(tools, contexts, pool, data_dir=settings.data_dir, now=now)
    parts = WebParts(
        queue=tools.queue,
        settings=web_settings(settings),
        now=now,
        submit=desk.submit,
        cancel=desk.cancel,
        retry=desk.retry,
        reprioritise=desk.reprioritise,
        discard=desk.discard,
        tokens=Tokens(store, now),
        pool_metrics=pool.get_metrics,
        health=desk.health,
        evidence=desk.evidence,
        draining=lambda: daemon.stopping,
    )
    return House(
        web=make_web(parts),
        queue=tools.queue,
        ledger=tools.ledger,
        lasting=tools.lasting,
        pool=pool,
        daemon=daemon,
        contexts=contexts,
        intake=intake,
        reconciler=reconciler,
        tokens=parts.tokens,
    )


def _reconciler(tools: Tools, contexts: Contexts, starter: Starter) -> Reconciler | None:
    if tools.github is None:
        return None
    return Reconciler(
        queue=tools.queue,
        lasting=tools.lasting,
        starter=starter,
        app=App(tools.github),
        repo_of=contexts.repo,
    )


def _sweeps(tools: Tools, reconciler: Reconciler | None) -> Sequence[Sweep]:
    tidier = Tidier(queue=tools.queue, folder=tools.folder)
    sweeps = [
        Sweep(name="purge", every_s=PURGE_EVERY_S, run=tools.queue.purge),
        Sweep(name="tidy", every_s=TIDY_EVERY_S, run=tidier.tidy),
    ]
    if reconciler is not None:
        sweeps += [
            Sweep(
                name="redeliver",
                every_s=REDELIVER_EVERY_S,
                first_s=FIRST_SWEEP_S,
                run=reconciler.redeliver,
            ),
            Sweep(
                name="compare",
                every_s=COMPARE_EVERY_S,
                first_s=FIRST_SWEEP_S,
                run=reconciler.compare,
            ),
        ]
    return sweeps
