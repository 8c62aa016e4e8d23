"""The simulator keeps its promises: green on the whole house, red on one that lacks a protection.

`python -m tests.faults --histories 10000` lives through as many histories as anybody wants.
"""

import functools
import itertools
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog

from bot.github.git import Git
from bot.timetable import FIRST_SWEEP_S
from bot.workflow.comparing import SETTLED_S
from tests.faults.history import Told, tell
from tests.faults.house import Protections
from tests.faults.many import Sum, run
from tests.faults.meddling import Act, Meddling
from tests.faults.mutations import WITHOUT
from tests.faults.plan import Plan, drawn
from tests.faults.points import POINTS, Stop
from tests.faults.simgit import SimGit
from tests.faults.table import ENOUGH, verdict
from tests.faults.weather import Kind, Storm
from tests.faults.wire import Trouble

#: With FAULTS=all every crash point and every write; else an even spread that CI has time for.
ALL = os.environ.get("FAULTS") == "all"
STRIDE = 1 if ALL else 41
SECONDS = 600.0 if ALL else 10.0  #: of random histories
UNANSWERED = ["502 after", "reset after", "504 after", "HTML with 200 after"]
DISPATCH = "^POST .*/dispatches$"
DISTURBED = 306  #: a seed with trouble, and soon told
QUEUED_AND_GONE = 300_030  #: one whose frozen process wakes, queues an approved task, and is killed


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without the bot's log, which would be most of a failure's text."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@functools.cache
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
        case "the snapshot":
            return Plan(seed=1, meddling=Meddling(act=Act.EDITED, at_s=30.0))
        case _:
            lost = Trouble(kind="502 after", where=DISPATCH)
            return Plan(seed=1, troubles=[lost], lag_s=45.0)


@pytest.mark.parametrize("protection", WITHOUT)
def test_without_one_protection_the_simulator_is_red(protection: str) -> None:
    plan = plan_against(protection)
    assert tell(plan).problems == [], "the whole house comes through"
    assert tell(plan, WITHOUT[protection]).problems != [], f"nobody missed {protection}"


def test_a_seed_tells_the_same_story_again() -> None:
    plan = Plan(seed=7, stops=[Stop(at=60)], drop=0.2, duplicate=0.3, delay_s=20.0, lag_s=2.0)
    one, other = tell(plan), tell(plan)
    assert one.reached == other.reached
    assert one.hits == other.hits
    assert one.simulated_s == pytest.approx(other.simulated_s)


@pytest.mark.slow
def test_a_seed_tells_the_same_story_in_any_process() -> None:
    one, other = (next(run([DISTURBED])) for _ in range(2))
    assert one.journal == other.journal
    assert one.trace == other.trace, "every call, at the same instant"
    assert one.simulated_s == other.simulated_s


def test_an_issue_that_is_deleted_while_no_delivery_arrives_comes_to_rest() -> None:
    deleted = Meddling(act=Act.DELETED, at_s=1100.0)  # after the second sweep
    told = tell(Plan(seed=1, deaf_s=3600.0, meddling=deleted))
    assert told.problems == []
    assert told.outcomes == Counter({"CANCELLED": 1})


def test_an_issue_that_nobody_may_open_yet_is_opened_later() -> None:
    told = tell(Plan(seed=1, issues=2, meddling=Meddling(act=Act.ARCHIVED, at_s=11.0)))
    assert told.problems == []
    assert told.outcomes == Counter({"COMPLETED": 2})


def test_a_picture_that_nobody_lets_us_hang_is_not_offered_for_ever() -> None:
    told = tell(Plan(seed=1, meddling=Meddling(act=Act.LOCKED, at_s=4.0)))
    assert told.problems == [], "it is locked before there is a comment"


def test_an_issue_that_is_locked_before_its_first_comment_is_finished_all_the_same() -> None:
    told = tell(Plan(seed=1, automatic=True, meddling=Meddling(act=Act.LOCKED, at_s=4.0)))
    assert told.problems == []
    assert told.outcomes == Counter({"COMPLETED": 1})


@pytest.mark.parametrize("act", [Act.TRANSFERRED, Act.UNLABELED, Act.CLOSED])
def test_a_wish_that_was_taken_back_before_it_was_heard_is_no_task(act: Act) -> None:
    late = Plan(seed=1, reorder=1.0, duplicate=1.0, delay_s=300.0)
    told = tell(replace(late, meddling=Meddling(act=act, at_s=8.0)))
    assert told.problems == []
    assert told.outcomes.total() == 0


def test_a_label_whose_delivery_was_lost_is_found_a_minute_after_the_first_sweep() -> None:
    told = tell(Plan(seed=1, deaf_s=3 * FIRST_SWEEP_S))  # what is sent again is lost, too
    began_s = float(told.journal[1].split()[0])
    assert FIRST_SWEEP_S < began_s < FIRST_SWEEP_S + SETTLED_S + 5


def test_what_a_process_has_queued_that_ends_at_once_is_claimed_by_the_other() -> None:
    told = next(run([QUEUED_AND_GONE]))
    assert told.problems == []
    assert told.outcomes == Counter({"COMPLETED": 1})


def test_an_undisturbed_history_passes_every_kind_of_crash_point() -> None:
    told = undisturbed()
    assert told.outcomes == Counter({"COMPLETED": 1})
    assert {point for point, _, _ in told.reached} == set(POINTS)


def test_a_text_that_was_edited_while_deliveries_were_lost_waits_for_a_new_label() -> None:
    edited = Meddling(act=Act.EDITED, at_s=7.0)
    told = tell(Plan(seed=1, deaf_s=3600.0, meddling=edited))
    assert told.problems == []
    assert told.outcomes == Counter({"COMPLETED": 1})


@pytest.mark.slow
@pytest.mark.parametrize("kind", Kind)
def test_what_troubles_everybody_passes_and_a_lost_dispatch_is_found_again(kind: Kind) -> None:
    lost = Trouble(kind="502 after", where=DISPATCH)
    told = tell(Plan(seed=1, storms=[Storm(kind=kind, at_s=30.0)], troubles=[lost]))
    assert told.problems == []
    assert told.outcomes == Counter({"COMPLETED": 1})


@pytest.mark.slow
@pytest.mark.parametrize("act", Act)
def test_whatever_people_do_in_the_middle_of_a_task_ends_well(act: Act) -> None:
    told = tell(Plan(seed=1, meddling=Meddling(act=act, at_s=70.0)))
    assert told.problems == []
    assert told.hits[f"people: {act}"] == 1


@pytest.mark.slow
def test_a_step_that_ends_the_process_every_time_is_given_up_and_the_others_go_on() -> None:
    poison = Stop(place="after_claim E2E_TEST_GENERATION", times=5)
    told = tell(Plan(seed=1, issues=2, stops=[poison]))
    assert told.problems == []
    assert told.hits["people: a task is tried again"] > 0
    assert told.outcomes == Counter({"COMPLETED": 2}), "a person has it tried again"


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
@pytest.mark.parametrize("kind", UNANSWERED)
def test_any_write_may_be_applied_and_never_answered(kind: str) -> None:
    first, step = (1, 1) if ALL else (1 + 4 * UNANSWERED.index(kind), 16)
    for nth in range(first, 30, step):
        lost = Trouble(kind=kind, where="^(POST|PUT|PATCH|DELETE) (?!.*access_tokens)", nth=nth)
        told = tell(Plan(seed=1, troubles=[lost], lag_s=10.0))
        assert told.problems == [], f"write {nth}, {kind}"
        assert told.outcomes == Counter({"COMPLETED": 1}), f"write {nth}, {kind}"


def test_the_simulated_git_answers_every_question_that_the_bots_own_does() -> None:
    asked = {name for name in dir(Git) if not name.startswith("_")}
    missing = asked - vars(SimGit).keys() - {"mirror_path", "head"}
    assert missing == set(), "it would start a process on mirrors that are not there"


def test_protections_are_whole_unless_one_is_taken_away() -> None:
    whole = Protections()
    assert all(broken != whole for broken in WITHOUT.values())
