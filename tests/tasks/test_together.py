"""Calls of one turn of the loop are answered as one."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.errors import StoreError
from bot.tasks.queue import TaskQueue
from bot.tasks.together import Together

from .making import wish


class Doubling:
    """Answers with twice the number, and remembers what was asked together."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    async def answer(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        await asyncio.sleep(0)
        if 13 in numbers:
            raise StoreError("the disk is full")
        return [2 * number for number in numbers]


async def test_those_of_one_turn_are_asked_once_and_each_hears_its_own() -> None:
    doubling = Doubling()
    together = Together(doubling.answer)
    assert await asyncio.gather(*map(together.ask, (1, 2, 3))) == [2, 4, 6]
    assert await together.ask(4) == 8
    assert doubling.asked == [[1, 2, 3], [4]]


async def test_an_error_is_everybody_s_of_that_turn_and_nobody_s_of_the_next() -> None:
    together = Together(Doubling().answer)
    heard = await asyncio.gather(*map(together.ask, (1, 13)), return_exceptions=True)
    assert [str(error) for error in heard] == ["the disk is full"] * 2
    assert await together.ask(2) == 4


async def test_whoever_stops_listening_takes_nothing_from_the_others() -> None:
    together = Together(Doubling().answer)
    first, second = (asyncio.create_task(together.ask(number)) for number in (1, 2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 4
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_claims_of_one_turn_keep_their_owners_and_their_order(queue: TaskQueue) -> None:
    for issue in range(1, 4):
        await queue.submit(wish(issue, of=issue))
    owners = ("ann/1", "ben/1", "cid/1", "dan/1")
    *tasks, last = await asyncio.gather(*map(queue.claim, owners))
    assert [task.issue for task in tasks if task] == [1, 2, 3]
    assert last is None
    (given_back,) = await queue.release_boot("ben", "2")
    assert given_back.issue == 2
