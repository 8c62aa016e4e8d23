"""The door: a server takes webhooks before the rest of its house has been loaded.

What takes a delivery is a store, a queue and the receiver. Agents, phases and pages are another
second of imports, which run on a thread meanwhile; whoever asks for one of their addresses waits.
"""

import asyncio
import contextlib
import errno
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from bot.config.settings import Settings
from bot.errors import CannotListen
from bot.log import get, mask
from bot.supervisor import Supervisor
from bot.tasks.daemon import ChimeraDaemon, install_signals
from bot.tasks.opening import Company, Place
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import STORE_FILE
from bot.tasks.store import Store
from bot.web.direct import DirectProtocol, Take
from bot.web.parts import WebSettings
from bot.web.receiver import HOOK_PATHS, Receiver
from bot.web.server import ImpatientProtocol, make_server

log = get("door")

HOOK_URLS = frozenset(path.encode() for path in HOOK_PATHS)
SOCKET_GRACE_S = 5.0  #: for open requests, when the socket closes


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The store of a server and the one queue on it: two would not hear each other's bells."""

    store: Store
    queue: TaskQueue
    now: Callable[[], float]  #: the clock of its leases
    company: Company


class Furnished(Protocol):
    """What the door needs of the house behind it."""

    @property
    def web(self) -> ASGIApp: ...

    @property
    def daemon(self) -> ChimeraDaemon: ...


Furnish = Callable[[Settings, Opened], AbstractAsyncContextManager[Furnished]]


class Door:
    """The outermost application: deliveries go straight to the receiver, the rest to the house."""

    def __init__(self, queue: TaskQueue, settings: WebSettings) -> None:
        self.receiver = Receiver(queue, settings, self._draining)
        self._house: Furnished | None = None
        self._ready = asyncio.Event()

    def open(self, house: Furnished) -> None:
        """From now on everything but deliveries is the house's."""
        self._house = house
        self._ready.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in HOOK_PATHS and scope["method"] == "POST":
            await self.receiver(scope, receive, send)
            return
        await self._ready.wait()
        assert self._house is not None
        await self._house.web(scope, receive, send)

    def _draining(self) -> bool:
        return self._house is not None and self._house.daemon.stopping


async def serve(
    settings: Settings, load: Callable[[], Furnish], supervisor: Supervisor | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; the second of them exits at once.

    `load` imports what furnishes the house. A delivery that was taken before that failed is in
    the store, and read at the next start. `supervisor` hears when the house stands, that it
    lives, and that it stops. Raises ConfigError, CannotListen, CageMissing, GitMissing and
    StoreError.
    """
    async with open_store(settings) as opened:
        listener = listening(settings.host, settings.port)
        address = listener.getsockname()
        log.info("listening", url=f"http://{address[0]}:{address[1]}", data=str(settings.data_dir))
        door = Door(opened.queue, web_settings(settings))
        async with serving(door, listener, take=door.receiver.take):
            furnish = await asyncio.to_thread(load)
            async with furnish(settings, opened) as house:
                door.open(house)
                keep_what_is_loaded()
                install_signals(house.daemon)
                async with (supervisor or Supervisor()).told():
                    await house.daemon.run()


def keep_what_is_loaded() -> None:
    """Have the garbage collector leave alone what is there now: it stays as long as the process.

    To walk through the hundred thousand objects of a house stops the event loop for 60 ms.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.freeze()


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises CannotListen, which says what to choose instead."""
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = "another program listens there: stop that one, or choose another --port"
        else:
            text = f"{(error.strerror or '').partition(' (')[0]}: choose another --host or --port"
        raise CannotListen(f"cannot listen on {host}:{port}: {text}") from error


@contextlib.asynccontextmanager
async def open_store(
    settings: Settings, now: Callable[[], float] = time.time
) -> AsyncIterator[Opened]:
    """The store, closed at the end of the block; the masker knows the secrets from here on."""
    for secret in settings.secrets():
        mask.learn(secret)
    footing = await place_of(settings).stand(now)
    try:
        queue = TaskQueue(
            footing.store,
            footing.now,
            lease_s=settings.lease_s,
            lane_limit=settings.lane_limit,
            settle_s=settings.settle_s,
            bells=footing.company.bells,
        )
        yield Opened(store=footing.store, queue=queue, now=footing.now, company=footing.company)
    finally:
        await footing.store.close()


def place_of(settings: Settings) -> Place:
    """Where the settings say that the store is."""
    return Place(path=settings.data_dir / STORE_FILE, url=settings.database_url.get_secret_value())


@contextlib.asynccontextmanager
async def serving(
    web: ASGIApp, listener: socket.socket, *, take: Take | None = None
) -> AsyncIterator[None]:
    """Answer requests on a socket until the block ends; `take` gets the plain deliveries."""
    protocol = ImpatientProtocol if take is None else partial(DirectProtocol, take, HOOK_URLS)
    server = make_server(web, grace_s=SOCKET_GRACE_S, protocol=protocol)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await running


def web_settings(settings: Settings) -> WebSettings:
    """What the doors need of the settings."""
    return WebSettings(
        webhook_secrets=settings.webhook_secrets,
        default_repository=settings.default_repository,
        token_required=settings.token_required,
        allowed_hosts=frozenset(host.lower() for host in settings.allowed_hosts),
        hub_html_url=settings.hub_url,
        public_url=settings.public_url,
        proxy_header=settings.proxy_header,
        proxies=settings.proxies,
    )
