"""Whatever people, workers and deadlines do in whatever order, the queue's invariants hold."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bot.domain import Status, Task
from bot.errors import ChimeraError, LeaseLost
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.tasks.store import Tx

from .making import Clock, line, parked, wish

T = TypeVar("T")
REPOS = st.integers(1, 2)
ISSUES = st.integers(1, 2)
KEYS = st.sampled_from(("a", "b"))


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.store = self.do(SqliteStore.open(Path(self.folder.name) / "chimera.db"))
        self.queue = TaskQueue(self.store, self.clock)
        self.claims: list[Task] = []  # everything that some worker believes to hold
        self.fences: dict[str, int] = {}
        self.ended: dict[str, Status] = {}

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.do(self.store.close())
        self.do(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    def a_claim(self, pick: int) -> Task | None:
        return self.claims[pick % len(self.claims)] if self.claims else None

    def step(self, pick: int, change: Callable[[Task], Task], *, keep: bool = False) -> None:
        held = self.a_claim(pick)
        if held is None:
            return
        before = self.do(self.queue.get(held.id))
        owned = before.status is Status.RUNNING and before.fence == held.fence
        try:
            stored = self.do(self.queue.record(held, line(held), change(held), keep=keep))
        except LeaseLost:
            assert not owned
            self.claims.remove(held)
            return
        assert owned
        self.claims.remove(held)
        if stored.status is Status.RUNNING:
            self.claims.append(stored)

    @rule(of=REPOS, issue=ISSUES, priority=st.integers(1, 10))
    def somebody_submits(self, of: int, issue: int, priority: int) -> None:
        self.do(self.queue.submit(wish(issue, of=of, priority=priority)))

    @rule()
    def a_worker_claims(self) -> None:
        task = self.do(self.queue.claim("host/boot"))
        if task is not None:
            self.claims.append(task)

    @rule(pick=st.integers(0, 9), keep=st.booleans())
    def a_step_goes_on(self, pick: int, keep: bool) -> None:
        self.step(pick, lambda task: task, keep=keep)

    @rule(pick=st.integers(0, 9), key=KEYS, in_s=st.integers(1, 90))
    def a_step_parks(self, pick: int, key: str, in_s: int) -> None:
        self.step(pick, lambda task: parked(task, key, until=self.clock.at + in_s))

    @rule(pick=st.integers(0, 9), how=st.sampled_from((Status.COMPLETED, Status.FAILED)))
    def a_step_ends(self, pick: int, how: Status) -> None:
        self.step(pick, lambda task: replace(task, status=how))

    @rule(pick=st.integers(0, 9), crashed=st.booleans())
    def a_worker_lets_go(self, pick: int, crashed: bool) -> None:
        held = self.a_claim(pick)
        if held is not None:
            self.claims.remove(held)
            self.do(self.queue.release(held.id, held.fence, crashed=crashed))

    @rule(pick=st.integers(0, 9))
    def a_worker_is_alive(self, pick: int) -> None:
        held = self.a_claim(pick)
        if held is not None:
            self.do(self.queue.heartbeat([(held.id, held.fence)]))

    @rule(key=KEYS)
    def something_happens(self, key: str) -> None:
        self.do(self.queue.wake(key))

    @rule(seconds=st.integers(1, 70))
    def time_passes(self, seconds: int) -> None:
        self.clock.goes_on(seconds)
        self.do(self.queue.wake_due())
        self.do(self.queue.requeue_lost())

    @rule(pick=st.integers(0, 9), what=st.sampled_from(("cancel", "pause", "retry", "priority")))
    def a_person_commands(self, pick: int, what: str) -> None:
        tasks = self.do(self.queue.page()).tasks
        if not tasks:
            return
        task_id = tasks[pick % len(tasks)].id
        try:
            self.do(self.command(task_id, what))
        except ChimeraError:
            return
        if what == "retry":
            self.ended.pop(task_id, None)

    def command(self, task_id: str, what: str) -> Coroutine[Any, Any, Task]:
        live = (Status.QUEUED, Status.RUNNING, Status.WAITING)
        match what:
            case "cancel":
                return self.queue.cancel(task_id, "ann")
            case "pause":
                return self.queue.change(task_id, parked, expect=live)
            case "retry":
                return self.queue.change(
                    task_id,
                    lambda t: replace(t, status=Status.QUEUED),
                    expect=[s for s in Status if s.ended],
                )
            case _:
                return self.queue.change(task_id, lambda t: replace(t, priority=9))

    @invariant()
    def an_issue_has_one_live_task(self) -> None:
        sql = "SELECT repo_id, issue FROM task WHERE finished_at IS NULL"
        live = [(row["repo_id"], row["issue"]) for row in self.rows(sql)]
        assert len(live) == len(set(live))

    @invariant()
    def running_means_a_lease_and_a_holder(self) -> None:
        for row in self.rows("SELECT * FROM task"):
            running = row["status"] == Status.RUNNING
            assert (row["lease_until"] is not None) == running
            assert (row["owner"] != "") == running
            if running:
                assert (row["id"], row["fence"]) in {(t.id, t.fence) for t in self.claims}

    @invariant()
    def no_repository_is_above_its_limit(self) -> None:
        sql = "SELECT count(*) AS n FROM task WHERE status = 'RUNNING' GROUP BY lane"
        assert all(row["n"] <= self.queue.limits.lane_limit for row in self.rows(sql))

    @invariant()
    def fences_only_grow_and_an_end_is_an_end(self) -> None:
        for row in self.rows("SELECT id, fence, status, finished_at FROM task"):
            assert row["fence"] >= self.fences.get(row["id"], 0)
            self.fences[row["id"]] = row["fence"]
            status = Status(row["status"])
            assert status.ended == (row["finished_at"] is not None)
            assert self.ended.get(row["id"], status) is status
            if status.ended:
                self.ended[row["id"]] = status

    @invariant()
    def what_waits_has_a_reason_and_what_is_queued_can_be_claimed(self) -> None:
        for row in self.rows("SELECT status, wait_json, ready, run_at FROM task"):
            assert row["status"] != Status.WAITING or row["wait_json"] is not None
            assert row["status"] != Status.QUEUED or row["ready"] or row["run_at"] > self.clock.at

    def rows(self, sql: str) -> list[Any]:
        def work(tx: Tx) -> list[Any]:
            return tx.all(sql)

        return self.do(self.store.read(work))


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
