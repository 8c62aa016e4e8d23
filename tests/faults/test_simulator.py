"""The simulator keeps its promises: green on the whole house, red on one that lacks a protection.

`python -m tests.faults --histories 10000` lives through as many histories as anybody wants.
"""

import itertools
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from tests.faults.history import Told, tell
from tests.faults.house import Protections
from tests.faults.many import Sum
from tests.faults.mutations import WITHOUT
from tests.faults.plan import Plan, drawn
from tests.faults.points import POINTS, Stop
from tests.faults.table import ENOUGH, verdict
from tests.faults.wire import Trouble

#: With FAULTS=all every crash point and every write; else an even spread that CI has time for.
ALL = os.environ.get("FAULTS") == "all"
STRIDE = 1 if ALL else 16
SECONDS = 600.0 if ALL else 20.0  #: of random histories
DISPATCH = "^POST .*/dispatches$"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without the bot's log, which would be most of a failure's text."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def undisturbed() -> Told:
    """A history in which nothing goes wrong."""
    return tell(Plan(seed=1))


def at(point: str, phase: str, what: str) -> int:
    """The number of a crash point, by its name, in the undisturbed history."""
    return undisturbed().reached.index((point, phase, what)) + 1


def plan_against(protection: str) -> Plan:
    """Trouble that this protection is there for."""
    match protection:
        case "the fence check":
            stop = Stop(at=at("after_claim", "E2E_TEST_GENERATION", ""), freeze_s=150.0)
            return Plan(seed=1, stops=[stop])
        case "the signal before the park":
            stop = Stop(at=at("before_advance", "STAGING_DEPLOYMENT", "wait"), hold_s=100.0)
            return Plan(seed=1, stops=[stop])
        case _:
            lost = Trouble(kind="502 after", where=DISPATCH)
            return Plan(seed=1, troubles=[lost], lag_s=45.0)


@pytest.mark.parametrize("protection", WITHOUT)
def test_without_one_protection_the_simulator_is_red(protection: str) -> None:
    plan = plan_against(protection)
    assert tell(plan).problems == [], "the whole house comes through"
    assert tell(plan, WITHOUT[protection]).problems != [], f"nobody missed {protection}"


def test_a_seed_tells_the_same_story_again() -> None:
    one, other = tell(drawn(7)), tell(drawn(7))
    assert one.reached == other.reached
    assert one.hits == other.hits
    assert one.simulated_s == pytest.approx(other.simulated_s)


def test_an_undisturbed_history_passes_every_kind_of_crash_point() -> None:
    told = undisturbed()
    assert told.outcomes == Counter({"COMPLETED": 1})
    assert {point for point, _, _ in told.reached} == set(POINTS)


def test_a_fault_that_never_strikes_fails_the_whole_run() -> None:
    total = Sum(histories=ENOUGH, outcomes=Counter({"COMPLETED": ENOUGH}))
    assert "'502 after' has never struck" in verdict(total)


@pytest.mark.slow
def test_random_histories_keep_every_promise() -> None:
    until, total = time.monotonic() + SECONDS, Sum()
    for seed in itertools.count(1):
        total.add(tell(drawn(seed)))
        if time.monotonic() > until:
            break
    assert [(told.plan.seed, told.problems) for told in total.failed] == []


@pytest.mark.slow
@pytest.mark.parametrize("freeze_s", [0.0, 150.0], ids=["killed", "frozen"])
def test_a_process_may_end_or_freeze_at_any_point_of_a_task(freeze_s: float) -> None:
    names = undisturbed().reached
    for number, name in list(enumerate(names, start=1))[::STRIDE]:
        told = tell(Plan(seed=1, stops=[Stop(at=number, freeze_s=freeze_s)]))
        assert told.problems == [], f"stopped at {number}: {name}"
        assert told.outcomes == Counter({"COMPLETED": 1}), f"stopped at {number}: {name}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["502 after", "reset after", "504 after", "HTML with 200 after"])
def test_any_write_may_be_applied_and_never_answered(kind: str) -> None:
    for nth in range(1, 30, 1 if ALL else 7):
        lost = Trouble(kind=kind, where="^(POST|PUT|PATCH|DELETE) (?!.*access_tokens)", nth=nth)
        told = tell(Plan(seed=1, troubles=[lost], lag_s=10.0))
        assert told.problems == [], f"write {nth}, {kind}"
        assert told.outcomes == Counter({"COMPLETED": 1}), f"write {nth}, {kind}"


def test_protections_are_whole_unless_one_is_taken_away() -> None:
    whole = Protections()
    assert all(broken != whole for broken in WITHOUT.values())
