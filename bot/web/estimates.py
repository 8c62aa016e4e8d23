"""How long something will take, from our own history; empty where that says too little. Pure."""

from bot.domain import Status, Task
from bot.tasks.statistics import History
from bot.workflow.report.words import WORKING_PHASES, minutes_between

MIN_HISTORY = 5  #: tasks, before an estimate is worth anything


def left(task: Task, history: History) -> str:
    """`6–9 more minutes` for a running task."""
    if task.status is not Status.RUNNING or task.phase not in WORKING_PHASES:
        return ""
    ahead = WORKING_PHASES[WORKING_PHASES.index(task.phase) :]
    known = [history.phases[phase] for phase in ahead if phase in history.phases]
    if not known or min(spread.n for spread in known) < MIN_HISTORY:
        return ""
    low, high = sum(s.p50_s for s in known), sum(s.p90_s for s in known)
    return minutes_between(low, high, more=True)


def starts_in(place: int, slots: int, history: History) -> str:
    """`about 12 minutes` for the task at this place of the queue, the next one being 1."""
    whole = history.whole
    if whole is None or whole.n < MIN_HISTORY or slots < 1:
        return ""
    wait_s = whole.p50_s * place / slots
    return f"about {minutes_between(wait_s, wait_s)}"
