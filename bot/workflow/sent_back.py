"""Work that people, or the repository's own checks, send back to the coder. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain import Bounds, Phase, Status, Task, Thread, Wait, WaitFor
from bot.workflow.flow import ORDER
from bot.workflow.steering import forgotten, waited

MAX_NOTE = 8000  #: characters of one remark that reach the coder


def sent_back(
    task: Task, notes: Sequence[str], threads: Sequence[Thread], bounds: Bounds, at: float
) -> Task:
    """The task at the coder once more; where no round is left, a person is asked."""
    task = waited(task, at)
    facts = task.facts
    known = {thread.id for thread in facts.threads}
    merged = (*facts.threads, *(t for t in threads if t.id not in known))
    said = (*facts.feedback, *(note[:MAX_NOTE] for note in notes if note.strip()))
    if task.phase is Phase.CODE_IMPLEMENTATION:
        return replace(task, facts=replace(facts, threads=merged, feedback=said))
    facts = replace(
        forgotten(facts, Phase.CODE_IMPLEMENTATION), threads=merged, feedback=said, approval=None
    )
    task = replace(task, facts=facts, tries=0, run_at=at)
    cursor = replace(
        task.cursor, phase=Phase.CODE_IMPLEMENTATION, round=task.cursor.round + 1, turn=1
    )
    if task.cursor.round >= bounds.rounds:
        reason = f"All {bounds.rounds} rounds are used, and more is asked for"
        wait = Wait(on=WaitFor.DECISION, reason=reason, since=at)
        return replace(task, cursor=cursor, status=Status.WAITING, wait=wait)
    return replace(task, cursor=cursor, status=Status.QUEUED, wait=None)


def reviewed_again(task: Task, at: float) -> Task:
    """A person pushed to the branch: what was found out about the old head is void."""
    task = waited(task, at)
    facts = replace(forgotten(task.facts, Phase.GUARDIAN_REVIEW), approval=None)
    cursor = replace(
        task.cursor, phase=Phase.GUARDIAN_REVIEW, turn=1, attempt=task.cursor.attempt + 1
    )
    return replace(
        task, facts=facts, cursor=cursor, status=Status.QUEUED, wait=None, tries=0, run_at=at
    )


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
