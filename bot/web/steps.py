"""Where a task stands among its six working phases. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain import Phase, Status, Task
from bot.workflow.flow import TERMINAL
from bot.workflow.report.words import TITLES, WORKING_PHASES


class Mark(StrEnum):
    """What a phase's bar says."""

    AHEAD = "ahead"
    PASS = "pass"
    SKIP = "skip"
    NOW = "now"
    WAIT = "wait"
    FAIL = "fail"


_HERE = {Status.RUNNING: Mark.NOW, Status.WAITING: Mark.WAIT, Status.QUEUED: Mark.AHEAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One phase of a task."""

    name: str
    mark: Mark


def steps(task: Task) -> tuple[Step, ...]:
    """The six phases in their order."""
    at = len(WORKING_PHASES)
    if task.status is not Status.COMPLETED:
        at = WORKING_PHASES.index(reached(task))
    skipped = {said.partition(":")[0] for said in task.facts.skipped}
    marks = (_mark(task, phase, n - at, skipped) for n, phase in enumerate(WORKING_PHASES))
    return tuple(
        Step(name=TITLES[phase], mark=mark)
        for phase, mark in zip(WORKING_PHASES, marks, strict=True)
    )


def reached(task: Task) -> Phase:
    """The working phase that a task is in, or that it ended in."""
    if task.phase not in TERMINAL:
        return task.phase
    facts = task.facts
    done = (
        bool(facts.test_sha),
        bool(facts.green),
        bool(facts.reviewed_sha) and facts.reviewed_sha == facts.head_sha,
        facts.staging is not None and facts.staging.state == "success",
        bool(facts.validated_sha) and facts.validated_sha == facts.head_sha,
        False,
    )
    return WORKING_PHASES[done.index(False)]


def _mark(task: Task, phase: Phase, from_here: int, skipped: set[str]) -> Mark:
    if from_here < 0:
        return Mark.SKIP if phase in skipped else Mark.PASS
    if from_here > 0:
        return Mark.AHEAD
    return _HERE.get(task.status, Mark.FAIL)
