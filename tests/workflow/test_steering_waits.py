"""What people do uses up none of what a task is allowed: its time is its steps and its waits for
machines that work for it, its attempts are those that nobody asked for.
"""

from dataclasses import replace

import pytest

from bot.config.choices import Verb
from bot.config.repo import RepoConfig
from bot.domain import (
    Actor,
    Bounds,
    Cause,
    Outcome,
    Phase,
    RepoRef,
    Status,
    Task,
    Verdict,
    Wait,
    WaitFor,
)
from bot.domain import Cursor as At
from bot.facts import Facts
from bot.workflow.commands import Command
from bot.workflow.flow import bounds_of, follow
from bot.workflow.sent_back import reviewed_again, sent_back
from bot.workflow.steering import steered, worked

DAY_S = 86_400.0
ADA = Actor(login="ada", id=1)
RETRY = Command(verb=Verb.RETRY, phase=Phase.E2E_TEST_GENERATION)
MACHINES = {WaitFor.RETRY, WaitFor.QUIET, WaitFor.RUN, WaitFor.CI, WaitFor.MERGE_QUEUE}


def parked(on: WaitFor, until: float | None = None) -> Task:
    """A task that waits since instant 1000, and has worked for 50 s before."""
    return Task(
        id="t",
        feature="f",
        title="f",
        repo=RepoRef(id=1, owner="octo", name="shop"),
        issue=1,
        status=Status.WAITING,
        cursor=At(phase=Phase.PRODUCTION_DEPLOYMENT),
        wait=Wait(on=on, reason="approve it", since=1000.0, until=until),
        facts=Facts(head_sha="a" * 40, pull=2, worked_s=50.0),
    )


@pytest.mark.parametrize("on", list(WaitFor))
def test_waits_for_people_other_issues_limits_and_what_is_down_are_no_work(on: WaitFor) -> None:
    counted = DAY_S if on in MACHINES else 0.0
    assert worked(parked(on), 1000.0 + DAY_S).facts.worked_s == 50.0 + counted


def test_a_server_that_was_down_over_a_deadline_has_not_worked_meanwhile() -> None:
    assert worked(parked(WaitFor.RUN, until=1300.0), 1000.0 + DAY_S).facts.worked_s == 350.0


def test_a_wait_that_a_person_ends_is_counted_once() -> None:
    for after in (
        steered(parked(WaitFor.RUN), RETRY, ADA, 1060.0),
        sent_back(parked(WaitFor.RUN), ["please"], (), Bounds(), 1060.0),
        reviewed_again(parked(WaitFor.RUN), 1060.0),
    ):
        assert after.facts.worked_s == 110.0
        assert after.wait is None


def test_who_asks_for_another_go_gives_it_the_time() -> None:
    over = parked(WaitFor.RUN)
    ended = Task(
        id=over.id, feature="f", title="f", status=Status.FAILED, cause=Cause.BUDGET,
        cursor=At(phase=Phase.FAILED), facts=over.facts,
    )  # fmt: skip
    assert steered(ended, RETRY, ADA, 2000.0).facts.worked_s == 0.0


def test_what_people_push_and_retry_uses_up_no_attempt_of_the_task_s_own() -> None:
    task = parked(WaitFor.APPROVAL)
    for n in range(Bounds().attempts):
        task = reviewed_again(
            replace(task, status=Status.WAITING, wait=parked(WaitFor.RUN).wait), n
        )
    task = steered(replace(task, status=Status.DEAD), RETRY, ADA, 2000.0)
    moved = Verdict(outcome=Outcome.BACK, summary="the base moved", to=Phase.STAGING_DEPLOYMENT)
    at = replace(task.cursor, phase=Phase.PRODUCTION_DEPLOYMENT)
    for _ in range(Bounds().attempts - 1):
        at = follow(at, moved, bounds_of(RepoConfig(), task.facts.attempts_given))
        assert at.phase is Phase.STAGING_DEPLOYMENT
    assert (
        follow(at, moved, bounds_of(RepoConfig(), task.facts.attempts_given)).phase is Phase.FAILED
    )
