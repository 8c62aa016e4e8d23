"""LocalHub: the parts of the hub put together, and the way tests and the demo hold it."""

import asyncio
import contextlib
import ipaddress
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.localhub import actions, auth, events, gitrepo, issuing, manifest, shapes
from bot.localhub.calls import Calls, Exchange
from bot.localhub.faults import ABORT, Faults
from bot.localhub.githttp import GitHttp
from bot.localhub.gitrepo import Signature
from bot.localhub.oauth import SignInFlow
from bot.localhub.pages import Pages
from bot.localhub.people import Person
from bot.localhub.rest import Rest
from bot.localhub.state import (
    ROLES,
    Account,
    App,
    Delivery,
    Environment,
    Installation,
    Issue,
    Repository,
)
from bot.localhub.webhooks import Webhooks
from bot.localhub.world import ACTIONS_APP_ID, DEFAULT_LABELS, CarryOut, World

MOMENT_S = 0.01
SETTLE_S = 30.0


class LocalHub:
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
        self.world = World(root.resolve(), now=now, run_actions=act, carry_out=carry_out)
        self.faults = Faults()
        self.calls = Calls()
        self.git_calls = Calls()
        self._rest = Rest(self.world, self.faults, self.calls)
        self._pages = Pages(self.world)
        self._people: list[httpx.AsyncClient] = []
        github = self._account("github", "Organization")
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

    # People and repositories

    def _account(self, login: str, kind: str) -> Account:
        if login.lower() in self.world.accounts:
            raise ValueError(f"{login} exists already")
        now = self.world.now()
        one = Account(id=self.world.new_id(), login=login, kind=kind, created_at=now)
        self.world.accounts[login.lower()] = one
        return one

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

    def add_organization(self, login: str) -> Account:
        """An organization that can own repositories."""
        return self._account(login, "Organization")

    def create_repository(
        self,
        owner: str,
        name: str,
        files: Mapping[str, str | bytes] | None = None,
        *,
        source: Path | None = None,
        private: bool = False,
        default_branch: str = "main",
        **settings: Any,
    ) -> Repository:
        """A bare git repository with one commit of ``files``, or a copy of the one at ``source``.

        ``settings`` are those of ``configure``. Blocks: git runs here.
        """
        number = self.world.new_id()
        path = self.world.root / "git" / f"{number}.git"
        gitrepo.create_bare(path, default_branch)
        now = self.world.now()
        repo = Repository(
            id=number,
            owner=self.world.account(owner),
            name=name,
            path=path,
            created_at=now,
            pushed_at=now,
            private=private,
            default_branch=default_branch,
        )
        for label, color, description in DEFAULT_LABELS:
            made = self.world.label(repo, label)
            made.color, made.description = color, description
        if source is not None:
            refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
            gitrepo.run(path, "fetch", "--quiet", str(source.resolve()), *refs)
        elif files:
            by = Signature(name=repo.owner.login, email="owner@localhub.test", at=now)
            gitrepo.commit_files(path, default_branch, files, "Initial commit", by)
        self.world.repositories[repo.id] = repo
        self.configure(repo, **settings)
        return repo

    def configure(
        self,
        repo: Repository,
        *,
        allow_drafts: bool | None = None,
        delete_branch_on_merge: bool | None = None,
        merge_methods: Sequence[str] | None = None,
        required_checks: Sequence[str] | None = None,
        required_approvals: int | None = None,
        strict: bool | None = None,
        merge_queue: bool | None = None,
        archived: bool | None = None,
        private: bool | None = None,
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Change settings of a repository; what is None stays as it is."""
        repo.allow_drafts = _or(allow_drafts, repo.allow_drafts)
        repo.delete_branch_on_merge = _or(delete_branch_on_merge, repo.delete_branch_on_merge)
        repo.merge_methods = list(_or(merge_methods, repo.merge_methods))
        repo.rules.required_checks = list(_or(required_checks, repo.rules.required_checks))
        repo.rules.required_approvals = _or(required_approvals, repo.rules.required_approvals)
        repo.rules.strict = _or(strict, repo.rules.strict)
        repo.rules.merge_queue = _or(merge_queue, repo.rules.merge_queue)
        repo.private = _or(private, repo.private)
        repo.variables = dict(_or(variables, repo.variables))
        repo.secrets = dict(_or(secrets, repo.secrets))
        if archived is not None and archived != repo.archived:
            repo.archived = archived
            self._tell_repository(repo, "archived" if archived else "unarchived", {})

    def set_role(self, repo: Repository, login: str, role: str) -> None:
        """Give a person a role: none, read, triage, write, maintain or admin."""
        if role not in ROLES:
            raise ValueError(f"{role!r} is not one of {ROLES}")
        repo.roles[login.lower()] = role

    def set_environment(
        self,
        repo: Repository,
        name: str,
        *,
        required_reviewers: Sequence[str] = (),
        prevent_self_review: bool = False,
        protection_apps: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Environment:
        """An environment with its (emulated) protection: reviewers, and Apps by slug."""
        one = Environment(
            id=self.world.new_id(),
            name=name,
            created_at=self.world.now(),
            reviewers=[self.world.account(login) for login in required_reviewers],
            prevent_self_review=prevent_self_review,
            protection_apps=list(protection_apps),
            variables=dict(variables or {}),
            secrets=dict(secrets or {}),
        )
        repo.environments[name] = one
        return one

    def rename_repository(self, repo: Repository, name: str) -> None:
        """A new name; the old one leads there."""
        self.world.moved[repo.full_name.lower()] = repo.id
        changes = {"repository": {"name": {"from": repo.name}}}
        repo.name = name
        self._tell_repository(repo, "renamed", {"changes": changes})

    def transfer_repository(self, repo: Repository, owner: str) -> None:
        """A new owner; the old name leads there. Installations of the old owner lose it."""
        self.world.moved[repo.full_name.lower()] = repo.id
        old = repo.owner
        changes = {"owner": {"from": {"user": shapes.user(self.world, old)}}}
        self._tell_repository(repo, "transferred", {"changes": changes})
        repo.owner = self.world.account(owner)

    def delete_repository(self, repo: Repository) -> None:
        """The repository is gone: 404 from now on."""
        self._tell_repository(repo, "deleted", {})
        del self.world.repositories[repo.id]

    def _tell_repository(self, repo: Repository, action: str, extra: Mapping[str, Any]) -> None:
        payload = {"action": action, **extra}
        events.tell(self.world, repo, repo.owner, "repository", payload=payload)

    def submit_issue_form(
        self, repo: Repository, login: str, title: str, body: str, labels: Sequence[str]
    ) -> Issue:
        """An issue by the repository's form: its labels apply whoever the author is."""
        user = self.world.account(login)
        actor = auth.Actor(via="user", account=user)
        one = issuing.open_issue(self.world, repo, actor, user, title=title, body=body)
        events.issues(self.world, repo, one, user, "opened")
        for name in labels:
            issuing.put_label(self.world, repo, one, self.world.label(repo, name), user)
        return one

    def delete_issue(self, repo: Repository, number: int) -> None:
        """The issue is gone: 410 from now on."""
        one = self.world.issue(repo, number)
        events.issues(self.world, repo, one, repo.owner, "deleted")
        one.deleted = True

    def transfer_issue(self, repo: Repository, number: int, to: Repository) -> Issue:
        """The issue lives in another repository: 301 from now on."""
        one = self.world.issue(repo, number)
        actor = auth.Actor(via="user", account=repo.owner)
        made = issuing.open_issue(self.world, to, actor, one.user, title=one.title, body=one.body)
        made.comments, one.comments = one.comments, []
        events.issues(self.world, repo, one, repo.owner, "transferred")
        one.moved_to = (to, made.number)
        return made

    # Apps

    def register_app(
        self,
        owner: str,
        name: str,
        *,
        hook_url: str = "",
        permissions: Mapping[str, str],
        events: Sequence[str],
        hook_secret: str | None = None,
        callback_urls: Sequence[str] = (),
    ) -> App:
        """An App without the browser's part of the manifest flow."""
        return manifest.register(
            self.world,
            self.world.account(owner),
            name,
            hook_url=hook_url,
            hook_secret=hook_secret,
            permissions=permissions,
            events=events,
            callback_urls=callback_urls,
        )

    def install(
        self,
        app_id: int,
        account: str,
        repositories: str | Sequence[Repository] = "all",
        *,
        permissions: Mapping[str, str] | None = None,
    ) -> int:
        """Install an App; ``permissions`` where the account has granted less. Returns the id."""
        app = self.world.apps[app_id]
        chosen = None if isinstance(repositories, str) else {repo.id for repo in repositories}
        one = Installation(
            id=self.world.new_id(),
            app=app,
            account=self.world.account(account),
            repository_ids=chosen,
            permissions=dict(permissions if permissions is not None else app.permissions),
            events=list(app.events),
            created_at=self.world.now(),
        )
        self.world.installations[one.id] = one
        self._tell_installation(one, "created")
        return one.id

    def uninstall(self, installation_id: int) -> None:
        """The installation is gone, and its tokens with it."""
        one = self.world.installations.pop(installation_id)
        self._tell_installation(one, "deleted")

    def suspend(self, installation_id: int) -> None:
        """The installation keeps its settings and may do nothing."""
        one = self.world.installations[installation_id]
        one.suspended_at, one.suspended_by = self.world.now(), one.app.owner
        self._tell_installation(one, "suspend")

    def unsuspend(self, installation_id: int) -> None:
        """The installation works again."""
        one = self.world.installations[installation_id]
        one.suspended_at = one.suspended_by = None
        self._tell_installation(one, "unsuspend")

    def set_installed_repositories(
        self, installation_id: int, repositories: Sequence[Repository]
    ) -> None:
        """Which repositories the installation has from now on."""
        one = self.world.installations[installation_id]
        before = {repo.id for repo in self.world.installed_on(one)}
        after = {repo.id for repo in repositories}
        one.repository_ids = after
        for action, ids in (("added", after - before), ("removed", before - after)):
            if ids:
                briefs = [
                    shapes.minimal_repository(self.world, self.world.repositories[number])
                    for number in sorted(ids)
                ]
                none: list[Any] = []
                extra = {
                    "repository_selection": "selected",
                    "repositories_added": briefs if action == "added" else none,
                    "repositories_removed": briefs if action == "removed" else none,
                }
                events.installation(
                    self.world,
                    one,
                    one.app.owner,
                    "installation_repositories",
                    action,
                    extra,
                )

    def expire_tokens(self, installation_id: int) -> None:
        """Every token of the installation is answered with 401 from now on."""
        for grant in self.world.grants.values():
            if grant.installation and grant.installation.id == installation_id:
                grant.expires_at = 0.0

    def _tell_installation(self, one: Installation, action: str) -> None:
        briefs = [
            shapes.minimal_repository(self.world, repo) for repo in self.world.installed_on(one)
        ]
        extra = {"repositories": briefs}
        events.installation(self.world, one, one.account, "installation", action, extra)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


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
