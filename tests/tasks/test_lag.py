"""How late the event loop is, as the scaler hears of it."""

import asyncio
import time

import pytest

from bot.tasks.lag import BEAT_S, Lag
from bot.tasks.scaling import LAG_ROOM_S, LAG_SHORT_S

from .making import Clock


async def beats(lag: Lag, clock: Clock, *late_s: float) -> float:
    """What the lag is said to be after beats that were so late, each by itself."""
    await lag.beat()
    for each in late_s:
        clock.goes_on(BEAT_S + each)
        await lag.beat()
    return lag.take()


async def test_a_loop_that_keeps_stalling_is_late() -> None:
    clock = Clock()
    lag = Lag(clock)
    assert await beats(lag, clock, *[0.8] * 5) == pytest.approx(0.8)
    assert lag.take() == 0.0, "what was taken is not told again"


async def test_a_loop_that_stood_still_for_most_of_the_time_is_short_of_it() -> None:
    clock = Clock()
    assert await beats(Lag(clock), clock, 0.0, 0.0, 0.0, 3.75) > LAG_SHORT_S


async def test_one_hiccup_among_many_beats_is_no_reason() -> None:
    clock = Clock()
    assert await beats(Lag(clock), clock, *[0.0] * 16, 0.8) < LAG_ROOM_S


async def test_a_loop_that_nothing_holds_up_is_on_time() -> None:
    clock = Clock()
    assert await beats(Lag(clock), clock, *[0.0] * 8) == 0.0


async def test_a_real_loop_that_is_blocked_is_told_of() -> None:
    lag = Lag()
    await lag.beat()
    for _ in range(3):
        asyncio.get_running_loop().call_soon(time.sleep, 3 * BEAT_S)
        await asyncio.sleep(BEAT_S)
        await lag.beat()
    assert lag.take() > BEAT_S
