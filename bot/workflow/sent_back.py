"""Work that people, or the repository's own checks, send back to the coder. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain import Bounds, Cause, Phase, Status, Task, Wait, WaitFor
from bot.facts import Thread
from bot.workflow.flow import ORDER
from bot.workflow.forgetting import forgotten
from bot.workflow.steering import given_attempt, worked

MAX_NOTE = 8000  #: characters of one remark that reach the coder
#: Waits for a person's word on something else, which a remark or a push does not end.
STAYS = frozenset({WaitFor.PAUSED, WaitFor.HOLD, WaitFor.BUDGET, WaitFor.CONFIGURATION})


def sent_back(
    task: Task,
    notes: Sequence[str],
    threads: Sequence[Thread],
    bounds: Bounds,
    at: float,
    cause: Cause = Cause.REVIEW,
) -> Task:
    """The task at the coder once more; where no round is left, a person is asked."""
    facts = task.facts
    known = {thread.id for thread in facts.threads}
    merged = (*facts.threads, *(t for t in threads if t.id not in known))
    said = (*facts.feedback, *(note[:MAX_NOTE] for note in notes if note.strip()))
    if task.phase is Phase.CODE_IMPLEMENTATION:
        return replace(task, facts=replace(facts, threads=merged, feedback=said))
    facts = replace(
        forgotten(facts, Phase.CODE_IMPLEMENTATION), threads=merged, feedback=said, approval=None
    )
    cursor = replace(
        task.cursor, phase=Phase.CODE_IMPLEMENTATION, round=task.cursor.round + 1, turn=1
    )
    none_left = task.cursor.round >= bounds.rounds
    task = _going_on(replace(task, facts=facts, cursor=cursor, cause=cause), at)
    if none_left and task.status is Status.QUEUED:
        used = f"All {bounds.rounds} rounds are" if bounds.rounds > 1 else "The only round is"
        reason = f"{used} used, and more is asked for"
        wait = Wait(on=WaitFor.DECISION, reason=reason, since=at)
        return replace(task, status=Status.WAITING, wait=wait)
    return task


def reviewed_again(task: Task, at: float) -> Task:
    """A person pushed to the branch: what was found out about the old head is void.

    A coder at work begins again on the new head; what it was told to do is still to be done.
    """
    if task.phase is Phase.CODE_IMPLEMENTATION:
        return _going_on(replace(task, facts=replace(task.facts, wip_sha="")), at)
    facts = given_attempt(forgotten(task.facts, Phase.GUARDIAN_REVIEW))
    facts = replace(facts, approval=None)
    cursor = replace(
        task.cursor, phase=Phase.GUARDIAN_REVIEW, turn=1, attempt=task.cursor.attempt + 1
    )
    return _going_on(replace(task, facts=facts, cursor=cursor), at)


def _going_on(task: Task, at: float) -> Task:
    """Queued, unless it waits for something that this does not end."""
    if task.wait is not None and task.wait.on in STAYS:
        return task
    return replace(worked(task, at), status=Status.QUEUED, wait=None, tries=0, run_at=at)


def past_the_code(task: Task) -> bool:
    """Whether there is a pull request that people can say something about."""
    if task.status.ended or task.phase not in ORDER or not task.facts.pull:
        return False
    return not task.facts.merge_sha


def thread_note(thread: Thread) -> str:
    """How the coder is told of a thread."""
    return (
        f"Review comment {thread.id} by {thread.by} at {thread.path}:{thread.line}:\n{thread.body}"
    )
