"""Tasks and journals as the executor leaves them."""

from dataclasses import replace

from bot.domain import (
    Cause,
    Cursor,
    JournalLine,
    Outcome,
    Phase,
    RepoRef,
    Status,
    Task,
    Wait,
    WaitFor,
)
from bot.facts import Deployment, Facts, Finding, FrozenFile, Proof, Spend
from bot.workflow.report.view import Links, View
from bot.workflow.report.words import WORKING_PHASES

T0 = 1_795_348_800.0  #: 2026-11-22 12:00:00 UTC
SHA = "3f9c2ab0" * 5
KEY = b"a key for tests"
PHASES = WORKING_PHASES
PAGE = "https://bot.test/tasks/chimera-01JD"

RED = Proof(command="pytest -q tests/e2e", sha="b" * 40, exit_code=1, failed=2, log="2 failed")
GREEN = Proof(command="pytest -q tests/e2e", sha=SHA, exit_code=0, passed=2, log="2 passed")
SAID = {
    Phase.E2E_TEST_GENERATION: "2 written, fail on `main` as they must",
    Phase.CODE_IMPLEMENTATION: "2 tests pass, 148 others still pass",
    Phase.GUARDIAN_REVIEW: "Approved",
    Phase.STAGING_DEPLOYMENT: "`3f9c2ab` is live",
    Phase.E2E_VALIDATION: "2 tests pass on staging",
    Phase.PRODUCTION_DEPLOYMENT: "`3f9c2ab` is live at https://shop.test",
}


def line(
    n: int, phase: Phase, outcome: Outcome, summary: str = "", seconds: float = 130.0
) -> JournalLine:
    """The n-th step, each beginning ten minutes after the one before."""
    return JournalLine(
        task_id="chimera-01JD",
        n=n,
        phase=phase,
        cursor=Cursor(phase=phase),
        outcome=outcome,
        summary=summary or SAID.get(phase, "Done"),
        started_at=T0 + 600 * (n - 1),
        seconds=seconds,
    )


def passed(*phases: Phase) -> tuple[JournalLine, ...]:
    return tuple(line(n, phase, Outcome.PASS) for n, phase in enumerate(phases, 1))


def facts(**changes: object) -> Facts:
    base = Facts(
        base_ref="main",
        branch="chimera/7-logout",
        tests=(FrozenFile(path="tests/e2e/test_logout.py", sha256="0" * 64),),
        red=RED,
        green=(GREEN,),
        head_sha=SHA,
        pull=12,
        staging=Deployment(
            name="staging/1.1",
            environment="staging",
            sha=SHA,
            run_url="https://github.com/acme/shop/actions/runs/88",
            url="https://staging.test",
        ),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # any of its members


def task(status: Status, phase: Phase, **changes: object) -> Task:
    base = Task(
        id="chimera-01JD",
        feature="Add logout",
        title="Add logout",
        repo=RepoRef(id=1, owner="acme", name="shop"),
        issue=7,
        requester="ada",
        status=status,
        cursor=Cursor(phase=phase),
        facts=facts(),
        spend=Spend(requests=9, input_tokens=4000, output_tokens=500, cost_usd=0.84),
        created_at=T0,
        started_at=T0,
        finished_at=T0 + 4000 if status.ended else None,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # any of its members


def view(of: Task, journal: tuple[JournalLine, ...] = (), **changes: object) -> View:
    base = View(task=of, journal=journal, links=Links(task_page=PAGE), hmac_key=KEY)
    return replace(base, **changes)  # type: ignore[arg-type]  # any of its members


def waiting(on: WaitFor, phase: Phase, reason: str = "because") -> View:
    """Parked in `phase`, with everything before it passed."""
    done = passed(*PHASES[: PHASES.index(phase)])
    parked = line(len(done) + 1, phase, Outcome.WAIT, reason, 3)
    until = None if on.needs_person else T0 + 9000
    wait = Wait(on=on, reason=reason, until=until)
    return view(task(Status.WAITING, phase, wait=wait), (*done, parked))


def running(phase: Phase) -> View:
    return view(task(Status.RUNNING, phase), passed(*PHASES[: PHASES.index(phase)]))


def completed() -> View:
    done = task(Status.COMPLETED, Phase.COMPLETE, summary="Live in production")
    live = Deployment(
        name="production/1.1", environment="production", sha=SHA, url="https://shop.test"
    )
    kept = replace(done.facts, production=live, merge_sha="c" * 40, validation=GREEN)
    return view(replace(done, facts=kept), passed(*PHASES))


def failed(phase: Phase, cause: Cause, status: Status = Status.FAILED) -> View:
    """Ended at `phase`; the cursor then only says FAILED."""
    done = passed(*PHASES[: PHASES.index(phase)])
    last = line(len(done) + 1, phase, Outcome.FAIL, "It went wrong")
    at = Phase.FAILED if status is Status.FAILED else phase
    return view(task(status, at, cause=cause, summary="It went wrong"), (*done, last))


FINDINGS = (
    Finding(path="shop/auth.py", line=14, severity="blocker", body="The session stays. cc @ada"),
    Finding(path="shop/auth.py", line=20, severity="nit", body="A long name"),
    Finding(path="", line=0, severity="warning", body="No test for a double logout"),
)
