"""The four checks: what each state shows, within GitHub's limits."""

from dataclasses import replace

import pytest

from bot.config.layers import load_repo_config
from bot.domain import Cause, Outcome, Phase, Status, WaitFor
from bot.facts import Facts, Finding
from bot.github.types import CheckStatus, Conclusion
from bot.workflow.commands import BUTTONS
from bot.workflow.report.check_words import MAX_ANNOTATIONS, MAX_TEXT
from bot.workflow.report.checks import (
    CHECKS,
    Draw,
    check_e2e,
    check_guardian,
    check_production,
    check_task,
    foreign_check,
)
from tests.words.scenes import (
    FINDINGS,
    GREEN,
    PHASES,
    RED,
    completed,
    facts,
    failed,
    line,
    passed,
    running,
    task,
    view,
    waiting,
)

SCENES = [
    *(running(phase) for phase in PHASES),
    *(waiting(on, phase) for on in WaitFor for phase in PHASES),
    *(failed(phase, Cause.TIMEOUT) for phase in PHASES),
    *(failed(phase, Cause.POISON, Status.DEAD) for phase in PHASES),
    *(view(task(Status.CANCELLED, p), passed(*PHASES[: PHASES.index(p)])) for p in PHASES),
    view(task(Status.QUEUED, PHASES[0])),
    completed(),
]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_picture_of_every_scene_is_one_that_github_takes(check: Draw) -> None:
    for scene in SCENES:
        seen = check(scene)
        assert (seen.conclusion is not None) == (seen.status is CheckStatus.COMPLETED)
        assert seen.title.strip()
        assert "`" not in seen.title  # GitHub shows a title as it is written
        assert seen.summary.strip()
        assert len(seen.title) <= 255
        assert max(len(seen.summary), len(seen.text)) <= MAX_TEXT
        assert len(seen.buttons) <= 3
        assert not seen.buttons or seen.status is CheckStatus.COMPLETED


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_nothing_spins_after_the_end(check: Draw) -> None:
    for scene in SCENES:
        if scene.task.status.ended:
            assert check(scene).status is CheckStatus.COMPLETED


@pytest.mark.parametrize("status", [Status.FAILED, Status.DEAD, Status.CANCELLED])
def test_a_review_that_was_never_reached_opens_no_gate(status: Status) -> None:
    """Branch protection lets "skipped" and "neutral" through."""
    scene = view(task(status, PHASES[1], cause=Cause.BUG), passed(PHASES[0]))
    for check in (check_guardian, check_e2e, check_production):
        assert check(scene).conclusion is Conclusion.CANCELLED


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_no_success_without_the_phase(check: Draw) -> None:
    for scene in SCENES:
        if scene.task.status is not Status.COMPLETED and scene.task.phase is PHASES[0]:
            assert check(scene).conclusion is not Conclusion.SUCCESS


def test_every_button_fits_and_is_a_command() -> None:
    buttons = {
        button for scene in SCENES for check in CHECKS.values() for button in check(scene).buttons
    }
    assert {button.identifier for button in buttons} == set(BUTTONS)
    for button in buttons:
        assert len(button.label) <= 20
        assert len(button.description) <= 40
        assert len(button.identifier) <= 20


@pytest.mark.parametrize("phase", PHASES)
def test_the_task_is_green_from_validation_on(phase: Phase) -> None:
    green = check_task(running(phase)).conclusion is Conclusion.SUCCESS
    assert green == (phase is Phase.PRODUCTION_DEPLOYMENT)


def test_the_required_check_does_not_wait_for_the_approval() -> None:
    seen = waiting(WaitFor.APPROVAL, Phase.PRODUCTION_DEPLOYMENT)
    assert check_task(seen).conclusion is Conclusion.SUCCESS
    assert check_task(seen).title == "Ready to merge"


def test_a_skipped_validation_is_named_beside_the_green() -> None:
    journal = (
        *passed(*PHASES[:3]),
        line(4, PHASES[3], Outcome.SKIP, "no workflow"),
        line(5, PHASES[4], Outcome.SKIP, "nothing is served"),
    )
    seen = view(task(Status.RUNNING, PHASES[5]), journal)
    assert check_task(seen).title == "Ready to merge · skipped: Staging and E2E validation"
    assert check_e2e(seen).conclusion is Conclusion.SKIPPED


def test_a_rejected_change_is_not_ready_and_a_merged_one_was() -> None:
    rejected = failed(Phase.PRODUCTION_DEPLOYMENT, Cause.PERSON)
    assert check_task(rejected).conclusion is Conclusion.FAILURE
    merged = replace(rejected.task, facts=facts(merge_sha="c" * 40))
    assert check_task(replace(rejected, task=merged)).conclusion is Conclusion.SUCCESS


@pytest.mark.parametrize("on", [on for on in WaitFor if on.needs_person])
def test_a_wait_for_a_person_is_a_completed_check(on: WaitFor) -> None:
    assert check_task(waiting(on, PHASES[1])).conclusion is Conclusion.ACTION_REQUIRED


def test_findings_become_annotations_at_their_lines() -> None:
    reviewed = facts(findings=FINDINGS, review_summary="One thing to mend.")
    journal = (*passed(*PHASES[:2]), line(3, PHASES[2], Outcome.BACK, "Changes requested: 1"))
    seen = check_guardian(view(task(Status.RUNNING, PHASES[1], facts=reviewed), journal))
    assert (seen.conclusion, seen.title) == (Conclusion.FAILURE, "Changes requested: 1")
    assert [(a.path, a.line, a.level) for a in seen.annotations] == [
        ("shop/auth.py", 14, "failure"),
        ("shop/auth.py", 20, "notice"),
    ]
    assert "@ada" not in seen.annotations[0].message
    assert "No test for a double logout" in seen.text
    assert [button.identifier for button in seen.buttons] == ["hand-over"], "it is at work again"


def test_a_new_round_begins_with_an_open_review() -> None:
    journal = (
        *passed(*PHASES[:2]),
        line(3, PHASES[2], Outcome.BACK, "Changes requested"),
        line(4, PHASES[1], Outcome.PASS),
    )
    seen = check_guardian(view(task(Status.RUNNING, PHASES[2]), journal))
    assert (seen.status, seen.conclusion) == (CheckStatus.IN_PROGRESS, None)


def test_a_check_that_asks_for_a_decision_says_so_and_has_its_button() -> None:
    seen = check_task(waiting(WaitFor.DECISION, PHASES[1]))
    assert seen.title.startswith("Waiting for you: a decision: because. Reply /chimera retry")
    assert [button.identifier for button in seen.buttons] == ["retry"]
    assert check_task(waiting(WaitFor.RELABEL, PHASES[1])).buttons == ()


def test_production_has_not_failed_when_the_work_is_sent_back_from_its_gate() -> None:
    journal = (*passed(*PHASES[:5]), line(6, PHASES[5], Outcome.BACK, "ada pushed 39fb2c6"))
    seen = check_production(view(task(Status.RUNNING, PHASES[2]), journal))
    assert (seen.conclusion, seen.title) == (Conclusion.NEUTRAL, "ada pushed 39fb2c6")
    assert "`chimera / task` says how it goes on" in seen.summary
    assert seen.buttons == ()


def test_a_gate_at_which_a_person_ended_the_task_is_cancelled_and_not_failed() -> None:
    said = "Cancelled by ada (pull request closed)"
    ended = replace(line(6, PHASES[5], Outcome.FAIL, said), cause=Cause.PERSON)
    of = task(Status.CANCELLED, PHASES[5], cause=Cause.PERSON, summary=said)
    seen = check_production(view(of, (*passed(*PHASES[:5]), ended)))
    assert (seen.conclusion, seen.title) == (Conclusion.CANCELLED, "Cancelled")
    assert seen.summary.startswith(f"{said}\n\n**Kept:** the branch")
    assert seen.buttons == ()


def huge() -> Facts:
    many = tuple(
        Finding(path="a.py", line=n, severity="nit", body="x" * 9000) for n in range(1, 400)
    )
    log = replace(RED, log="y" * 200_000)
    return facts(findings=many, review_summary="z" * 90_000, red=log, validation=log)


def test_too_much_is_cut_and_said_to_be() -> None:
    scene = view(task(Status.RUNNING, PHASES[5], facts=huge()), passed(*PHASES[:5]))
    seen = check_guardian(scene)
    assert len(seen.annotations) == MAX_ANNOTATIONS
    assert len(seen.text) <= MAX_TEXT
    assert seen.text.endswith("the rest is in the evidence.")
    assert len(check_e2e(scene).text) <= MAX_TEXT


def test_red_and_green_stand_side_by_side() -> None:
    scene = view(
        task(Status.RUNNING, PHASES[5], facts=facts(validation=GREEN)), passed(*PHASES[:5])
    )
    text = check_e2e(scene).text
    assert "### Red before the change: 0 passed, 2 failed, 0 errors, exit code 1" in text
    assert "### Now: 2 passed, 0 failed, 0 errors, exit code 0" in text


def test_the_approval_is_a_completed_run_with_two_buttons() -> None:
    seen = check_production(waiting(WaitFor.APPROVAL, Phase.PRODUCTION_DEPLOYMENT))
    assert (seen.status, seen.conclusion) == (CheckStatus.COMPLETED, Conclusion.ACTION_REQUIRED)
    assert [button.label for button in seen.buttons] == ["Approve deploy", "Reject"]
    assert "`3f9c2ab`" in seen.summary


def test_where_the_merge_decides_there_is_no_button_to_approve() -> None:
    config = load_repo_config([("x", b"deploy: {production: {approval: on-merge}}")]).config
    seen = replace(waiting(WaitFor.APPROVAL, Phase.PRODUCTION_DEPLOYMENT), config=config)
    assert [button.identifier for button in check_production(seen).buttons] == ["reject"]
    assert "approval counts" not in check_production(seen).summary


def test_a_pull_request_that_is_not_ours_is_never_blocked() -> None:
    seen = foreign_check()
    assert (seen.status, seen.conclusion) == (CheckStatus.COMPLETED, Conclusion.SUCCESS)
