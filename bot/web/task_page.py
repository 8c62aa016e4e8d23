"""The page of one task: what it waits for, its phases, what proves it, what it did step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from bot.domain import JournalLine, Outcome, Phase, Status, Task
from bot.facts import Proof
from bot.tasks.views import Lane
from bot.web import hints
from bot.web.acting import offered
from bot.web.call import Call
from bot.web.estimates import left
from bot.web.frame import frame
from bot.web.gantt import chart
from bot.web.queued import held_up
from bot.web.render import OUTCOME_ICONS, STATUS_ICONS, page
from bot.web.steps import steps
from bot.web.transcripts import runs_of
from bot.workflow.commands import PHASE_WORDS
from bot.workflow.report.costs import phase_cost, price
from bot.workflow.report.words import WORKING_PHASES

SHOWN = 200  #: lines of the journal on one page; of a long one the last ones
DRAWN = 500  #: steps in the picture, which is about a thousand points wide
_MAX_DIGITS = 10
_HERE = {  # what is said of the phase that a task is in
    Status.QUEUED: (STATUS_ICONS[Status.QUEUED], "in the queue"),
    Status.RUNNING: (STATUS_ICONS[Status.RUNNING], "now"),
    Status.WAITING: (STATUS_ICONS[Status.WAITING], "waiting"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """A phase as the task's table shows it."""

    phase: Phase
    icon: str
    words: str
    steps: int
    seconds: float
    tokens: str  #: empty where no model was asked; so is the cost
    cost: str


async def task_page(call: Call) -> Response:
    """Everything about one task."""
    task = await call.task()
    lines = await call.parts.queue.journal(task.id)
    shown = _part(lines, call.request.query_params.get("before", ""))
    queue, queued = call.parts.queue, task.status is Status.QUEUED
    lane = await queue.lane(task.repo) if queued else Lane()
    return page(
        "task.html",
        **frame(call, hints=hints.address(call, task.id), moves=not task.status.ended),
        task=task,
        lines=shown,
        steps_taken=len(lines),
        drawn=min(len(lines), DRAWN),
        earlier=shown[0].n if shown and shown[0].n > lines[0].n else None,
        phases=phase_rows(task, lines),
        steps=steps(task),
        chart=chart(lines[-DRAWN:], task, call.parts.now()),
        proofs=proofs(task),
        position=await queue.position(task.id) if queued else None,
        held_up=held_up(task, lane, call.parts.now()) if queued else "",
        eta=left(task, await queue.pace_of(task.repo)),
        hub=call.parts.settings.hub_html_url.rstrip("/"),
        offers=await offered(call, task),
        phase_words=PHASE_WORDS,
        runs=await runs_of(call, task.id),
    )


def _part(lines: Sequence[JournalLine], before: str) -> Sequence[JournalLine]:
    """The last lines, or those before the step of this number."""
    if before.isascii() and before.isdigit() and len(before) < _MAX_DIGITS:
        lines = [line for line in lines if line.n < int(before)]
    return lines[-SHOWN:]


def phase_rows(task: Task, lines: Sequence[JournalLine]) -> list[PhaseRow]:
    """The six phases: what the last step of each said, and what all of its steps took."""
    return [
        _phase_row(task, phase, [line for line in lines if line.phase is phase])
        for phase in WORKING_PHASES
    ]


def proofs(task: Task) -> list[tuple[str, Proof]]:
    """Every test run that was kept, by what it shows."""
    facts = task.facts
    named = [
        ("Red: the new tests on the unchanged base", facts.red),
        *((f"Green: {proof.command}", proof) for proof in facts.green),
        ("Validation on staging", facts.validation),
        ("Validation on production", facts.production_validation),
    ]
    return [(name, proof) for name, proof in named if proof is not None]


def _phase_row(task: Task, phase: Phase, lines: Sequence[JournalLine]) -> PhaseRow:
    here = task.phase is phase and not task.status.ended
    icon, words = ("○", "not yet")
    if lines:
        icon, words = OUTCOME_ICONS[lines[-1].outcome], _said(lines[-1])
    if here:
        icon, words = _HERE[task.status]
    used = phase_cost(phase, lines)
    spend = used.spend
    return PhaseRow(
        phase=phase,
        icon=icon,
        words=words,
        steps=len(lines),
        seconds=sum(line.seconds for line in lines),
        tokens=f"{spend.input_tokens + spend.output_tokens:,}" if spend.requests else "",
        cost=price(spend, complete=used.complete) if spend.requests else "",
    )


def _said(line: JournalLine) -> str:
    word = "skipped" if line.outcome is Outcome.SKIP else line.outcome.value
    return f"{word}: {line.summary}"
