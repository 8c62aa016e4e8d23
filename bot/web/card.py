"""A task as the dashboard's lists show it."""

from dataclasses import dataclass

from bot.domain import Task
from bot.web.steps import Step, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    task: Task
    steps: tuple[Step, ...]
    why: str = ""  #: what it waits for, or what came of it
    place: int = 0  #: in the queue, the next one being 1; 0: it is not queued
    eta: str = ""


def card_of(task: Task, *, eta: str = "") -> Card:
    """The card of a task that is in no queue: why it waits, or what came of it."""
    why = task.summary if task.status.ended else _reason(task)
    return Card(task=task, steps=steps(task), why=why, eta=eta)


def _reason(task: Task) -> str:
    if task.waits_for is not None:
        return task.waits_for.reason
    return f"to be cancelled, asked for by {task.cancel_by}" if task.cancel_by else ""
