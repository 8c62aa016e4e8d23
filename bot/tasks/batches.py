"""Group commit: works that arrive while a commit is on its way to the disk share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bot.tasks.store import Tx

MAX_BATCH = 256  #: callers in one commit; bounds how long the first of them waits
GATHER = 0.25  #: of a commit's time, after one for many callers: those come back with more

T = TypeVar("T")

#: Runs works in one transaction; what each of them returned or raised, in order.
Commit = Callable[[Sequence[Callable[[Tx], Any]]], Awaitable[list[Any]]]


@dataclass(slots=True)
class _Call(Generic[T]):
    """One caller's part of a batch."""

    work: Callable[[Tx], T]
    answer: "asyncio.Future[T]"

    def settle(self, result: Any) -> None:
        if self.answer.done():  # a caller that was cancelled has stopped listening
            return
        if isinstance(result, BaseException):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class Batches:
    """Hands works to `commit`, in the order in which they came and as many together as wait."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._waiting: list[_Call[Any]] = []
        self._committer: asyncio.Task[None] | None = None

    async def add(self, work: Callable[[Tx], T]) -> T:
        """What `work` returned, once it is on the disk; its error is raised here.

        Cancelling the caller does not stop a batch half-way.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(work, answer))
        if self._committer is None or self._committer.done():
            self._committer = asyncio.create_task(self._commit_all())
        return await answer

    async def finish(self) -> None:
        """Return when nothing waits any more."""
        if self._committer is not None:
            await self._committer

    async def _commit_all(self) -> None:
        clock = asyncio.get_running_loop().time  # the one that sleeping goes by
        await asyncio.sleep(0)  # who is about to write in this turn of the loop comes along
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            begun = clock()
            await self._settle(batch)
            if self._waiting and len(batch) > 1:
                await asyncio.sleep(GATHER * (clock() - begun))

    async def _settle(self, batch: Sequence[_Call[Any]]) -> None:
        try:
            results = await self._commit([call.work for call in batch])
        except Exception as error:
            results = [error] * len(batch)
        for call, result in zip(batch, results, strict=True):
            call.settle(result)
