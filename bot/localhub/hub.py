"""LocalHub: the parts of the hub put together, and the way tests and the demo hold it."""

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.localhub import actions, auth, manifest
from bot.localhub.calls import Calls, Exchange
from bot.localhub.faults import ABORT, Faults
from bot.localhub.githttp import GitHttp
from bot.localhub.installing import Installing
from bot.localhub.oauth import SignInFlow
from bot.localhub.owning import Owning
from bot.localhub.pages import Pages
from bot.localhub.people import Person
from bot.localhub.rest import Rest
from bot.localhub.state_apps import Delivery
from bot.localhub.webhooks import Webhooks
from bot.localhub.world import ACTIONS_APP_ID, CarryOut, World

MOMENT_S = 0.01
SETTLE_S = 30.0


class LocalHub(Owning, Installing):
    """A GitHub on your laptop. One per root directory; use it from one event loop."""

    def __init__(
        self,
        root: Path,
        *,
        now: Callable[[], float] = time.time,
        act: bool = True,
        carry_out: CarryOut | None = None,
    ) -> None:
        """``act=False``: pushes start nothing; ``carry_out`` is what a run does instead of act."""
        root.mkdir(parents=True, exist_ok=True)
        super().__init__(World(root.resolve(), now=now, run_actions=act, carry_out=carry_out))
        self.faults = Faults()
        self.calls = Calls()
        self.git_calls = Calls()
        self._rest = Rest(self.world, self.faults, self.calls)
        self._pages = Pages(self.world)
        self._people: list[httpx.AsyncClient] = []
        github = self.add_organization("github")
        builtin = manifest.register(
            self.world,
            github,
            "GitHub Actions",
            permissions={"checks": "write", "contents": "read"},
            events=[],
            app_id=ACTIONS_APP_ID,
            with_key=False,
        )
        builtin.bot.login = "github-actions[bot]"
        self.asgi: ASGIApp = _Abortable(self._routes())

    def _routes(self) -> Starlette:
        flow, pages = manifest.ManifestFlow(self.world, self._pages), self._pages
        sign_in = SignInFlow(self.world, pages)
        api, git = self._rest, GitHttp(self.world, self.git_calls)
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        name = "/{owner}/{repo}"
        return Starlette(
            routes=[
                Route("/", pages.home),
                Route("/api/v3", api.rest, methods=methods),
                Route("/api/v3/{path:path}", api.rest, methods=methods),
                Route("/api/graphql", api.graphql, methods=["POST"]),
                Route("/settings/apps/new", flow.new, methods=["POST"]),
                Route("/settings/apps/create", flow.create, methods=["POST"]),
                Route("/organizations/{org}/settings/apps/new", flow.new, methods=["POST"]),
                Route("/login/oauth/authorize", sign_in.authorize),
                Route("/login/oauth/authorize", sign_in.choose, methods=["POST"]),
                Route("/login/oauth/access_token", sign_in.token, methods=["POST"]),
                Route("/{owner}/{repo}.git/{rest:path}", git.__call__, methods=["GET", "POST"]),
                Route(name, pages.repository),
                Route(name + "/issues/{number:int}", pages.issue),
                Route(name + "/pull/{number:int}", pages.issue),
                Route(name + "/actions/runs/{run_id:int}", pages.run),
                Route(name + "/actions/runs/{run_id:int}/job/{job_id:int}", pages.run),
                Route(name + "/runs/{check_id:int}", pages.check),
                Route("/avatars/{id}", _avatar),
            ]
        )

    # What there is to look at

    @property
    def base_url(self) -> str:
        """Where the hub is: the served address, or a name that only ASGI transports know."""
        return self.world.base_url

    @property
    def api_url(self) -> str:
        """The one address that a bot is given."""
        return self.world.api

    @property
    def webhooks(self) -> Webhooks:
        """The sender with its knobs: drop, duplicate, reorder, delay_s, pause, resume."""
        return self.world.hooks

    @property
    def deliveries(self) -> list[Delivery]:
        """The delivery log, oldest first."""
        return self.world.hooks.log

    @property
    def work_dir(self) -> Path:
        """A directory of the hub's own that outlives runs: where workflows may deploy to."""
        path = self.world.root / "work"
        path.mkdir(exist_ok=True)
        return path

    @property
    def on_exchange(self) -> Callable[[Exchange], None] | None:
        """Called with every API exchange as it is answered."""
        return self._rest.on_exchange

    @on_exchange.setter
    def on_exchange(self, hook: Callable[[Exchange], None] | None) -> None:
        self._rest.on_exchange = hook

    # Serving

    @contextlib.asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback (port 0: a free one); gives the base URL, stops everything after.

        Raises ValueError for other addresses: the hub runs workflows, and has no sign-in.
        """
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"{host} is not a loopback address")
        config = uvicorn.Config(
            self.asgi,
            host=host,
            port=port,
            log_level="warning",
            lifespan="off",
            access_log=False,
            date_header=False,  # the hub's own clock says it
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve())
        try:
            while not server.started:
                if task.done():
                    task.result()
                    raise OSError(f"the hub could not listen on {host}:{port}")
                await asyncio.sleep(0.005)
            number = server.servers[0].sockets[0].getsockname()[1]
            self.world.base_url = f"http://{host}:{number}"
            self.webhooks.kick()
            yield self.world.base_url
        finally:
            await self.aclose()
            server.should_exit = True
            server.force_exit = True
            await task

    async def aclose(self) -> None:
        """End runs and deliveries that are still on their way; close connections."""
        for task in list(self.world.tasks):
            task.cancel()
        await asyncio.gather(*self.world.tasks, return_exceptions=True)
        await self.webhooks.aclose()
        for client in self._people:
            await client.aclose()

    async def settle(self, timeout_s: float = SETTLE_S) -> None:
        """Until all webhooks are delivered and no run is active. Raises TimeoutError.

        A run that waits for a person is not active.
        """
        self.webhooks.kick()
        async with asyncio.timeout(timeout_s):
            while not self.webhooks.idle or actions.is_busy(self.world):
                await self._something_ends()

    async def _something_ends(self) -> None:
        """Until a delivery or a run has ended, and for a moment at most."""
        if under_way := self.webhooks.sending | self.world.tasks:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait(under_way, timeout=MOMENT_S, return_when=first)
        else:
            await asyncio.sleep(MOMENT_S)

    def add_user(self, login: str, *, site_admin: bool = False) -> Person:
        """A person with a personal access token."""
        account = self._account(login, "User")
        account.token, account.site_admin = auth.new_personal_token(), site_admin
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.asgi),
            base_url="http://localhub.test/api/v3",
            timeout=60,
        )
        self._people.append(client)
        return Person(account, client)


async def _avatar(_request: object) -> PlainTextResponse:
    return PlainTextResponse("", 404)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the program around it decides."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


class _Abortable:
    """Leaves in every request's scope how to close its connection, for scripted resets."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn's ``send`` is a method of the request's cycle, which holds the transport
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is not None:
            scope[ABORT] = transport.abort
        await self.app(scope, receive, send)
