"""The one label that shows a task's state."""

from bot.config.repo import Label, Labels
from bot.domain import Status, Task


def state_label(task: Task, labels: Labels) -> Label:
    """The label that the issue carries now; exactly one of `state_labels`."""
    match task.status:
        case Status.QUEUED:
            return labels.queued
        case Status.RUNNING:
            return labels.running
        case Status.WAITING:
            if task.wait is not None and task.wait.on.needs_person:
                return labels.needs_human
            return labels.running if task.facts.base_sha else labels.queued  # nothing was begun
        case Status.COMPLETED:
            return labels.done
        case Status.FAILED | Status.DEAD:
            return labels.failed
        case Status.CANCELLED:
            return labels.cancelled


def state_labels(labels: Labels) -> tuple[Label, ...]:
    """All of them; the others are taken off, one by one."""
    return (
        labels.queued,
        labels.running,
        labels.needs_human,
        labels.done,
        labels.failed,
        labels.cancelled,
    )
