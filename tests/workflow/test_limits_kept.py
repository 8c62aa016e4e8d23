"""A limit that GitHub has named is kept by whoever is started next on this store."""

import asyncio
import time
from pathlib import Path

import pytest

from bot.app import House
from bot.domain import RepoRef
from bot.errors import RateLimited
from bot.github.repo import Repo
from bot.workflow.sharing import LIMITS
from tests.hubhouse import Ground, ground_at

DEADLINE_S = 30.0
AHEAD_S = 3300


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": str(AHEAD_S)},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + AHEAD_S)},
    ],
    ids=["retry-after", "x-ratelimit-reset"],
)
async def test_a_limit_outlives_the_process_that_was_told(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    ground = ground_at(tmp_path)
    ground.hub.faults.add("GET", "/issues/1$", status=403, headers=headers, body={"message": "no"})
    async with ground.house() as house:
        living = asyncio.create_task(house.daemon.run())
        told = await _is_refused(house, ground)
        async with asyncio.timeout(DEADLINE_S):
            while await house.lasting.value(LIMITS) is None:  # noqa: ASYNC110 - a sweep writes it
                await asyncio.sleep(0.01)
        living.cancel()  # it is told nothing, and says no farewell
        await asyncio.gather(living, return_exceptions=True)
    asked = len(ground.hub.calls)
    async with ground.house() as house:
        assert await _is_refused(house, ground) == told
    assert len(ground.hub.calls) == asked, "nothing was sent"


async def _is_refused(house: House, ground: Ground) -> float:
    repo = house.contexts.repo(_ref(ground))
    assert isinstance(repo, Repo)
    with pytest.raises(RateLimited) as refused:
        await repo.issue(1)
    assert refused.value.retry_at is not None
    return refused.value.retry_at


def _ref(ground: Ground) -> RepoRef:
    return RepoRef(
        id=ground.repository.id,
        owner="ada",
        name=ground.repository.name,
        installation_id=ground.installation,
    )
