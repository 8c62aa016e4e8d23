import pytest

from bot.errors import NotFound
from bot.tasks.lasting import Breaker, BreakerState, Lasting
from bot.tasks.queue import TaskQueue
from bot.tasks.store import Store
from bot.tasks.tokens import Tokens

from .making import Clock, wish


@pytest.fixture
def lasting(store: Store, clock: Clock) -> Lasting:
    return Lasting(store, clock)


async def test_a_breaker_lets_one_probe_through(lasting: Lasting, clock: Clock) -> None:
    breaker = Breaker(
        name="github:1",
        state=BreakerState.OPEN,
        failures=5,
        changed_at=clock.at,
        probe_at=clock.at + 30,
        reason="502",
    )
    await lasting.save_breaker(breaker)
    assert await lasting.breaker("github:1") == breaker
    assert not await lasting.take_probe("github:1", stale_s=60)
    clock.goes_on(30)
    assert await lasting.take_probe("github:1", stale_s=60)
    assert not await lasting.take_probe("github:1", stale_s=60)
    clock.goes_on(60)
    probes = [await lasting.take_probe("github:1", stale_s=60) for _ in range(3)]
    assert probes == [True, False, False], "one probe follows the one that never came back"
    assert [b.state for b in await lasting.breakers()] == [BreakerState.HALF_OPEN]


async def test_a_day_has_its_own_budget(lasting: Lasting, clock: Clock) -> None:
    assert await lasting.spend("repo:1", 1.5) == 1.5
    assert await lasting.spend("repo:1", 2.0) == 3.5
    assert await lasting.spent("repo:2") == 0.0
    clock.goes_on(86_400)
    assert await lasting.spent("repo:1") == 0.0


async def test_notes_samples_and_transcripts_are_kept(
    lasting: Lasting, queue: TaskQueue, clock: Clock
) -> None:
    assert await lasting.value("cursor") is None
    await lasting.put("cursor", "1")
    await lasting.put("cursor", "2")
    assert await lasting.value("cursor") == "2"
    start = clock.at
    for value in (1.0, 2.0):
        await lasting.sample("depth", value)
        clock.goes_on(60)
    assert await lasting.samples("depth", start) == [(start, 1.0), (start + 60, 2.0)]
    await lasting.forget_samples(start + 60)
    assert await lasting.samples("depth", 0.0) == [(start + 60, 2.0)]
    task, _ = await queue.submit(wish(1))
    await lasting.save_transcript(task.id, "run-1", "coder", "[]")
    assert await lasting.transcripts(task.id) == {"run-1": "[]"}


async def test_a_token_is_known_by_its_hash_until_it_ends(store: Store, clock: Clock) -> None:
    tokens = Tokens(store, clock)
    short = await tokens.create("ci", scopes=("read",), repos=(1, 2), expires_at=clock.at + 60)
    clock.goes_on(1)
    long = await tokens.create("ann", scopes=("read", "write"))
    found = await tokens.find(short)
    assert found is not None
    assert (found.name, found.scopes, found.repos) == ("ci", ("read",), (1, 2))
    assert await tokens.find(short + "x") is None
    clock.goes_on(60)
    assert await tokens.find(short) is None
    kept = await tokens.find(long)
    assert kept is not None
    await tokens.revoke(kept.id)
    assert await tokens.find(long) is None
    with pytest.raises(NotFound):
        await tokens.revoke(kept.id)
    kept_of_it = await store.read(lambda tx: tx.all("SELECT sha256 FROM api_token"))
    assert short not in [row["sha256"] for row in kept_of_it]
    assert [token.name for token in await tokens.all()] == ["ci", "ann"]
