"""`/events`: a page hears that something changed which it may show, and nothing more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from bot.tasks.changes import KEPT, Changes
from bot.web.events import MAX_STREAMS, rung
from tests.web.house import OTHER, House
from tests.web.serving import serving

DEADLINE_S = 15.0


class Ear:
    """An open stream, read event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str]:
        """The next event or comment, as its fields."""
        found: dict[str, str] = {}
        async with asyncio.timeout(DEADLINE_S):
            async for line in self._lines:
                name, _, value = line.partition(":")
                if line:
                    found[name] = value.strip()
                elif found:
                    return found
        raise AssertionError("the stream has ended")

    async def changed(self) -> dict[str, str]:
        """The next hint."""
        while "event" not in (told := await self.next()):
            pass
        return told


@asynccontextmanager
async def listening(house: House, query: str = "", **headers: str) -> AsyncIterator[Ear]:
    async with (
        serving(house) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        client.stream("GET", f"/events{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        yield Ear(answer)


def seen(house: House) -> str:
    return f"?since={house.queue.bells.changes.last}"


async def test_a_hint_names_the_task_and_says_nothing_about_it(house: House) -> None:
    async with listening(house, seen(house)) as ear:
        assert (await ear.next())["retry"]
        task = await house.add("A secret title", issue=1)
        told = await ear.changed()
    assert told == {"id": told["id"], "event": "changed", "data": task.id}


async def test_what_changed_before_the_stream_was_open_is_not_missed(house: House) -> None:
    before = seen(house)
    task = await house.add(issue=1)
    async with listening(house, before) as ear:
        assert (await ear.changed())["data"] == task.id


async def test_a_browser_that_comes_back_goes_on_where_it_was(house: House) -> None:
    async with listening(house, seen(house)) as ear:
        await house.add(issue=1)
        first = await ear.changed()
    second = await house.add("Another", issue=2)
    async with listening(house, "?since=1", **{"last-event-id": first["id"]}) as ear:
        assert (await ear.changed())["data"] == second.id


@pytest.mark.parametrize("since", ["", "?since=", "?since=1", "?since=x", "?since=" + "9" * 30])
async def test_a_page_of_another_process_is_told_to_look_at_once(house: House, since: str) -> None:
    async with listening(house, since) as ear:
        assert (await ear.changed())["data"] == "several"


async def test_the_page_of_one_task_hears_of_that_one_only(house: House) -> None:
    mine, other = await house.add(issue=1), await house.add(issue=2)
    async with listening(house, f"{seen(house)}&task={mine.id}") as ear:
        await house.put(other, priority=1)
        await house.put(mine, priority=2)
        assert (await ear.changed())["data"] == mine.id


async def test_a_token_for_one_repository_hears_nothing_of_another(house: House) -> None:
    token = await house.tokens.create("shop", scopes=("read",), repos=(7,))
    async with listening(house, seen(house), authorization=f"Bearer {token}") as ear:
        await house.add("theirs", repo=OTHER, issue=1)
        mine = await house.add("mine", issue=1)
        assert (await ear.changed())["data"] == mine.id


async def test_nobody_hears_who_was_not_let_in(house: House, client: httpx.AsyncClient) -> None:
    await house.tokens.create("ops", scopes=("read",))
    assert (await client.get("/events")).headers["location"].startswith("/sign-in")


async def test_streams_are_bounded_and_a_refusal_says_when_to_come_again(
    house: House, client: httpx.AsyncClient
) -> None:
    house.queue.bells.changes.listeners = MAX_STREAMS
    assert (await client.get("/events")).status_code == 503


async def test_a_stream_that_ends_is_not_counted_any_more(house: House) -> None:
    changes = house.queue.bells.changes
    async with listening(house) as ear:
        await ear.next()
        assert changes.listeners == 1
    async with asyncio.timeout(DEADLINE_S):
        while changes.listeners:  # noqa: ASYNC110 - a counter, not an event
            await asyncio.sleep(0.01)


async def test_many_changes_at_once_share_a_hint(house: House) -> None:
    before = seen(house)
    for number in range(30):
        await house.add(f"Task {number}", issue=number + 1)
    async with listening(house, before) as ear:
        assert (await ear.changed())["data"] == "several"


async def test_a_stream_without_news_gives_a_sign_of_life() -> None:
    bell = asyncio.Event()
    assert not await rung(bell, 0.01), "the time is over: a comment goes out"
    bell.set()
    assert await rung(bell, DEADLINE_S)


def test_who_is_too_far_behind_cannot_be_told_what_changed() -> None:
    changes = Changes()
    start = changes.last
    assert changes.since(start) == set()
    changes.ring(["a", "b"])
    assert changes.since(start) == {"a", "b"}
    assert changes.since(start + 1) == {"b"}
    assert changes.since(start + 3) is None
    changes.ring(str(n) for n in range(KEPT))
    assert changes.since(start) is None
    assert changes.since(changes.last - 1) == {str(KEPT - 1)}


def test_numbers_of_two_processes_do_not_meet() -> None:
    numbers: set[Any] = {Changes().last for _ in range(20)}
    assert len(numbers) == 20
