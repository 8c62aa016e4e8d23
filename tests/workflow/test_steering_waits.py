"""What a task waits for people is no work: it never uses up the task's own time."""

import pytest

from bot.config.choices import Verb
from bot.domain import Actor, Bounds, Phase, RepoRef, Status, Task, Wait, WaitFor
from bot.domain import Cursor as At
from bot.facts import Facts
from bot.workflow.commands import Command
from bot.workflow.sent_back import reviewed_again, sent_back
from bot.workflow.steering import steered

DAY_S = 86_400.0
ADA = Actor(login="ada", id=1)


def parked(on: WaitFor = WaitFor.APPROVAL) -> Task:
    """A task that waits for a person since instant 1000, and has waited for 50 s before."""
    return Task(
        id="t",
        feature="f",
        title="f",
        repo=RepoRef(id=1, owner="octo", name="shop"),
        issue=1,
        status=Status.WAITING,
        cursor=At(phase=Phase.PRODUCTION_DEPLOYMENT),
        wait=Wait(on=on, reason="approve it", since=1000.0),
        facts=Facts(head_sha="a" * 40, pull=2, waited_s=50.0),
    )


@pytest.mark.parametrize("verb", [Verb.APPROVE, Verb.RETRY])
def test_a_command_counts_what_the_task_has_waited_for_it(verb: Verb) -> None:
    after = steered(
        parked(), Command(verb=verb, phase=Phase.E2E_TEST_GENERATION), ADA, 1000.0 + DAY_S
    )
    assert after.facts.waited_s == 50.0 + DAY_S


def test_a_review_that_sends_the_work_back_counts_it_too() -> None:
    after = sent_back(parked(), ["please"], (), Bounds(), 1000.0 + DAY_S)
    assert after.facts.waited_s == 50.0 + DAY_S


def test_a_push_of_a_person_counts_it_too() -> None:
    assert reviewed_again(parked(), 1000.0 + DAY_S).facts.waited_s == 50.0 + DAY_S


def test_a_wait_for_a_machine_is_work() -> None:
    after = steered(
        parked(WaitFor.RUN),
        Command(verb=Verb.RETRY, phase=Phase.E2E_TEST_GENERATION),
        ADA,
        1000.0 + DAY_S,
    )
    assert after.facts.waited_s == 50.0
