"""The whole program, put together: every part is made here, once, and handed to whom it concerns.

`create_app` opens a house and closes it again; `door` puts it behind a socket. The demo and the
story tests open the same house.
"""

import asyncio
import contextlib
import hmac
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
from bot.errors import ConfigError
from bot.github.app import App
from bot.github.client import GitHub
from bot.github.git import Git
from bot.github.memory import Memory
from bot.github.oauth import OAuth
from bot.github.repo import Repo
from bot.log import get, mask
from bot.tasks.daemon import ChimeraDaemon, Sweep
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.scaler import LOOK_EVERY_S, Scaler
from bot.tasks.scaling import Range
from bot.tasks.tally import Tally
from bot.tasks.tokens import Tokens
from bot.tasks.trend import QUEUE_DEPTH, SAMPLE_EVERY_S, Trends
from bot.web.desk import Desk
from bot.web.parts import WebParts
from bot.web.people import HubPeople
from bot.web.routes import make_web
from bot.web.sign_in import CALLBACK
from bot.workflow.commanding import Commander
from bot.workflow.comparing import Comparer
from bot.workflow.context import NO_HUB, Contexts, Tools
from bot.workflow.executor import ChimeraExecutor
from bot.workflow.intake import Intake
from bot.workflow.intake_places import PlaceIntake
from bot.workflow.intake_pulls import PullIntake
from bot.workflow.phases.step import AgentsRegistry, Probe
from bot.workflow.reconcile import Reconciler
from bot.workflow.registry import agents_of, chooser
from bot.workflow.repoconfig import MAX_BYTES, SHARED, Configs
from bot.workflow.report.view import Links
from bot.workflow.sharing import SHARE_EVERY_S, Sharing
from bot.workflow.starting import Starter
from bot.workflow.tidying import Tidier
from bot.workflow.trouble import Retries, Triage
from bot.workflow.workspace import Origin, mirror_key

log = get("app")

HOUR_S = 3600.0
REDELIVER_EVERY_S = 300.0
COMPARE_EVERY_S = 900.0
FIRST_SWEEP_S = 60.0  #: after the start: what GitHub is about to deliver needs no look
PURGE_EVERY_S = 3600.0
TIDY_EVERY_S = 3600.0
PROBE_S = 10.0  #: for a version address
PROBE_BYTES = 64 * 1024
MARKER_KEY = "marker_key"
SESSIONS = b"dashboard sessions"  #: makes a key of their own of the store's


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
    open already, whose clock goes before `now`. Raises ConfigError, CageMissing and StoreError.
    """
    async with contextlib.AsyncExitStack() as stack:
        if opened is None:
            opened = await stack.enter_async_context(open_store(settings, now))
        now = opened.now
        github = await asyncio.to_thread(github_of, settings, transport, now)
        if github is not None:
            await stack.enter_async_context(github)
        probe = await stack.enter_async_context(
            httpx.AsyncClient(timeout=PROBE_S, follow_redirects=False, trust_env=False)
        )
        lasting = Lasting(opened.store, now)
        if github is not None:
            await recall(github, Ledger(opened.store, now), now)
        tools = await _tools(
            settings, opened, lasting, github, probe, agents=agents, cage=cage, now=now
        )
        yield house_of(settings, opened, tools, now)


async def recall(github: GitHub, ledger: Ledger, now: Callable[[], float]) -> None:
    """Let the governors know what was created within the hour: a restart is no new allowance."""
    for installation_id, made in (await ledger.made_since(now() - HOUR_S)).items():
        github.recall(installation_id, made)


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
            key=mirror_key(repo),
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
    return await Cage.open()


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


def house_of(settings: Settings, opened: Opened, tools: Tools, now: Callable[[], float]) -> House:
    """The parts of a house, connected; nothing runs yet."""
    contexts = Contexts(tools)
    triage = Triage(
        queue=tools.queue,
        now=now,
        retries_of=lambda phase: Retries(**settings.retries_of(phase).model_dump()),
        breakers=contexts.breakers,
        survey=contexts.survey,
    )
    executor = ChimeraExecutor(
        queue=tools.queue, context_for=contexts.context_for, now=now, triage=triage
    )
    name = settings.worker_name or socket.gethostname()
    least, slots, most = settings.slots
    pool = ExecutorPool(tools.queue, executor.advance, name=name, slots=slots)
    scaler = Scaler(tools.queue, pool, Range(least=least, most=most), settings.data_dir, now)
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
    compare_now = asyncio.Event()
    intake = Intake(
        queue=tools.queue,
        lasting=tools.lasting,
        starter=starter,
        commander=commander,
        pulls=pulls,
        places=PlaceIntake(
            queue=tools.queue, survey=contexts.survey, stop=pool.cancel, look_over=compare_now.set
        ),
        check_again=contexts.painter.check_again,
    )
    comparer = Comparer(
        queue=tools.queue,
        starter=starter,
        survey=contexts.survey,
        repo_of=contexts.repo,
        stop=pool.cancel,
        now=now,
    )
    reconciler = _reconciler(tools, comparer, compare_now)
    trends, tally = Trends(tools.lasting, now), Tally(tools.queue)

    async def sample() -> None:
        await trends.take(QUEUE_DEPTH, await tools.queue.depth())

    daemon = ChimeraDaemon(
        tools.queue,
        pool,
        now=now,
        intake=intake,
        paint=contexts.painter.paint,
        sweeps=[
            *_sweeps(tools, reconciler, compare_now),
            Sweep(name="sample", every_s=SAMPLE_EVERY_S, run=sample),
            Sweep(name="count", every_s=SAMPLE_EVERY_S, everywhere=True, run=tally.counted),
            Sweep(name="scale", every_s=LOOK_EVERY_S, everywhere=True, run=scaler.look),
            *_sharing(opened, tools, contexts, now),
        ],
        grace_s=settings.grace_s,
        company=opened.company,
    )
    desk = Desk(
        tools,
        contexts,
        pool,
        data_dir=settings.data_dir,
        config_of=starter.config_of,
        silent=daemon.pulse.silent,
        now=now,
    )
    parts = WebParts(
        queue=tools.queue,
        settings=web_settings(settings),
        now=now,
        submit=desk.submit,
        cancel=desk.cancel,
        retry=desk.retry,
        reprioritise=desk.reprioritise,
        discard=desk.discard,
        tokens=Tokens(opened.store, now),
        lasting=tools.lasting,
        tally=tally,
        trends=trends,
        pool_metrics=pool.get_metrics,
        health=desk.health,
        evidence=desk.evidence,
        steer=desk.steer,
        money=desk.money,
        session_key=hmac.digest(tools.hmac_key, SESSIONS, "sha256"),
        people=_people(settings, tools, contexts, starter),
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


def _people(
    settings: Settings, tools: Tools, contexts: Contexts, starter: Starter
) -> HubPeople | None:
    if tools.github is None:
        return None
    secret, oauth = settings.client_secret, None
    if settings.client_id and secret is not None and settings.public_url:
        oauth = OAuth(
            client_id=settings.client_id,
            client_secret=secret.get_secret_value(),
            web_url=settings.hub_url,
            redirect_uri=f"{settings.public_url}{CALLBACK}",
            api_url=settings.api_url,
        )
    return HubPeople(
        queue=tools.queue,
        repo_of=contexts.repo,
        config_of=starter.config_of,
        now=tools.now,
        memory=Memory(now=tools.now),
        oauth=oauth,
        admins=frozenset(login.lower() for login in settings.admins),
    )


def _reconciler(tools: Tools, comparer: Comparer, compare_now: asyncio.Event) -> Reconciler | None:
    if tools.github is None:
        return None
    return Reconciler(
        queue=tools.queue,
        lasting=tools.lasting,
        app=App(tools.github),
        comparer=comparer,
        again=compare_now.set,
    )


def _sweeps(
    tools: Tools, reconciler: Reconciler | None, compare_now: asyncio.Event
) -> Sequence[Sweep]:
    tidier = Tidier(queue=tools.queue, folder=tools.folder)
    sweeps = [
        Sweep(name="purge", every_s=PURGE_EVERY_S, run=tools.queue.purge),
        Sweep(name="tidy", every_s=TIDY_EVERY_S, last=True, everywhere=True, run=tidier.tidy),
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
                bell=compare_now,
            ),
        ]
    return sweeps


def _sharing(
    opened: Opened, tools: Tools, contexts: Contexts, now: Callable[[], float]
) -> Sequence[Sweep]:
    """What only machines need that are not alone."""
    if tools.github is None or not opened.company.shared:
        return ()
    sharing = Sharing(
        github=tools.github,
        ledger=tools.ledger,
        lasting=tools.lasting,
        breakers=contexts.breakers,
        now=now,
    )
    return (Sweep(name="share", every_s=SHARE_EVERY_S, everywhere=True, run=sharing.look),)
