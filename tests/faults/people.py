"""People at the hub: they ask for pages, approve what is ready, and try again what is dead."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import httpx

from bot.domain import Status, Task, WaitFor
from tests.faults.plan import Plan
from tests.faults.sample import wish
from tests.faults.stage import Stage

T = TypeVar("T")

LOOK_S = 120.0  #: how often a person looks
AGAIN_S = 3600.0  #: after which a person tries again what seems to have been lost
PRESSES = 6  #: of one button, before a person believes that it is out of date
RETRIES = 2  #: how often a person has an ended task tried again


@dataclass(slots=True)
class People:
    """The people of one history."""

    stage: Stage
    plan: Plan
    issues: list[int] = field(default_factory=list)
    commanded: set[int] = field(default_factory=set)  #: issues in which a command was given
    retried: Counter[int] = field(default_factory=Counter)
    _pressed: dict[int, float] = field(default_factory=dict)  #: check → not before
    _presses: Counter[int] = field(default_factory=Counter)
    _failed: dict[int, float] = field(default_factory=dict)  #: issue → not before

    @property
    def asked_all(self) -> bool:
        return len(self.issues) == self.plan.issues

    async def ask(self) -> None:
        """Open the issues and label them, half a minute apart."""
        owner, repository = self.stage.owner, self.stage.repository
        for number in range(1, self.plan.issues + 1):
            made = await _insist(partial(owner.open_issue, repository, *wish(number)))
            await asyncio.sleep(5.0)
            await _insist(partial(owner.label, repository, made["number"], "chimera"))
            self.issues.append(made["number"])
            await asyncio.sleep(25.0)

    async def act(self) -> None:
        """Press what there is to press, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(httpx.HTTPStatusError):  # closed, archived, gone: not now
                await self._approve()
                await self._retry()

    async def _approve(self) -> None:
        now, repository = asyncio.get_running_loop().time(), self.stage.repository
        for check in list(repository.checks.values()):
            if "approve" not in {action["identifier"] for action in check.actions}:
                continue
            first = self._pressed.setdefault(check.id, now + self.plan.patience_s)
            if check.status == "completed" and now >= first and self._presses[check.id] < PRESSES:
                self._pressed[check.id] = now + AGAIN_S
                self._presses[check.id] += 1
                await self.stage.owner.press(repository, check.id, "approve")

    async def _retry(self) -> None:
        now, repository = asyncio.get_running_loop().time(), self.stage.repository
        for number in self.issues:
            issue = repository.issues[number]
            failed = "chimera:failed" in {label.name for label in issue.labels}
            first = self._failed.setdefault(number, now + AGAIN_S) if failed else None
            if first is None:
                self._failed.pop(number, None)
            elif now >= first and self.retried[number] < RETRIES:
                self._failed[number] = now + AGAIN_S
                self.retried[number] += 1
                self.commanded.add(number)
                await self.stage.owner.comment(repository, number, "/chimera retry")

    def will_act(self, task: Task) -> bool:
        """Whether somebody is going to do something about this task."""
        if task.status in (Status.FAILED, Status.DEAD):
            return self.retried[task.issue] < RETRIES
        waits = task.wait.on if task.wait is not None else None
        return task.status is Status.WAITING and waits is WaitFor.APPROVAL


async def _insist(ask: Callable[[], Awaitable[T]]) -> T:
    """A person who is refused, for the repository is archived, comes back."""
    while True:
        try:
            return await ask()
        except httpx.HTTPStatusError:
            await asyncio.sleep(LOOK_S)
