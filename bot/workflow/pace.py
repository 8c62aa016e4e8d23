"""How much work is left of a task, by what its repository's past says. Pure."""

from bot.domain import Phase
from bot.tasks.statistics import Pace
from bot.workflow.flow import ORDER

MIN_HISTORY = 5  #: tasks that were in a phase, before an estimate of it is worth anything


def work_from(phase: Phase, pace: Pace) -> tuple[float, float] | None:
    """Seconds of work from this phase to the end, as often (p50) and nearly always (p90) before.

    None where there is no work any more, or the past says too little.
    """
    ahead = ORDER[ORDER.index(phase) : -1] if phase in ORDER else ()
    known = [pace[one] for one in ahead if one in pace]
    if not known or min(one.n for one in known) < MIN_HISTORY:
        return None
    return sum(one.p50_s for one in known), sum(one.p90_s for one in known)
