"""Where a verdict leads, over the whole product of phases and outcomes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import Bounds, Cursor, Outcome, Phase, Status, Verdict
from bot.workflow.flow import ORDER, TERMINAL, exhausted, follow, status_at

WORK = [p for p in ORDER if p not in TERMINAL]


def verdict(outcome: Outcome, to: Phase | None = None) -> Verdict:
    return Verdict(outcome=outcome, summary="", to=to)


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.SKIP])
def test_passing_every_phase_leads_through_all_seven_in_order(outcome: Outcome) -> None:
    at, seen = Cursor(), [Cursor().phase]
    while at.phase not in TERMINAL:
        at = follow(at, verdict(outcome))
        seen.append(at.phase)
    assert tuple(seen) == ORDER


@pytest.mark.parametrize(("phase", "outcome"), list(itertools.product(Phase, Outcome)), ids=str)
def test_every_phase_and_outcome_has_its_place(phase: Phase, outcome: Outcome) -> None:
    at = Cursor(phase=phase, turn=2)
    to = follow(at, verdict(outcome))
    if phase in TERMINAL or outcome is Outcome.WAIT:
        assert to == at
    elif outcome in (Outcome.PASS, Outcome.SKIP):
        assert (to.phase, to.turn) == (ORDER[ORDER.index(phase) + 1], 1)
    elif outcome is Outcome.AGAIN:
        assert (to.phase, to.turn) == (phase, 3)
    elif outcome is Outcome.BACK:
        assert (to.phase, to.round, to.turn) == (Phase.CODE_IMPLEMENTATION, 2, 1)
    else:
        assert to.phase is Phase.FAILED


def test_the_last_round_sent_back_ends_in_failed() -> None:
    at = Cursor(phase=Phase.GUARDIAN_REVIEW, round=3)
    assert follow(at, verdict(Outcome.BACK), Bounds(rounds=3)).phase is Phase.FAILED
    assert exhausted(at, verdict(Outcome.BACK), Bounds(rounds=3))
    assert not exhausted(at, verdict(Outcome.FAIL), Bounds(rounds=3))


def test_going_back_to_staging_is_a_new_attempt_and_not_a_new_round() -> None:
    at = Cursor(phase=Phase.PRODUCTION_DEPLOYMENT, round=2)
    back = follow(at, verdict(Outcome.BACK, Phase.STAGING_DEPLOYMENT))
    assert (back.phase, back.round, back.attempt) == (Phase.STAGING_DEPLOYMENT, 2, 2)


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Outcome)), st.sampled_from([None, *WORK])), max_size=400
    )
)
def test_no_workflow_goes_on_for_ever(steps: list[tuple[Outcome, Phase | None]]) -> None:
    at, moves = Cursor(), 0
    for outcome, to in steps:
        moved = follow(at, verdict(outcome, to))
        moves += moved != at
        at = moved
    bounds = Bounds()
    assert moves <= bounds.rounds * bounds.attempts * bounds.turns * len(ORDER)


def test_a_status_says_what_the_queue_does_next() -> None:
    assert status_at(Cursor(phase=Phase.COMPLETE), verdict(Outcome.PASS)) is Status.COMPLETED
    assert status_at(Cursor(phase=Phase.FAILED), verdict(Outcome.FAIL)) is Status.FAILED
    assert status_at(Cursor(), verdict(Outcome.WAIT)) is Status.WAITING
    assert status_at(Cursor(), verdict(Outcome.AGAIN)) is Status.RUNNING
