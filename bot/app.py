"""The whole program, put together: every part is made here, once, and handed to whom it concerns.

`create_app` opens a house and closes it again; `door` puts it behind a socket. The demo and the
story tests open the same house.
"""

import asyncio
import contextlib
import hmac
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx
from starlette.applications import Starlette

from bot.agents.cage import Cage
from bot.config.repo import RepoConfig
from bot.config.settings import Settings
from bot.domain import RepoRef
from bot.door import Opened, open_store, web_settings
from bot.github.app import App
from bot.github.client import GitHub
from bot.github.memory import Memory
from bot.github.oauth import OAuth
from bot.log import get
from bot.tasks.daemon import ChimeraDaemon
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.scaler import Scaler
from bot.tasks.scaling import Range
from bot.tasks.slots import Slots
from bot.tasks.tally import Tally
from bot.tasks.tokens import Tokens
from bot.tasks.trend import Trends
from bot.timetable import measures_of, sharing_of, sweeps_of
from bot.tooling import PROBE_S, github_of, tools_of
from bot.web.desk import Desk
from bot.web.parts import PROXY_FIX, WebParts
from bot.web.people import HubPeople
from bot.web.routes import make_web
from bot.web.sign_in import CALLBACK
from bot.workflow.commanding import Commander
from bot.workflow.comparing import Comparer
from bot.workflow.context import Contexts, Tools
from bot.workflow.executor import ChimeraExecutor
from bot.workflow.intake import Intake
from bot.workflow.intake_people import PeopleIntake
from bot.workflow.intake_places import PlaceIntake
from bot.workflow.intake_pulls import PullIntake
from bot.workflow.intake_runs import RunIntake
from bot.workflow.patience import Patience
from bot.workflow.phases.step import AgentsRegistry
from bot.workflow.reconcile import Reconciler
from bot.workflow.sharing import share_limits
from bot.workflow.starting import Starter
from bot.workflow.trouble import Retries, Triage

HOUR_S = 3600.0
ConfigOf = Callable[[RepoRef], Awaitable[RepoConfig]]

SESSIONS = b"dashboard sessions"  #: makes a key of their own of the store's

_log = get("app")


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
            await recall(github, Ledger(opened.store, now), lasting, now)
        tools = await tools_of(
            settings, opened, lasting, github, probe, agents=agents, cage=cage, now=now
        )
        yield house_of(settings, opened, tools)


async def recall(
    github: GitHub, ledger: Ledger, lasting: Lasting, now: Callable[[], float]
) -> None:
    """Let the governors know what was created within the hour, and which limits were named.

    A restart is no new allowance.
    """
    await share_limits(github, lasting, now)
    for installation_id, made in (await ledger.made_since(now() - HOUR_S)).items():
        github.recall(installation_id, made)


def house_of(settings: Settings, opened: Opened, tools: Tools) -> House:
    """The parts of a house, connected; nothing runs yet."""
    contexts, now = Contexts(tools), tools.now
    pool = _pool(settings, tools, contexts)
    starter = Starter(
        queue=tools.queue,
        lasting=tools.lasting,
        configs=tools.configs,
        repo_of=contexts.repo,
        now=now,
        by_person=settings.starts_per_person,
        in_repository=settings.starts_per_repository,
    )
    compare_now = asyncio.Event()
    intake = _intake(tools, contexts, pool, starter, compare_now)
    reconciler = _reconciler(tools, contexts, pool, starter, compare_now)
    trends, tally = Trends(tools.lasting, now), Tally(tools.queue)
    slots = Slots(pool, tools.lasting, now)
    least, _, most = settings.slots
    scaler = Scaler(tools.queue, pool, Range(least=least, most=most), settings.data_dir, now)
    daemon = ChimeraDaemon(
        tools.queue,
        pool,
        now=now,
        intake=intake,
        paint=contexts.painter.paint,
        sweeps=[
            *sweeps_of(tools, reconciler, compare_now),
            *measures_of(tools, trends, tally, scaler, slots),
            *sharing_of(opened, tools, contexts),
        ],
        grace_s=settings.grace_s,
        company=opened.company,
    )
    parts = _web_parts(
        settings,
        opened,
        tools,
        contexts,
        pool,
        daemon,
        config_of=starter.config_of,
        tally=tally,
        trends=trends,
        slots=slots,
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


def _pool(settings: Settings, tools: Tools, contexts: Contexts) -> ExecutorPool:
    triage = Triage(
        queue=tools.queue,
        now=tools.now,
        retries_of=lambda phase: Retries(**settings.retries_of(phase).model_dump()),
        breakers=contexts.breakers,
        survey=contexts.survey,
    )
    executor = ChimeraExecutor(
        queue=tools.queue, context_for=contexts.context_for, now=tools.now, triage=triage
    )
    name = settings.worker_name or socket.gethostname()
    _, slots, _ = settings.slots
    return ExecutorPool(tools.queue, executor.advance, name=name, slots=slots)


def _intake(
    tools: Tools,
    contexts: Contexts,
    pool: ExecutorPool,
    starter: Starter,
    compare_now: asyncio.Event,
) -> Intake:
    commander = Commander(
        queue=tools.queue,
        ledger=tools.ledger,
        lasting=tools.lasting,
        starter=starter,
        repo_of=contexts.repo,
        view_of=contexts.view,
        stop=pool.cancel,
        now=tools.now,
        patience=Patience(tools.now),
        hmac_key=tools.hmac_key,
    )
    pulls = PullIntake(
        queue=tools.queue,
        ledger=tools.ledger,
        starter=starter,
        repo_of=contexts.repo,
        stop=pool.cancel,
        now=tools.now,
        quiet_s=tools.quiet_s,
    )
    return Intake(
        queue=tools.queue,
        starter=starter,
        commander=commander,
        people=PeopleIntake(
            queue=tools.queue,
            commander=commander,
            pulls=pulls,
            check_again=contexts.painter.check_again,
        ),
        pulls=pulls,
        places=PlaceIntake(
            queue=tools.queue, survey=contexts.survey, stop=pool.cancel, look_over=compare_now.set
        ),
        runs=RunIntake(queue=tools.queue, lasting=tools.lasting, now=tools.now),
        app_of=contexts.app,
    )


def _reconciler(
    tools: Tools,
    contexts: Contexts,
    pool: ExecutorPool,
    starter: Starter,
    compare_now: asyncio.Event,
) -> Reconciler | None:
    if tools.github is None:
        return None

    async def branches(repo: RepoRef, prefix: str) -> Sequence[str]:
        origin = tools.origin_of(repo)
        return await tools.git.branches(origin.url, prefix, await origin.token())

    def again(seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, compare_now.set)

    comparer = Comparer(
        queue=tools.queue,
        starter=starter,
        survey=contexts.survey,
        repo_of=contexts.repo,
        branches=branches,
        stop=pool.cancel,
        now=tools.now,
    )
    return Reconciler(
        queue=tools.queue,
        lasting=tools.lasting,
        app=App(tools.github),
        comparer=comparer,
        again=again,
    )


def _web_parts(
    settings: Settings,
    opened: Opened,
    tools: Tools,
    contexts: Contexts,
    pool: ExecutorPool,
    daemon: ChimeraDaemon,
    *,
    config_of: ConfigOf,
    tally: Tally,
    trends: Trends,
    slots: Slots,
) -> WebParts:
    desk = Desk(
        tools,
        contexts,
        pool,
        data_dir=settings.data_dir,
        silent=daemon.pulse.silent,
        now=tools.now,
    )
    return WebParts(
        queue=tools.queue,
        settings=web_settings(settings),
        now=tools.now,
        submit=desk.submit,
        cancel=desk.cancel,
        retry=desk.retry,
        reprioritise=desk.reprioritise,
        discard=desk.discard,
        tokens=Tokens(opened.store, tools.now),
        lasting=tools.lasting,
        tally=tally,
        trends=trends,
        slots=slots,
        pool_metrics=pool.get_metrics,
        health=desk.health,
        evidence=desk.evidence,
        steer=desk.steer,
        money=desk.money,
        session_key=hmac.digest(tools.hmac_key, SESSIONS, "sha256"),
        people=_people(settings, tools, contexts, config_of),
        draining=lambda: daemon.stopping,
    )


def _people(
    settings: Settings, tools: Tools, contexts: Contexts, config_of: ConfigOf
) -> HubPeople | None:
    if tools.github is None:
        if settings.proxy_header:
            _log.warning("proxy_header_not_believed", header=settings.proxy_header, fix=PROXY_FIX)
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
        config_of=config_of,
        now=tools.now,
        memory=Memory(now=tools.now),
        oauth=oauth,
        admins=frozenset(login.lower() for login in settings.admins),
    )
