"""What each phase has taken and cost, as the API shows it beside the task."""

from collections.abc import Sequence

from pydantic import BaseModel

from bot.domain import JournalLine, Phase, Task
from bot.web.shapes import TaskOut, Tokens, task_out
from bot.workflow.report.costs import phase_cost


class PhaseOut(BaseModel):
    """One phase, all rounds together. A cost that nobody knows is null."""

    phase: str
    steps: int
    seconds: float
    requests: int
    tokens: Tokens
    cost_usd: float | None
    cost_complete: bool  #: false: some of its requests have no known price


class TaskDetail(TaskOut):
    """A task with its phases, in the order in which they are gone through."""

    phases: list[PhaseOut]


def task_detail(task: Task, journal: Sequence[JournalLine], *, position: int | None) -> TaskDetail:
    """The task and the phases that it has been at."""
    seen = [phase for phase in Phase if any(line.phase is phase for line in journal)]
    out = task_out(task, position=position)
    return TaskDetail(**out.model_dump(), phases=[_phase_out(phase, journal) for phase in seen])


def _phase_out(phase: Phase, journal: Sequence[JournalLine]) -> PhaseOut:
    lines = [line for line in journal if line.phase is phase]
    cost = phase_cost(phase, lines)
    return PhaseOut(
        phase=phase,
        steps=len(lines),
        seconds=round(sum(line.seconds for line in lines), 3),
        requests=cost.spend.requests,
        tokens=Tokens(input=cost.spend.input_tokens, output=cost.spend.output_tokens),
        cost_usd=cost.spend.cost_usd,
        cost_complete=cost.complete,
    )
