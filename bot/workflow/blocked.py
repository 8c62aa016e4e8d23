"""An issue that waits for another begins when that one is closed.

GitHub may know of it ("Mark as blocked by" in the sidebar), or a line of the text says
"Blocked by #12", or the address of that issue. Only a line that begins with the words counts, so
that a sentence about something else does not; and only issues and pull requests of the repository
itself, for whoever writes a text need not be allowed to see others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bot.domain import Task, WaitFor
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
_REFERENCE = re.compile(
    r"(?<![\w/#])(?:https?://[\w.:-]+/)?"
    r"(?:([\w.-]{1,100}/[\w.-]{1,100})(?:#|/(?:issues|pull)/)|#)(\d{1,10})\b"
)


class Issues(Protocol):
    """The repository's issues, as far as they are read here; `github.Repo` has them."""

    async def issue(self, number: int) -> Issue: ...

    async def blocked_by(self, number: int) -> Sequence[Issue]: ...


def named_blockers(text: str, repository: str) -> tuple[int, ...]:
    """The issues of this repository (owner/name) that a text says it is blocked by, each once."""
    found = [n for place, n in _named(text) if place.lower() in {"", repository.lower()}]
    return tuple(dict.fromkeys(found))[:MAX_NAMED]


def not_waited_for(task: Task) -> tuple[str, ...]:
    """What people should know about the other repositories' issues that a task's text names."""
    here = task.repo.full_name.lower() if task.repo is not None else ""
    told = dict.fromkeys(
        f"{place}#{n}" for place, n in _named(task.feature) if place.lower() not in {"", here}
    )
    return tuple(
        f"Nothing here waits for {name}: a line of text counts for issues of this repository. "
        "GitHub's own *Mark as blocked by* counts for others, too."
        for name in tuple(told)[:MAX_NAMED]
    )


def _named(text: str) -> list[tuple[str, int]]:
    """Repository (empty where none is named) and number of each reference that counts."""
    lines = (line[1] for line in _LINE.finditer(text))
    return [(place, int(n)) for line in lines for place, n in _REFERENCE.findall(line)]


def closed_key(repository: str, issue: int) -> str:
    """What is signalled when nobody may have to wait for an issue of that repository any more:
    it was closed, a link to it was taken out, or its own text was edited.
    """
    return f"closed:{repository.lower()}:{issue}"


async def not_before_blockers(task: Task, issues: Issues, now: float) -> None:
    """Let a task begin when nothing that its issue waits for is open. Raises Parked."""
    if task.repo is None or not task.issue:
        return
    here = _Here(task.repo.full_name, issues)
    blocker = await here.first_open(task.issue, task.feature)
    if blocker is None:
        return
    name = here.shown(blocker)
    on, reason = WaitFor.BLOCKED, f"blocked by {name}, which is open"
    if await here.leads_back(blocker, task.issue):
        on, reason = (
            WaitFor.DECISION,
            (
                f"blocked by {name}, which is blocked by this issue in turn: "
                "neither can begin until one of the two links is taken out"
            ),
        )
    key = closed_key(blocker.repository, blocker.number)
    raise Parked(on, reason, until=now + LOOK_AGAIN_S, key=key)


@dataclass(frozen=True, slots=True)
class _Here:
    """One repository's issues, and what each of them waits for."""

    repository: str
    issues: Issues

    def ours(self, issue: Issue) -> bool:
        return issue.repository.lower() == self.repository.lower()

    def shown(self, issue: Issue) -> str:
        return f"{'' if self.ours(issue) else issue.repository}#{issue.number}"

    async def first_open(self, number: int, text: str) -> Issue | None:
        return next(iter(await self._open(number, text, enough=1)), None)

    async def leads_back(self, blocker: Issue, origin: int) -> bool:
        """Whether the open issues that this one waits for lead back to where it began.

        Only this repository's are followed: what another's wait for is not ours to read.
        """
        seen, ahead = {blocker.number}, [blocker] if self.ours(blocker) else []
        while ahead and len(seen) <= MAX_READ:
            one = ahead.pop()
            text = visible(one.body)
            if origin in named_blockers(text, self.repository):
                return True
            for found in await self._open(one.number, text, enough=MAX_NAMED):
                if self.ours(found) and found.number == origin:
                    return True
                if self.ours(found) and found.number not in seen:
                    seen.add(found.number)
                    ahead.append(found)
        return False

    async def _open(self, number: int, text: str, *, enough: int) -> list[Issue]:
        """The open issues that an issue with this text waits for; no more than are enough."""
        known = await self.issues.blocked_by(number)
        found = [one for one in known if one.state == "open"]
        told = {one.number for one in known if self.ours(one)} | {number}
        for named in named_blockers(text, self.repository):
            if len(found) < enough and named not in told:
                found += [one] if (one := await self._read(named)) is not None else []
        return found

    async def _read(self, number: int) -> Issue | None:
        """The issue, if there is such a one and it is open."""
        try:
            issue = await self.issues.issue(number)
        except Refused:  # deleted, or another's: nothing to wait for
            return None
        return issue if issue.state == "open" else None
