"""What became of the place where a task works: read off GitHub, which deliveries only point at.

Asked where GitHub refuses a call of ours, by the painter, and by the sweep. What lasts until a
person ends it (a suspension, an archive) parks the task; what a person has taken away for good
ends it. A new name or owner is followed, for the number of a repository never changes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain import Cause, Outcome, Phase, RepoRef, Task, Verdict, Wait, WaitFor
from bot.errors import Refused
from bot.github.app import App
from bot.github.app_types import Installation
from bot.github.repo import Repo


class Ground(StrEnum):
    """How the place is."""

    SOUND = "sound"  #: repository and issue are there and open to us
    SUSPENDED = "suspended"  #: somebody has suspended the App where it is installed
    OUT = "out"  #: the App is not installed on the repository, or the repository is gone
    ARCHIVED = "archived"  #: nothing can be written there
    LOCKED = "locked"  #: the conversation of the pull request is closed to Apps
    CLOSED = "closed"  #: a person has closed the issue
    GONE = "gone"  #: the issue was deleted, or transferred to another repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How the place is, and what the repository is called now."""

    ground: Ground
    repo: RepoRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Looks at the places of tasks."""

    app_of: Callable[[], App]
    repo_of: Callable[[RepoRef], Repo]

    async def look(self, task: Task) -> Found:
        """How things stand where the task works: three or four reads.

        Raises as `GitHub.call` does; AuthFailed where the App's own key is refused.
        """
        assert task.repo is not None, "a local run stands on its own ground"
        installation = await self._installation(task.repo)
        if installation is None:
            return Found(ground=Ground.OUT, repo=task.repo)
        known = replace(task.repo, installation_id=installation.id)
        if installation.suspended:
            return Found(ground=Ground.SUSPENDED, repo=known)
        try:
            info = await self.repo_of(known).info()
        except Refused as error:
            if not error.missing:
                raise
            return Found(ground=Ground.OUT, repo=known)
        repo = replace(info.ref, installation_id=installation.id)
        if repo.id != task.repo.id:  # another one has taken the name
            return Found(ground=Ground.OUT, repo=known)
        if info.archived:
            return Found(ground=Ground.ARCHIVED, repo=repo)
        return Found(ground=await self._of_issue(task, self.repo_of(repo)), repo=repo)

    async def _installation(self, repo: RepoRef) -> Installation | None:
        """The one that covers the repository now, or the suspended one that did."""
        try:
            return await self.app_of().installation_of(repo)
        except Refused as error:
            if not error.missing:
                raise
        try:
            known = await self.app_of().installation(repo.installation_id)
        except Refused as error:
            if not error.missing:
                raise
            return None
        return known if known.suspended else None

    async def _of_issue(self, task: Task, repo: Repo) -> Ground:
        if not task.issue:
            return Ground.SOUND
        try:
            issue = await repo.issue(task.issue)
            if not issue.html_url.endswith(f"/{repo.repo.full_name}/issues/{task.issue}"):
                return Ground.GONE  # a read is led on to where it lives now
            if issue.state == "closed" and not await _merged(task, repo):
                return Ground.CLOSED
            if task.facts.pull and (await repo.issue(task.facts.pull)).locked:
                return Ground.LOCKED
        except Refused as error:
            if not error.missing:
                raise
            return Ground.GONE
        return Ground.SOUND


async def _merged(task: Task, repo: Repo) -> bool:
    """Whether the change is merged, which may have closed its issue."""
    if task.facts.merge_sha or task.phase is not Phase.PRODUCTION_DEPLOYMENT:
        return bool(task.facts.merge_sha)
    return bool(task.facts.pull) and (await repo.pull(task.facts.pull)).merged


def verdict_on(found: Found, task: Task) -> Verdict | None:
    """What the place means for a task that could not go on there; None: it is no reason."""
    name, repo = found.repo.full_name, found.repo
    match found.ground:
        case Ground.SUSPENDED:
            reason = f"The App is suspended for {repo.owner}; it goes on when that ends"
            return _waits(installation_key(repo.installation_id), reason)
        case Ground.ARCHIVED:
            reason = f"{name} is archived; it goes on when that is taken back"
            return _waits(repository_key(repo.id), reason)
        case Ground.LOCKED:
            pull = task.facts.pull
            reason = f"The conversation of #{pull} is locked; it goes on when it is unlocked"
            return _waits(unlocked_key(repo.id, pull), reason)
        case Ground.OUT:
            return _ends(f"{name} is gone, or the App is not installed on it any more")
        case Ground.CLOSED:
            return _ends("The issue was closed")
        case Ground.GONE:
            return _ends("The issue was deleted, or transferred to another repository")
        case Ground.SOUND:
            return None


def installation_key(installation_id: int) -> str:
    """What a task that waits for the App to be let in again is woken by."""
    return f"installation:{installation_id}"


def permission_key(installation_id: int) -> str:
    """What a task that waits for a permission of the App is woken by."""
    return f"permission:{installation_id}"


def repository_key(repo_id: int) -> str:
    """What a task that waits for its repository to be written to again is woken by."""
    return f"repository:{repo_id}"


def unlocked_key(repo_id: int, number: int) -> str:
    """What a task that waits for a conversation to be unlocked is woken by."""
    return f"unlocked:{repo_id}/{number}"


def _waits(key: str, reason: str) -> Verdict:
    wait = Wait(on=WaitFor.ACCESS, reason=reason, key=key)
    return Verdict(outcome=Outcome.WAIT, summary=reason, cause=Cause.PERMISSION, wait=wait)


def _ends(text: str) -> Verdict:
    return Verdict(outcome=Outcome.FAIL, summary=text, cause=Cause.PERSON)
