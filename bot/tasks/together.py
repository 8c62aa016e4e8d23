"""Calls that are made in one turn of the event loop, answered by one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Together(Generic[A, R]):
    """Hands what is asked in one turn of the loop to `answer`, which has a result for each."""

    def __init__(self, answer: Callable[[Sequence[A]], Awaitable[Sequence[R]]]) -> None:
        self._answer = answer
        self._asked: list[tuple[A, asyncio.Future[R]]] = []
        self._answering: set[asyncio.Task[None]] = set()

    async def ask(self, what: A) -> R:
        """The result for `what`. Cancelling the caller does not stop the others' answer."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._asked.append((what, result))
        if len(self._asked) == 1:
            answering = asyncio.create_task(self._answer_all())
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)
        return await result

    async def _answer_all(self) -> None:
        asked, self._asked = self._asked, []
        try:
            results = await self._answer([what for what, _ in asked])
        except Exception as error:
            for _, waiting in asked:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), result in zip(asked, results, strict=True):
            if not waiting.done():  # a caller that was cancelled has stopped listening
                waiting.set_result(result)
