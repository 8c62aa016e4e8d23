"""Why a queued task does not start."""

from dataclasses import replace
from datetime import UTC, datetime

from bot.domain import Task, Wait, WaitFor
from bot.tasks.views import Lane


def held_up(task: Task, lane: Lane, now: float) -> str:
    """The reason in words; a hold first, for only a person ends it."""
    if lane.held_by:
        why = f" ({lane.hold_reason})" if lane.hold_reason else ""
        return f"starts are held by {lane.held_by}{why}"
    if task.run_at > now:
        return f"not before {datetime.fromtimestamp(task.run_at, UTC):%H:%M:%S} UTC"
    if lane.limit and task.repo is not None:
        return f"{lane.limit} of {task.repo.full_name} run already, which is its limit"
    return "waits for a free slot"


def on_hold(task: Task, lane: Lane, now: float) -> Task:
    """The task as one that waits for its repository's hold to be lifted, where there is one.

    The queue keeps such a task from starting without parking it: its row names no wait.
    """
    if not lane.held_by:
        return task
    return replace(task, wait=Wait(on=WaitFor.HOLD, reason=held_up(task, lane, now)))
