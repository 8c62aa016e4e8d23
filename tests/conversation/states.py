"""Tasks as a conversation finds them: one for every status, and for every wait that matters."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.domain import Cause, Cursor, Phase, Status, Task, Wait, WaitFor
from bot.facts import Deployment, Facts, FrozenFile, Proof

Change = Callable[[Task], Task]

TEST = FrozenFile(path="tests/e2e/test_wish.py", sha256="0" * 64)


def states(sha: str) -> Mapping[str, Change]:
    """By name, what makes a new task one of this state; `sha` is a commit that the hub has."""
    tested = Facts(
        base_ref="main",
        base_sha=sha,
        branch="chimera/1-a-wish",
        tests=(TEST,),
        test_sha=sha,
        head_sha=sha,
    )
    green = Proof(command="pytest", sha=sha, exit_code=0, passed=1)
    coded = replace(tested, green=(green,), pull=9999, pull_node="PR_1")
    reviewed = replace(coded, reviewed_sha=sha)
    staging = Deployment(name="staging/1.1", environment="staging", sha=sha, state="success")
    staged = replace(reviewed, staging=staging)
    valid = replace(staged, validation=green, validated_sha=sha)
    live = replace(staging, name="production/1.1", environment="production")
    done = replace(valid, merge_sha=sha, production=live, rollback_sha="a" * 40)
    e2e, code, review, stage, production = (
        Phase.E2E_TEST_GENERATION,
        Phase.CODE_IMPLEMENTATION,
        Phase.GUARDIAN_REVIEW,
        Phase.STAGING_DEPLOYMENT,
        Phase.PRODUCTION_DEPLOYMENT,
    )
    return {
        "queued": lambda task: task,
        "running": _at(code, tested, Status.RUNNING),
        "run": _waits(stage, reviewed, WaitFor.RUN),
        "approval": _waits(production, valid, WaitFor.APPROVAL),
        "decision": _waits(e2e, Facts(), WaitFor.DECISION),
        "relabel": _waits(e2e, Facts(), WaitFor.RELABEL),
        "budget": _waits(code, tested, WaitFor.BUDGET),
        "configuration": _waits(e2e, Facts(), WaitFor.CONFIGURATION),
        "environment": _waits(stage, reviewed, WaitFor.ENVIRONMENT),
        "access": _waits(code, tested, WaitFor.ACCESS),
        "paused": _waits(review, coded, WaitFor.PAUSED),
        "completed": _at(Phase.COMPLETE, done, Status.COMPLETED),
        "failed": _at(Phase.FAILED, reviewed, Status.FAILED, Cause.DEPLOY),
        "cancelled": _at(code, tested, Status.CANCELLED, Cause.PERSON),
        "dead": _at(stage, reviewed, Status.DEAD, Cause.TRANSIENT),
    }


def _at(phase: Phase, facts: Facts, status: Status, cause: Cause | None = None) -> Change:
    return lambda task: replace(
        task,
        cursor=Cursor(phase=phase),
        facts=facts,
        status=status,
        cause=cause,
        summary="As the test wants it",
    )


def _waits(phase: Phase, facts: Facts, on: WaitFor) -> Change:
    wait = Wait(on=on, reason="As the test wants it", key=f"key:{on}")
    put = _at(phase, facts, Status.WAITING)
    return lambda task: replace(put(task), wait=wait)
