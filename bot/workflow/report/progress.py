"""The journal folded into one row a phase: what table, timeline and checks have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain import JournalLine, Outcome, Phase, Status, Task
from bot.workflow.report.words import WORKING_PHASES


class State(StrEnum):
    """What a phase looks like."""

    PENDING = "pending"  #: not begun, or to be done again
    RUNNING = "running"  #: a worker is at it
    WAITING = "waiting"  #: begun, and parked
    PASSED = "passed"  #: reached its goal
    SKIPPED = "skipped"  #: does not apply here; never shown as passed
    SENT_BACK = "sent_back"  #: sent the work back; to be done again
    FAILED = "failed"  #: where the task ended
    STOPPED = "stopped"  #: where a person ended it


ICONS = {
    State.PENDING: "⚪",
    State.RUNNING: "🔵",
    State.WAITING: "⏸",
    State.PASSED: "✅",
    State.SKIPPED: "⏭️",
    State.SENT_BACK: "⚪",
    State.FAILED: "❌",
    State.STOPPED: "⚪",
}


@dataclass(slots=True, kw_only=True)
class Row:
    """One phase as it stands."""

    phase: Phase
    state: State = State.PENDING
    summary: str = ""  #: foreign text: goes through `neutral` before it is shown
    seconds: float = 0.0  #: of work, all rounds together; waiting is not work
    since: float | None = None  #: when the present go at it began

    @property
    def over(self) -> bool:
        return self.state in {State.PASSED, State.SKIPPED, State.FAILED}


def rows(task: Task, journal: Sequence[JournalLine]) -> dict[Phase, Row]:
    """One row for each of the six working phases, in their order."""
    table = {phase: Row(phase=phase) for phase in WORKING_PHASES}
    worked = [line for line in journal if line.phase in table]
    led_to = [*(line.phase for line in worked[1:]), task.phase]
    for line, to in zip(worked, led_to, strict=False):
        _fold(table, line, to)
    _overlay(table, task, journal)
    return table


def stopped_at(task: Task, journal: Sequence[JournalLine]) -> Phase:
    """The working phase where the task stands, or where it ended."""
    if task.phase in WORKING_PHASES:
        return task.phase
    worked = [line.phase for line in journal if line.phase in WORKING_PHASES]
    if task.phase is Phase.COMPLETE or not worked:
        return WORKING_PHASES[-1] if worked else WORKING_PHASES[0]
    return worked[-1]


def skipped(table: Mapping[Phase, Row]) -> list[Phase]:
    """The phases that did not apply."""
    return [row.phase for row in table.values() if row.state is State.SKIPPED]


def _fold(table: dict[Phase, Row], line: JournalLine, to: Phase) -> None:
    """One line of the journal; `to` is where the task stood after it."""
    row = table[line.phase]
    row.seconds += line.seconds
    row.summary = line.summary
    if row.since is None:
        row.since = line.started_at
    match line.outcome:
        case Outcome.PASS:
            row.state = State.PASSED
            _reset_after(table, line.phase)
        case Outcome.SKIP:
            row.state = State.SKIPPED
            _reset_after(table, line.phase)
        case Outcome.BACK:
            _reset_between(table, to, line.phase)
            row.state = State.SENT_BACK
        case Outcome.FAIL:
            row.state = State.FAILED
        case Outcome.AGAIN | Outcome.WAIT:
            row.state = State.PENDING


def _reset_after(table: dict[Phase, Row], phase: Phase) -> None:
    """What later phases said was about an earlier change."""
    later = WORKING_PHASES[WORKING_PHASES.index(phase) + 1 :]
    for other in later:
        _again(table[other])


def _reset_between(table: dict[Phase, Row], first: Phase, last: Phase) -> None:
    """What has to be done again; nothing when the task ended instead."""
    if first in WORKING_PHASES:
        begin, end = WORKING_PHASES.index(first), WORKING_PHASES.index(last)
        for phase in WORKING_PHASES[begin:end]:
            _again(table[phase])


def _again(row: Row) -> None:
    row.state, row.summary, row.since = State.PENDING, "", None


def _overlay(table: dict[Phase, Row], task: Task, journal: Sequence[JournalLine]) -> None:
    """What the row of the task says goes before what the journal said last."""
    here = table[stopped_at(task, journal)]
    if task.phase is not Phase.COMPLETE:
        _to_be_done(table, here.phase, ended=task.status.ended)
    match task.status:
        case Status.RUNNING:
            here.state = State.RUNNING
            here.since = here.since if here.since is not None else _now_begun(task, journal)
        case Status.WAITING:
            here.state = State.WAITING
            here.summary = task.wait.reason if task.wait is not None else here.summary
        case Status.FAILED | Status.DEAD:
            here.state = State.FAILED
            here.summary = task.summary or here.summary
        case Status.CANCELLED if here.state not in {State.PASSED, State.SKIPPED}:
            here.state = State.STOPPED
            here.summary = task.summary
        case Status.QUEUED | Status.COMPLETED | Status.CANCELLED:
            pass


def _to_be_done(table: dict[Phase, Row], at: Phase, *, ended: bool) -> None:
    """A person can send work back between two steps; what was said then speaks of before."""
    begin = WORKING_PHASES.index(at)
    if not ended and table[at].over:
        _again(table[at])
    for phase in WORKING_PHASES[begin + 1 :]:
        if table[phase].state is not State.SENT_BACK:
            _again(table[phase])


def _now_begun(task: Task, journal: Sequence[JournalLine]) -> float:
    """When the present step began, as well as the row tells."""
    if journal:
        return journal[-1].started_at + journal[-1].seconds
    return task.started_at if task.started_at is not None else task.created_at
