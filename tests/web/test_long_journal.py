"""A task of many steps: its page stays small and quick, and every step can be looked at."""

import asyncio
import re
import time

import httpx

from bot.domain import Cursor, JournalLine, Outcome, Phase
from bot.web.gantt import chart
from bot.web.task_page import DRAWN, SHOWN
from tests.web.house import START, House

STEPS = 2 * SHOWN + 150


def step(task_id: str, at: int) -> JournalLine:
    return JournalLine(
        task_id=task_id,
        n=0,
        phase=Phase.CODE_IMPLEMENTATION,
        cursor=Cursor(phase=Phase.CODE_IMPLEMENTATION),
        outcome=Outcome.AGAIN,
        summary=f"try {at}",
        started_at=START + at * 15,
        seconds=5.0,
    )


def numbers(page: str) -> list[int]:
    return [int(n) for n in re.findall(r'<li id="step-(\d+)">', page)]


async def test_a_long_journal_is_shown_from_its_end_and_leafed_back(
    house: House, client: httpx.AsyncClient
) -> None:
    task = await house.add(issue=1)
    lines = (step(task.id, n) for n in range(STEPS))
    await asyncio.gather(*(house.queue.change(task.id, lambda t: t, line=one) for one in lines))
    address, seen = f"/tasks/{task.id}", list[int]()
    while address:
        page = (await client.get(address)).text
        assert len(numbers(page)) <= SHOWN
        assert f'Journal <span class="count">{STEPS}</span>' in page
        assert page.count("<rect") <= DRAWN
        seen = numbers(page) + seen
        link = re.search(r'href="(\?before=\d+)#journal"', page)
        address = f"/tasks/{task.id}{link[1]}" if link else ""
    assert seen == list(range(1, STEPS + 1))
    assert f"the last {DRAWN} of {STEPS} steps" in page
    for odd in ("0", "1", "-3", "x", "9" * 40, "²"):
        answer = await client.get(f"/tasks/{task.id}", params={"before": odd})
        assert answer.status_code == 200


def test_ten_times_the_steps_take_about_ten_times_as_long_to_draw() -> None:
    def drawn(number: int) -> float:
        lines = [step("t", n) for n in range(number)]
        began = time.process_time()
        assert chart(lines) is not None
        return time.process_time() - began

    few, many = min(drawn(400) for _ in range(5)), min(drawn(4000) for _ in range(3))
    assert many < 40 * few, "four times the ten that are due; a hundred would be quadratic"
