"""What becomes of a task whose step broke: another try, a wait for what is down, a person, DEAD."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.settings import Settings
from bot.domain import Cause, Outcome, Phase, RepoRef, StepResult, Task, WaitFor
from bot.errors import (
    BadOutput,
    ConfigError,
    Deadline,
    MachineFailed,
    Parked,
    RateLimited,
    StepError,
    Transient,
    Uncertain,
)
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.workflow.breakers import OPENS_AFTER, Breakers
from bot.workflow.trouble import Retries, Triage
from tests.tasks.making import Clock

HUB = RepoRef(id=7, owner="ada", name="shop", installation_id=5)
TASK = Task(id="chimera-1", feature="f", title="t", repo=HUB)
LAST = replace(TASK, tries=2)  #: at its third try
DOWN = Transient("502")


@dataclass
class Desk:
    """A triage with its breakers, on a real store."""

    triage: Triage
    breakers: Breakers
    clock: Clock

    async def says(self, task: Task, *errors: Exception) -> StepResult:
        """What the last of these errors means."""
        results = [await self.triage.answer(task, error) for error in errors]
        return results[-1]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = Clock()
    store = await SqliteStore.open(tmp_path / "chimera.db")
    breakers = Breakers(Lasting(store, clock), clock)
    triage = Triage(queue=TaskQueue(store, clock), now=clock, breakers=breakers)
    yield Desk(triage, breakers, clock)
    await store.close()


def wait_of(result: StepResult) -> WaitFor:
    assert result.verdict.wait is not None, result.verdict
    return result.verdict.wait.on


# ── tries ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [DOWN, Deadline("slow"), BadOutput("no JSON"), ValueError("x")])
async def test_a_passing_failure_is_tried_again_at_a_time_in_the_row(
    desk: Desk, error: Exception
) -> None:
    result = await desk.says(TASK, error)
    wait = result.verdict.wait
    assert wait is not None
    assert wait.on is WaitFor.RETRY
    assert wait.until is not None
    assert desk.clock() + 0.5 <= wait.until <= desk.clock() + 1.0


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (DOWN, Cause.TRANSIENT),
        (MachineFailed("git ended with 128"), Cause.TRANSIENT),
        (Deadline("slow"), Cause.TIMEOUT),
        (BadOutput("no JSON"), Cause.BAD_OUTPUT),
        (ValueError("x"), Cause.BUG),
    ],
)
async def test_the_last_try_ends_with_the_cause_where_only_this_task_fails(
    desk: Desk, error: Exception, cause: Cause
) -> None:
    verdict = (await desk.says(LAST, error)).verdict
    assert (verdict.outcome, verdict.cause) == (Outcome.FAIL, cause)
    assert "3 tries" in verdict.summary


async def test_who_says_when_to_come_again_is_taken_at_its_word(desk: Desk) -> None:
    later = desk.clock() + 120
    for error in (RateLimited("slow down", retry_at=later), Transient("503", retry_at=later)):
        wait = (await desk.says(TASK, error)).verdict.wait
        assert wait is not None
        assert wait.until == later


@given(st.integers(1, 1000), st.floats(0, 1))
def test_a_pause_doubles_with_jitter_and_never_exceeds_the_longest(
    tries: int, chance: float
) -> None:
    retries = Retries(tries=3, first_s=1.0, longest_s=30.0)
    whole = min(30.0, 2.0 ** min(tries - 1, 30))
    assert whole / 2 <= retries.delay_s(tries, chance) <= whole


def test_each_phase_can_have_its_own_tries() -> None:
    settings = Settings.model_validate(
        {
            "retries": {"longest_s": 60},
            "phase_retries": {"STAGING_DEPLOYMENT": {"tries": 7, "first_s": 5}},
        }
    )
    usual = settings.retries_of(Phase.CODE_IMPLEMENTATION)
    staging = settings.retries_of(Phase.STAGING_DEPLOYMENT)
    assert (usual.tries, usual.first_s, usual.longest_s) == (3, 1.0, 60)
    assert (staging.tries, staging.first_s, staging.longest_s) == (7, 5, 60)


async def test_the_triage_asks_for_the_tries_of_the_phase(desk: Desk) -> None:
    patient = replace(desk.triage, retries_of=lambda _: Retries(tries=4))
    assert wait_of(await patient.answer(LAST, BadOutput("no JSON"))) is WaitFor.RETRY


# ── what is down for everybody ───────────────────────────────────────────────────────────────


async def test_what_fails_for_everybody_is_waited_for_instead_of_ending_the_task(
    desk: Desk,
) -> None:
    await desk.says(TASK, *[DOWN] * (OPENS_AFTER - 1))
    result = await desk.says(LAST, DOWN)
    assert wait_of(result) is WaitFor.BREAKER
    assert "resumes by itself" in result.verdict.summary
    assert result.verdict.cause is Cause.TRANSIENT


async def test_an_unanswered_write_counts_like_an_unanswered_read(desk: Desk) -> None:
    unanswered = Parked(WaitFor.QUIET, "looking for it first", until=desk.clock() + 60)
    unanswered.__cause__ = Uncertain("504")
    for _ in range(OPENS_AFTER):
        assert wait_of(await desk.says(TASK, unanswered)) is WaitFor.QUIET
    assert await desk.breakers.open_until("github:5") is not None


@pytest.mark.parametrize("error", [MachineFailed("git ended with 128"), ValueError("x")])
async def test_trouble_of_this_machine_says_nothing_about_the_hub(
    desk: Desk, error: Exception
) -> None:
    await desk.says(TASK, *[error] * OPENS_AFTER)
    assert await desk.breakers.open_until("github:5") is None


async def test_an_error_that_its_breaker_has_heard_of_is_not_told_again(desk: Desk) -> None:
    failing = StepError("503")
    failing.cause, failing.dependency, failing.counted = Cause.TRANSIENT, "model:openai", True
    await desk.says(TASK, *[failing] * OPENS_AFTER)
    assert await desk.breakers.open_until("model:openai") is None


async def test_each_dependency_has_a_breaker_of_its_own(desk: Desk) -> None:
    failing = StepError("502")
    failing.cause, failing.dependency = Cause.TRANSIENT, "actions:ada/shop"
    await desk.says(TASK, *[failing] * OPENS_AFTER)
    assert await desk.breakers.open_until("actions:ada/shop") is not None
    assert await desk.breakers.open_until("github:5") is None


# ── what a person has to mend ────────────────────────────────────────────────────────────────


async def test_a_broken_configuration_waits_for_a_person_with_its_cause(desk: Desk) -> None:
    result = await desk.says(TASK, ConfigError("chimera.yml:3: unknown key"))
    assert (wait_of(result), result.verdict.cause) == (WaitFor.CONFIGURATION, Cause.CONFIG)
