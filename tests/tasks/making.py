"""Short ways to make tasks, and the clock in the tests' hands."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from bot.domain import JournalLine, Outcome, RepoRef, Status, Task, Wait, WaitFor
from bot.tasks.queue import TaskQueue

START = 1_800_000_000.0


@dataclass
class Clock:
    """Time that passes when the test says so."""

    at: float = START

    def __call__(self) -> float:
        return self.at

    def goes_on(self, seconds: float) -> None:
        self.at += seconds


def repo(number: int = 1) -> RepoRef:
    return RepoRef(id=number, owner="octo", name=f"shop{number}")


def wish(issue: int = 0, *, of: int | None = 1, priority: int = 5) -> Task:
    """A new task; `of` is the repository's number, None for a local run."""
    return Task(
        id="",
        feature=f"feature {issue}",
        title=f"feature {issue}",
        repo=None if of is None else repo(of),
        issue=issue,
        priority=priority,
    )


def line(task: Task, *, outcome: Outcome = Outcome.PASS, seconds: float = 1.0) -> JournalLine:
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=task.phase,
        cursor=task.cursor,
        outcome=outcome,
        summary="step done",
        started_at=START,
        seconds=seconds,
    )


def parked(task: Task, key: str = "", *, until: float | None = None) -> Task:
    wait = Wait(on=WaitFor.RUN, reason="a run is going on", key=key, until=until)
    return replace(task, status=Status.WAITING, wait=wait)


async def claimed(queue: TaskQueue, owner: str = "host/boot") -> Task:
    """Claim what must be claimable."""
    task = await queue.claim(owner)
    assert task is not None
    return task


async def finish(queue: TaskQueue, task: Task) -> Task:
    return await queue.record(task, line(task), replace(task, status=Status.COMPLETED))


async def until_stored(condition: Callable[[], Awaitable[bool]], *, within_s: float = 60.0) -> None:
    """Wait for what only the store can say, with a deadline."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - another task commits it
            await asyncio.sleep(0.005)


async def until(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait for a condition with a deadline; every await of the code under test may change it."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def keep_submitting(queue: TaskQueue) -> None:
    """One task after the other until it is cancelled; issues from 100 on."""
    issue = 100
    while True:
        await queue.submit(wish(issue))
        issue += 1
        await asyncio.sleep(0.005)
