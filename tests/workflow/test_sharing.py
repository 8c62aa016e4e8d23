"""Two machines on one store keep one pace."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.effects import EffectKind
from bot.errors import RateLimited
from bot.github.client import GitHub
from bot.github.governor import CREATIONS_A_MINUTE
from bot.tasks.lasting import Breaker, BreakerState, Lasting
from bot.tasks.ledger import Ledger, Place
from bot.tasks.sqlite import SqliteStore
from bot.workflow.breakers import Breakers
from bot.workflow.sharing import Sharing
from tests.github.wire import PEM

NOW = 1_800_000_000.0


def clock() -> float:
    return NOW


class Machine:
    def __init__(self, store: SqliteStore) -> None:
        self.github = GitHub(app_id=1, private_key=PEM, now=clock, write_spacing_s=0.0)
        self.lasting = Lasting(store, clock)
        self.ledger = Ledger(store, clock)
        self.breakers = Breakers(self.lasting, clock)
        self.sharing = Sharing(
            github=self.github,
            ledger=self.ledger,
            lasting=self.lasting,
            breakers=self.breakers,
            now=clock,
        )


@pytest.fixture
async def machines(tmp_path: Path) -> AsyncIterator[tuple[Machine, Machine]]:
    store = await SqliteStore.open(tmp_path / "chimera.db")
    one, two = Machine(store), Machine(store)
    async with one.github, two.github:
        yield one, two
    await store.close()


async def test_what_one_has_created_counts_for_the_other(
    machines: tuple[Machine, Machine],
) -> None:
    one, two = machines
    for n in range(CREATIONS_A_MINUTE):
        key = f"t/label_add/{n}"
        place = Place(installation_id=7, repo_id=1, issue=0)
        await one.ledger.intend(key, "t", EffectKind.LABEL_ADD, None, "", place=place)
        await one.ledger.sent(key, None)
    await two.sharing.look()
    with pytest.raises(RateLimited, match="our own limit"):
        async with two.github._governor(7).write(creates=True):
            pass


async def test_a_limit_that_one_was_told_is_kept_by_the_other(
    machines: tuple[Machine, Machine],
) -> None:
    one, two = machines
    one.github.hold_back(7, NOW + 600)
    await one.sharing.look()
    await two.sharing.look()
    assert two.github.limits()[7] == NOW + 600


async def test_a_breaker_that_one_has_opened_holds_the_other_back(
    machines: tuple[Machine, Machine],
) -> None:
    one, two = machines
    assert await two.breakers.open_until("github:7") is None
    await one.lasting.save_breaker(
        Breaker(
            name="github:7",
            state=BreakerState.OPEN,
            failures=3,
            changed_at=NOW,
            probe_at=NOW + 60,
            reason="504",
        )
    )
    await two.sharing.look()
    assert await two.breakers.open_until("github:7") == NOW + 60
