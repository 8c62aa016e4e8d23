"""How long something will take, from our own history; empty where that says too little. Pure."""

from bot.domain import Phase, Status, Task
from bot.tasks.statistics import Pace
from bot.workflow.pace import work_from
from bot.workflow.report.words import minutes_between


def left(task: Task, pace: Pace) -> str:
    """`6–9 more minutes` for a running task, at the pace of its repository."""
    work = work_from(task.phase, pace) if task.status is Status.RUNNING else None
    return "" if work is None else minutes_between(*work, more=True)


def starts_in(place: int, slots: int, pace: Pace) -> str:
    """`about 12 minutes` for the task at this place of the queue, the next one being 1.

    What is before it holds a slot while it works, and none while it waits for anybody.
    """
    work = work_from(Phase.E2E_TEST_GENERATION, pace)
    if work is None or slots < 1:
        return ""
    wait_s = work[0] * place / slots
    return f"about {minutes_between(wait_s, wait_s)}"
