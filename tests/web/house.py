"""A real store and queue behind the real doors; only the wire and the clock are swapped."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from bot.config.choices import Verb
from bot.domain import Actor, Phase, RepoRef, Status, Task
from bot.errors import WrongState
from bot.tasks.lasting import Lasting
from bot.tasks.pool import ExecutorPool
from bot.tasks.queue import TaskQueue
from bot.tasks.slots import Slots
from bot.tasks.sqlite import SqliteStore
from bot.tasks.tally import Tally
from bot.tasks.tokens import Tokens
from bot.tasks.trend import Trends
from bot.web.parts import HealthPart, Money, People, Submission, WebParts, WebSettings
from bot.web.routes import make_web
from bot.workflow.command_grammar import parse_commands
from bot.workflow.command_lines import PREFIX
from bot.workflow.commands import Command, spec_of
from bot.workflow.evidence import bundle
from bot.workflow.purse import SCOPE
from bot.workflow.steering import steered

SECRET = "a webhook secret of thirty-two ch"
START = 1_700_000_000.0
SHOP = RepoRef(id=7, owner="octo", name="shop")
OTHER = RepoRef(id=8, owner="octo", name="other")


@dataclass
class Clock:
    at: float = START

    def __call__(self) -> float:
        return self.at


@dataclass
class House:
    """The application, its queue, and what stands in for the floors above it."""

    store: SqliteStore
    queue: TaskQueue
    tokens: Tokens
    clock: Clock
    pool: ExecutorPool
    lasting: Lasting
    tally: Tally
    slots: Slots
    submissions: list[Submission] = field(default_factory=list)
    health: list[HealthPart] = field(default_factory=list)
    people: People | None = None
    is_ready: bool = True
    is_draining: bool = False
    settings: WebSettings = field(
        default_factory=lambda: WebSettings(
            webhook_secrets=(SECRET,),
            default_repository="octo/shop",
            allowed_hosts=frozenset({"staging.example.test", "localhost:3000"}),
        )
    )

    def parts(self, **changes: Any) -> WebParts:
        async def health() -> list[HealthPart]:
            return self.health

        parts = WebParts(
            queue=self.queue,
            tokens=self.tokens,
            lasting=self.lasting,
            tally=self.tally,
            trends=Trends(self.lasting, self.clock),
            slots=self.slots,
            settings=self.settings,
            now=self.clock,
            submit=self.submit,
            cancel=self.queue.cancel,
            retry=self.retry,
            reprioritise=self.reprioritise,
            discard=self.discard,
            pool_metrics=self.pool.get_metrics,
            health=health,
            evidence=self.evidence,
            steer=self.steer,
            money=self.money,
            session_key=b"a key for the sessions of a test",
            people=self.people,
            ready=lambda: self.is_ready,
            draining=lambda: self.is_draining,
        )
        return replace(parts, **changes)

    async def steer(self, task_id: str, by: str, verb: Verb, said: str) -> Task:
        """As the program does it, on the same pure functions."""
        [command] = parse_commands(f"{PREFIX} {verb} {said}")
        assert isinstance(command, Command)
        if verb is Verb.CANCEL:
            return await self.queue.cancel(task_id, by)
        actor = Actor(login=by, id=0)
        return await self.queue.change(
            task_id,
            lambda task: steered(task, command, actor, self.clock(), via="dashboard"),
            expect=spec_of(verb).statuses,
        )

    async def money(self) -> Money:
        return Money(
            today_usd=await self.lasting.spent(SCOPE),
            limit_usd=20.0,
            days=await self.lasting.spent_by_day(SCOPE, days=28),
        )

    async def evidence(self, task: Task) -> dict[str, object]:
        journal = await self.queue.journal(task.id)
        return bundle(task, journal, [], cage="none")

    def web(self, **changes: Any) -> Starlette:
        return make_web(self.parts(**changes))

    def client(self, *, peer: str = "127.0.0.1", **changes: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.web(**changes), client=(peer, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")

    async def submit(self, wish: Submission) -> Task:
        self.submissions.append(wish)
        owner, _, name = wish.repository.partition("/")
        issue = wish.issue or 100 + len(self.submissions)
        new = Task(
            id="",
            feature=wish.feature,
            title=wish.feature.splitlines()[0],
            repo=RepoRef(id=7, owner=owner, name=name),
            issue=issue,
            priority=wish.priority,
            target_url=wish.target_url,
            requester=wish.by,
        )
        task, _ = await self.queue.submit(
            new, idempotency_key=wish.idempotency_key, request_hash=wish.request_hash
        )
        return task

    async def retry(self, task_id: str, by: str, phase: Phase | None) -> Task:
        def again(task: Task) -> Task:
            cursor = replace(task.cursor, phase=phase or task.cursor.phase)
            return replace(task, status=Status.QUEUED, cursor=cursor)

        return await self.queue.change(task_id, again, expect=spec_of(Verb.RETRY).statuses)

    async def reprioritise(self, task_id: str, by: str, priority: int) -> Task:
        return await self.queue.change(task_id, lambda task: replace(task, priority=priority))

    async def discard(self, task_id: str, by: str) -> Task:
        if (await self.queue.get(task_id)).status is not Status.DEAD:
            raise WrongState("only a dead task can be discarded")
        return await self.queue.change(task_id, lambda t: replace(t, status=Status.CANCELLED))

    async def add(self, title: str = "Add logout", **values: Any) -> Task:
        new = Task(id="", feature=f"{title}\n\nPlease.", title=title, **{"repo": SHOP, **values})
        task, _ = await self.queue.submit(new)
        return task

    async def put(self, task: Task, **values: Any) -> Task:
        return await self.queue.change(task.id, lambda t: replace(t, **values))


@asynccontextmanager
async def opened_house(directory: Path) -> AsyncIterator[House]:
    """A house on a store in this directory; its pool does not run."""
    clock = Clock()
    store = await SqliteStore.open(directory / "store.db")
    queue = TaskQueue(store, clock)

    async def never_called(task: Task) -> Task:
        raise AssertionError(f"the pool of this house does not run, and yet got {task.id}")

    pool = ExecutorPool(queue, never_called)
    lasting = Lasting(store, clock)
    yield House(
        store=store,
        queue=queue,
        tokens=Tokens(store, clock),
        clock=clock,
        pool=pool,
        lasting=lasting,
        tally=Tally(queue),
        slots=Slots(pool, lasting, clock),
    )
    await store.close()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
