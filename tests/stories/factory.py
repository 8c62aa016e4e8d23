"""A factory under observation: hub, App, bot and scripted agents, and how a story holds them.

The stage is the demo's: the bot is opened by `create_app`, on real SQLite, git, cage and act, and
hears of everything by signed webhooks over loopback HTTP.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bot.agents.cage import Cage
from bot.demo.ports import free_ports
from bot.demo.stage import Stage, bot_on, hub_with
from bot.domain import JournalLine, Phase, Status, Task, WaitFor
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository
from bot.localhub.state_issues import Comment, Issue
from bot.localhub.state_runs import Run
from bot.workflow.report.marker import VERSION
from tests.stories import sample
from tests.stories.actors import Cast

T = TypeVar("T")

LOOK_S = 0.02
GRACE_S = 0.5  #: at the end of a story, for steps that are still at work
SETTLE_S = 1.0  #: between two edits of a comment; the server's own default is ten times that
DEADLINE_S = 90.0  #: far more than anything takes, even where the machine is busy
ANSWERS = {"rocket", "confused", "-1"}
MARK = f"<!-- chimera:{VERSION} task="

Until = Status | Phase | WaitFor | Callable[[Task], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factory:
    """What a story holds in its hands."""

    stage: Stage
    agents: Cast
    deploys: Path

    @property
    def hub(self) -> LocalHub:
        return self.stage.hub

    @property
    def owner(self) -> Person:
        return self.stage.owner

    @property
    def repository(self) -> Repository:
        return self.stage.repository

    @property
    def at(self) -> str:
        """Where the repository is in the API."""
        return f"/repos/{self.repository.full_name}"

    # ── what people do ───────────────────────────────────────────────────────────────────────

    async def open_issue(self, title: str = sample.TITLE, body: str = sample.BODY) -> int:
        made = await self.owner.open_issue(self.repository, title, body)
        return int(made["number"])

    async def label_issue(self, title: str = sample.TITLE, body: str = sample.BODY) -> Task:
        """An issue with the trigger label, and the task that it has become."""
        issue = await self.open_issue(title, body)
        await self.owner.label(self.repository, issue, "chimera")
        return await self.task_of(issue)

    async def comment(self, issue: int, body: str, *, by: Person | None = None) -> Comment:
        """A comment of a person, as the hub holds it."""
        made = await (by or self.owner).comment(self.repository, issue, body)
        row = self.issue(issue)
        return next(one for one in row.comments if one.id == made["id"])

    async def answered(self, comment: Comment) -> set[str]:
        """The reactions on a comment, once the command in it was carried out or refused."""
        found: set[str] = await self.seen(lambda: {r.content for r in comment.reactions} & ANSWERS)
        return found

    def person(self, login: str, role: str = "") -> Person:
        """Somebody else, with a role in the repository."""
        person = self.hub.add_user(login)
        if role:
            self.hub.set_role(self.repository, login, role)
        return person

    async def approve(self, task: Task, *, by: Person | None = None) -> None:
        """Wait for the gate, and press the button of its check."""
        task = await self.until(task, WaitFor.APPROVAL)
        check = await self.seen(lambda: self.button(task.facts.head_sha, "approve"))
        await (by or self.owner).press(self.repository, check, "approve")

    def button(self, sha: str, identifier: str) -> int:
        """The id of the check on a commit that carries this button now; 0: none does."""
        for check in self.repository.checks.values():
            offers = [action["identifier"] for action in check.actions]
            if check.head_sha == sha and identifier in offers and check.status == "completed":
                return check.id
        return 0

    # ── waiting, always with a deadline ──────────────────────────────────────────────────────

    async def task_of(self, issue: int, *, after: str = "") -> Task:
        """The issue's task once there is one (another than `after`)."""
        queue, number = self.stage.house.queue, self.repository.id

        async def look() -> Task | None:
            found = await queue.find(number, issue)
            return found if found is not None and found.id != after else None

        return await self._soon(look, f"no task for issue {issue}")

    async def until(self, task: Task, wanted: Until, deadline_s: float = DEADLINE_S) -> Task:
        """The task once it has that status, phase or reason to wait."""

        async def look() -> Task | None:
            now = await self.stage.house.queue.get(task.id)
            if now.status.ended and not _fits(now, wanted):
                raise AssertionError(f"ended {now.status} at {now.phase}: {now.summary}")
            return now if _fits(now, wanted) else None

        return await self._soon(look, f"not yet {wanted}", deadline_s)

    async def revived(self, task: Task) -> Task:
        """The task once it lives again."""

        async def look() -> Task | None:
            now = await self.now(task)
            return None if now.status.ended else now

        return await self._soon(look, "still ended")

    async def ended(self, task: Task, deadline_s: float = DEADLINE_S) -> Task:
        """The task at its end, whatever that is, shown and all deliveries read."""

        async def look() -> Task | None:
            now = await self.stage.house.queue.get(task.id)
            return now if now.status.ended else None

        found = await self._soon(look, "no end", deadline_s)
        await self.shown()
        return found

    async def seen(self, look: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """What `look` returns once that is true."""

        async def looking() -> Any:
            return look()

        return await self._soon(looking, "not seen", deadline_s)

    async def shown(self) -> None:
        """Until everything was delivered, read and painted, what was put off included."""
        queue = self.stage.house.queue

        async def still() -> bool:
            await self.hub.settle()
            return not await queue.pending() and await queue.next_picture() is None

        await self._soon(still, "pictures are outstanding")

    async def _soon(
        self, look: Callable[[], Awaitable[T | None]], what: str, deadline_s: float = DEADLINE_S
    ) -> T:
        deadline = time.monotonic() + deadline_s
        while not (found := await look()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} after {deadline_s:.0f} s\n{await self.told()}")
            await asyncio.sleep(LOOK_S)
        return found

    async def told(self) -> str:
        """The journals of all tasks, for whoever has to find out why."""
        lines = []
        for task in (await self.stage.house.queue.page()).tasks:
            lines.append(f"{task.id} {task.status} {task.phase} wait={task.wait}")
            lines += [f"  {j.phase} {j.outcome}: {j.summary}" for j in await self.journal(task)]
        return "\n".join(lines)

    # ── what there is to see ─────────────────────────────────────────────────────────────────

    async def now(self, task: Task) -> Task:
        return await self.stage.house.queue.get(task.id)

    async def journal(self, task: Task) -> list[JournalLine]:
        return list(await self.stage.house.queue.journal(task.id))

    async def outcomes(self, task: Task) -> list[tuple[Phase, str]]:
        """Phase and outcome of each journal line, without the waits."""
        lines = await self.journal(task)
        return [(j.phase, j.outcome.value) for j in lines if j.outcome != "wait"]

    def issue(self, number: int) -> Issue:
        return self.repository.issues[number]

    def status_comment(self, issue: int) -> str:
        """The text of the one status comment; empty where there is none."""
        ours = [c.body for c in self.issue(issue).comments if c.body.startswith(MARK)]
        return ours[0] if ours else ""

    async def branches(self) -> set[str]:
        """The branches of the repository on the hub."""
        return {one["name"] for one in await self.owner.ask("GET", f"{self.at}/branches")}

    def labels(self, issue: int) -> set[str]:
        return {label.name for label in self.issue(issue).labels}

    def reactions(self, issue: int) -> set[str]:
        return {one.content for one in self.issue(issue).reactions}

    def checks(self, sha: str) -> dict[str, str]:
        """Conclusion (or status) by name of the App's checks on a commit."""
        found = [c for c in self.repository.checks.values() if c.head_sha == sha]
        return {c.name: c.conclusion or c.status for c in found if c.name.startswith("chimera")}

    def runs(self, environment: str) -> list[Run]:
        """The deployment runs to an environment, oldest first."""
        runs = self.repository.runs.values()
        return [run for run in runs if run.inputs.get("environment") == environment]

    def sets(self, **variables: str) -> None:
        """Change variables of the repository, which its deployment reads."""
        self.hub.configure(self.repository, variables=self.repository.variables | variables)

    async def serves(self, environment: str, path: str) -> str:
        """What a deployed application answers."""
        port = self.repository.variables[f"{environment.upper()}_PORT"]
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            return (await client.get(f"http://127.0.0.1:{port}{path}")).text

    async def api(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request to the bot's own API."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            return await client.request(method, f"{self.stage.bot_url}{path}", json=body)


def _fits(task: Task, wanted: Until) -> bool:
    match wanted:
        case Status():
            return task.status is wanted
        case Phase():
            return task.phase is wanted
        case WaitFor():
            return (
                task.status is Status.WAITING and task.wait is not None and (task.wait.on is wanted)
            )
        case _:
            return wanted(task)


@contextlib.asynccontextmanager
async def open_factory(
    folder: Path,
    agents: Cast,
    *,
    config: Mapping[str, Any] | None = None,
    files: Mapping[str, str | bytes] | None = None,
    settings: Mapping[str, Any] | None = None,
    hub_settings: Mapping[str, Any] | None = None,
    watch: Callable[[LocalHub], None] = lambda _hub: None,
    scripted: bool = True,
) -> AsyncIterator[Factory]:
    """A factory at work; what it has deployed is ended with it.

    Not `scripted`: the agents are those that the settings name, and `agents` are never asked.
    """
    deploys = folder / "deploys"
    given = sample.files(config) | dict(files or {})
    variables = sample.variables(str(deploys), *free_ports(2))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(stop_deployed, deploys)
        hub, owner, repository = await stack.enter_async_context(
            hub_with(folder, given, variables, "ada")
        )
        watch(hub)
        hub.configure(repository, **dict(hub_settings or {}))
        cage = await Cage.open()
        wanted = {"settle_s": SETTLE_S, "grace_s": GRACE_S, **(settings or {})}
        stage = await stack.enter_async_context(
            bot_on(
                hub,
                owner,
                repository,
                folder,
                agents.registry() if scripted else None,
                cage=cage,
                adjust=lambda made: made.model_copy(update=wanted),
            )
        )
        yield Factory(stage=stage, agents=agents, deploys=deploys)


def stop_deployed(deploys: Path) -> None:
    """End the applications that the runs have left serving, as they were meant to."""
    for file in deploys.glob("*/app.pid"):
        with contextlib.suppress(ValueError, ProcessLookupError):
            os.kill(int(file.read_text()), signal.SIGKILL)
