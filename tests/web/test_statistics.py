"""The statistics page shows what the store holds, in its plots and in words beside them."""

import random
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from html import unescape

import httpx
import pytest

from bot.domain import Status
from bot.tasks.trend import QUEUE_DEPTH
from bot.web.statistics_page import DAYS, ENDS
from bot.workflow.purse import SCOPE
from tests.web.house import START, House

DAY_S = 86_400.0


def rows_of(page: str, table: str) -> list[list[str]]:
    """The cells of a table of the page, as a reader hears them."""
    body = page.partition(f'id="{table}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [[unescape(cell) for cell in re.findall(r"<t[hd][^>]*>([^<]*)<", row)] for row in rows]


def day_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


@pytest.mark.parametrize("seed", range(3))
async def test_ends_and_costs_are_those_of_the_store_day_by_day(
    house: House, client: httpx.AsyncClient, seed: int
) -> None:
    chance = random.Random(seed)
    ended: Counter[tuple[str, Status]] = Counter()
    spent: defaultdict[str, float] = defaultdict(float)
    for n in range(40):
        house.clock.at = START - chance.random() * (DAYS + 9) * DAY_S
        task, status = await house.add(issue=n + 1), chance.choice(ENDS)
        await house.put(task, status=status)
        ended[day_of(house.clock.at), status] += 1
        usd = chance.randint(1, 400) / 100
        await house.lasting.spend(SCOPE, usd)
        spent[day_of(house.clock.at)] += usd
    house.clock.at = START
    shown = [day_of(START - back * DAY_S) for back in range(DAYS)]
    page = (await client.get("/statistics")).text
    assert rows_of(page, "ended-table") == [
        [day, *(str(ended[day, status]) for status in ENDS)]
        for day in shown
        if any(ended[day, status] for status in ENDS)
    ]
    assert rows_of(page, "spent-table") == [
        [day, f"${spent[day]:.2f}"] for day in shown if day in spent
    ]
    boxes = re.findall(r"<title>(\S+): (\d+) (\w+)</title>", page)
    drawn = {(day, Status(word.upper())): int(n) for day, n, word in boxes}
    assert drawn == {key: n for key, n in ended.items() if key[0] in shown}


async def test_one_sample_is_too_few_for_a_line_and_two_are_told_in_words(
    house: House, client: httpx.AsyncClient
) -> None:
    await house.lasting.sample(QUEUE_DEPTH, 4.0)
    assert "too few samples for a line" in (await client.get("/statistics")).text
    house.clock.at += 300
    await house.lasting.sample(QUEUE_DEPTH, 1.0)
    page = (await client.get("/statistics")).text
    assert "1 at the last look, 4 at the most (2023-11-14 22:13:20 UTC)" in page


async def test_the_pool_shows_its_size_its_reason_and_how_both_came_about(
    house: House, client: httpx.AsyncClient
) -> None:
    assert "5 slots, always." in (await client.get("/statistics")).text
    house.pool.bounds = (3, 10)
    await house.slots.look()
    house.clock.at += 60
    house.pool.resize(7, "6 tasks wait and the machine has room")
    await house.slots.look()
    page = (await client.get("/statistics")).text
    assert "7 slots, between 3 and 10: 6 tasks wait and the machine has room." in page
    assert "5 to 7 slots, at most 0 in use" in page
    [change] = rows_of(page, "changes")
    assert change[1:] == ["5\xa0→\xa07", "6 tasks wait and the machine has room"]
