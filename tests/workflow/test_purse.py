"""The day's money."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain import WaitFor
from bot.errors import Parked
from bot.tasks.lasting import Lasting
from bot.tasks.sqlite import SqliteStore
from bot.workflow.purse import Purse

NOON = 43_200.0
MIDNIGHT = 86_400.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "chimera.db")
    yield opened
    await opened.close()


async def test_the_day_is_over_when_its_money_is_spent_and_begins_anew_at_midnight(
    store: SqliteStore,
) -> None:
    at = NOON
    purse = Purse(lasting=Lasting(store, lambda: at), now=lambda: at, daily_usd=1.0)
    await purse.check()
    await purse.paid(0.6)
    await purse.check()
    await purse.paid(0.6)
    with pytest.raises(Parked, match=r"\$1.20 of today's \$1.00") as parked:
        await purse.check()
    assert (parked.value.on, parked.value.retry_at) == (WaitFor.BUDGET, MIDNIGHT)
    at = MIDNIGHT
    await purse.check()


async def test_without_a_limit_and_without_a_price_nothing_is_refused(store: SqliteStore) -> None:
    purse = Purse(lasting=Lasting(store, lambda: NOON), now=lambda: NOON, daily_usd=None)
    await purse.paid(None)
    await purse.paid(100.0)
    await purse.check()
