"""A wait is shown while it lasts; the step that it has led to runs, and waits for nothing."""

import httpx
import pytest

from bot.domain import Status, Wait, WaitFor
from tests.web.house import START, House

LIMIT = Wait(on=WaitFor.RATE_LIMIT, reason="GitHub's limit of this hour", until=START + 60)


async def shown(client: httpx.AsyncClient, task_id: str) -> tuple[object, list[str]]:
    """The wait as the API has it, and the pages as text."""
    answer = (await client.get(f"/api/tasks/{task_id}")).json()["wait"]
    return answer, [(await client.get(path)).text for path in (f"/tasks/{task_id}", "/")]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.QUEUED])
async def test_a_task_that_waits_no_more_does_not_say_so(house: House, status: Status) -> None:
    task = await house.add(issue=1)
    await house.put(task, status=Status.WAITING, wait=LIMIT)
    async with house.client() as client:
        answer, pages = await shown(client, task.id)
        assert answer is not None
        assert all("limit of this hour" in page for page in pages)
        await house.put(task, status=status)
        answer, pages = await shown(client, task.id)
    assert answer is None
    assert not any("limit of this hour" in page for page in pages)
