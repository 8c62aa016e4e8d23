"""Where people talk with the bot: a hub, the bot's parts, and a clock that the test drives.

Everything is real but the time and the work: no step is ever run, tasks are put into their states
through the queue, and what the daemon does on its own (read deliveries, paint) is done here when
the test says so, so that "after thirty seconds" takes no time.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import yaml
from pydantic import SecretStr

from bot.agents.cage import Cage, CageKind
from bot.app import House, create_app
from bot.config.settings import Settings
from bot.domain import RepoRef, Task
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from bot.localhub.state_apps import App
from bot.localhub.state_issues import Comment, Issue
from bot.setup.registration import manifest_of
from bot.setup.wish import Permit
from tests.stories.factory import MARK

START = 1_795_348_800.0  #: 2026-11-22 12:00:00 UTC
EDIT = "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}"
CREATE = "POST /repos/{owner}/{repo}/issues/{issue_number}/comments"


@dataclass(slots=True)
class Clock:
    """What time it is, for hub and bot alike."""

    at: float = START

    def __call__(self) -> float:
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a test holds in its hands."""

    hub: LocalHub
    owner: Person
    repository: Repository
    app: App
    installation: int
    house: House
    clock: Clock
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def ref(self) -> RepoRef:
        """The repository as the bot knows it."""
        return RepoRef(
            id=self.repository.id,
            owner=self.owner.login,
            name=self.repository.name,
            installation_id=self.installation,
        )

    # ── people ───────────────────────────────────────────────────────────────────────────────

    def person(self, role: str) -> Person:
        """Somebody with this role, who is called like it."""
        if role not in self.people:
            self.people[role] = self.hub.add_user(f"{role}-only")
            self.hub.set_role(self.repository, f"{role}-only", role)
        return self.people[role]

    async def issue(self, body: str = "", labels: tuple[str, ...] = ()) -> int:
        made = await self.owner.open_issue(self.repository, "A wish", body, labels)
        await self.read()
        return int(made["number"])

    async def comment(self, issue: int, body: str, role: str = "") -> Comment:
        """A comment by the owner, or somebody of that role, read by the bot.

        Who has no role can comment nowhere; but may have lost it since.
        """
        person = self.person(role) if role else self.owner
        if role == "none":
            self.hub.set_role(self.repository, person.login, "read")
        made = await person.comment(self.repository, issue, body)
        if role == "none":
            self.hub.set_role(self.repository, person.login, "none")
        await self.read()
        return next(c for c in self.row(issue).comments if c.id == made["id"])

    async def task(self, issue: int, change: Callable[[Task], Task] = lambda task: task) -> Task:
        """The issue's task in the state that `change` gives it, shown."""
        new = Task(id="", title="A wish", feature="A wish", repo=self.ref, issue=issue)
        made, _ = await self.house.queue.submit(replace(new, requester=self.owner.login))
        made = await self.house.queue.change(made.id, change)
        await self.paint()
        return made

    # ── the bot ──────────────────────────────────────────────────────────────────────────────

    async def read(self) -> None:
        """The daemon's reading of what was delivered."""
        await self.hub.settle()
        while rows := await self.house.queue.pending():
            for row in rows:
                await self.house.intake(row)
                await self.house.queue.inbox_done(row.id, "nothing to do")
            await self.hub.settle()

    async def paint(self) -> None:
        """The daemon's painting of what is due at this instant."""
        queue, painter = self.house.queue, self.house.contexts.painter
        while due := await queue.pictures_due():
            for one in due:
                await queue.picture_done(one, await painter.paint(one.task))

    async def passes(self, seconds: float) -> None:
        """Time goes by, and whatever comes due on the way is done at its own instant."""
        end = self.clock.at + seconds
        await self.paint()
        while (at := await self._next()) is not None and at <= end:
            self.clock.at = at
            await self.house.queue.wake_due()
            await self.paint()
        self.clock.at = end

    async def _next(self) -> float | None:
        queue = self.house.queue
        instants = (await queue.next_picture(), await queue.next_due())
        return min((at for at in instants if at is not None and at > self.clock.at), default=None)

    # ── what there is to see ─────────────────────────────────────────────────────────────────

    async def now(self, task: Task) -> Task:
        return await self.house.queue.get(task.id)

    async def latest(self, issue: int) -> Task | None:
        return await self.house.queue.find(self.repository.id, issue)

    def row(self, issue: int) -> Issue:
        return self.repository.issues[issue]

    def ours(self, issue: int) -> list[str]:
        """The texts of the bot's comments on an issue."""
        return [c.body for c in self.row(issue).comments if c.body.startswith(MARK)]

    def labels(self, issue: int) -> set[str]:
        return {label.name for label in self.row(issue).labels}

    def reactions(self, issue: int) -> list[str]:
        """What the bot's reactions on an issue are."""
        return [one.content for one in self.row(issue).reactions]

    def count(self, route: str) -> int:
        """How often the bot has asked this of the hub."""
        return self.hub.calls.by_route()[route]


@contextlib.asynccontextmanager
async def open_desk(
    folder: Path,
    *,
    config: Mapping[str, Any] | None = None,
    files: Mapping[str, str | bytes] | None = None,
) -> AsyncIterator[Desk]:
    """A desk on a new hub; `config` is the repository's chimera.yml."""
    clock = Clock()
    hub = LocalHub(folder / "hub", now=clock, act=False)
    given = {".github/chimera.yml": yaml.safe_dump({"version": 1, **(config or {})})}
    async with hub.serve():
        owner = hub.add_user("ada")
        repository = hub.create_repository("ada", "shop", {**given, **(files or {})})
        manifest = manifest_of(Permit.STANDARD)
        app = hub.register_app(
            "ada",
            "chimera",
            hook_url="http://bot.test/webhook",
            permissions=manifest["default_permissions"],
            events=manifest["default_events"],
        )
        async with create_app(
            settings_for(hub, app, folder),
            agents={},
            cage=await Cage.open(CageKind.NONE),
            transport=httpx.ASGITransport(hub.asgi),
            now=clock,
        ) as house:
            hub.webhooks.transport = httpx.ASGITransport(house.web)
            await hub.webhooks.aclose()  # the connection that had another transport
            installation = hub.install(app.id, "ada", [repository])
            yield Desk(
                hub=hub,
                owner=owner,
                repository=repository,
                app=app,
                installation=installation,
                house=house,
                clock=clock,
            )


def settings_for(hub: LocalHub, app: App, folder: Path) -> Settings:
    """The bot's settings, with the hub's answers taken for visible at once."""
    return Settings(
        data_dir=folder / "bot",
        public_url="http://bot.test",
        api_auth=False,  # the browsers of these tests are on this machine
        api_url=hub.api_url,
        web_url=hub.base_url,
        app_id=app.id,
        private_key=SecretStr(app.pem),
        webhook_secret=SecretStr(app.webhook_secret),
        default_repository="ada/shop",
        write_spacing_s=0.0,
        quiet_s=1.0,
    )
