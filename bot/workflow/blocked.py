"""An issue that says "Blocked by #12" begins when #12 is closed.

Only a line that begins with the words counts, so that a sentence about something else does not.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.domain import RepoRef, Task, WaitFor
from bot.errors import Parked, Refused
from bot.github.types import Issue
from bot.workflow.hidden import visible

LOOK_AGAIN_S = timedelta(hours=6).total_seconds()  #: where the closing was never delivered
MAX_NAMED = 10  #: of one issue; more are not looked at
MAX_READ = 20  #: issues that are read to find a circle

_LINE = re.compile(
    r"^[ \t]{0,3}(?:[-*+][ \t]+(?:\[[ xX]\][ \t]+)?)?"  # an item of a list, or of a task list
    r"(?:blocked by|depends on):?[ \t]+([^\n]{1,300})$",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(r"(?<![\w/#])#(\d{1,10})\b")

ReadIssue = Callable[[int], Awaitable[Issue]]


def named_blockers(text: str) -> tuple[int, ...]:
    """The issues of the same repository that a text says it is blocked by, each once."""
    found = [int(n) for line in _LINE.finditer(text) for n in _NUMBER.findall(line[1])]
    return tuple(dict.fromkeys(found))[:MAX_NAMED]


def closed_key(repo: RepoRef, issue: int) -> str:
    """What is signalled when an issue is closed."""
    return f"closed:{repo.id}:{issue}"


async def not_before_blockers(task: Task, read: ReadIssue, now: float) -> None:
    """Let a task begin when nothing that its text names is open. Raises Parked."""
    if task.repo is None or not task.issue:
        return
    for number in named_blockers(task.feature):
        blocker = await _open(read, number) if number != task.issue else None
        if blocker is None:
            continue
        reason = f"blocked by #{number}, which is open"
        if await _leads_back(blocker, task.issue, read):
            reason = (
                f"blocked by #{number}, which is blocked by this issue in turn: "
                "neither can begin until one of the two lines is taken out"
            )
        key = closed_key(task.repo, number)
        raise Parked(WaitFor.BLOCKED, reason, until=now + LOOK_AGAIN_S, key=key)


async def _open(read: ReadIssue, number: int) -> Issue | None:
    """The issue, if there is such a one and it is open."""
    try:
        issue = await read(number)
    except Refused:  # deleted, or another's: nothing to wait for
        return None
    return issue if issue.state == "open" else None


async def _leads_back(blocker: Issue, origin: int, read: ReadIssue) -> bool:
    """Whether the open issues that this one waits for lead back to where it began."""
    seen, ahead = {blocker.number}, [blocker]
    while ahead and len(seen) <= MAX_READ:
        for number in named_blockers(visible(ahead.pop().body)):
            if number == origin:
                return True
            if number not in seen:
                seen.add(number)
                ahead += [found] if (found := await _open(read, number)) else []
    return False
