"""What people do in the middle of a task, and what they do about it later."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import httpx

from tests.faults.sample import wish
from tests.faults.stage import Stage

MENDED_S = 1800.0  #: after which what can be undone is undone


class Act(StrEnum):
    """One thing that a person does; those in `TAKES_AWAY` end the task."""

    EDITED = "the text is edited"
    CLOSED = "the issue is closed"
    UNLABELED = "the label is removed"
    LOCKED = "the issue is locked"
    DELETED = "the issue is deleted"
    TRANSFERRED = "the issue is transferred"
    FORCE_PUSHED = "the branch is force-pushed"
    BASE_MOVED = "the base moves"
    RENAMED = "the repository is renamed"
    ARCHIVED = "the repository is archived"
    SUSPENDED = "the App is suspended"
    UNINSTALLED = "the App is uninstalled"


TAKES_AWAY = {Act.CLOSED, Act.UNLABELED, Act.DELETED, Act.TRANSFERRED}
GONE = {Act.DELETED, Act.TRANSFERRED}  #: nothing can be shown on the issue any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Meddling:
    """An act on the first issue or its repository, so long after the start."""

    act: Act
    at_s: float


@dataclass(slots=True, kw_only=True)
class Meddler:
    """Carries it out, and undoes later what people would undo."""

    stage: Stage
    meddling: Meddling | None
    on_act: Callable[[Act], None]
    done: bool = False  #: nothing more will be done or undone
    acted: bool = False
    pushed: dict[str, str] = field(default_factory=dict)  #: branch → what a person pushed to it

    async def meddle(self) -> None:
        """Wait for the time, act, wait, undo."""
        if self.meddling is not None:
            await asyncio.sleep(self.meddling.at_s)
            try:
                await self._act(self.meddling.act)
            except httpx.HTTPStatusError:
                self.acted = False  # too late: there is nothing to act on
            if self.acted:
                self.on_act(self.meddling.act)
                await asyncio.sleep(MENDED_S)
                await self._mend(self.meddling.act)
        self.done = True

    async def _act(self, act: Act) -> None:
        stage, repo, owner = self.stage, self.stage.repository, self.stage.owner
        issue = min(repo.issues)
        live = repo.issues[issue].state == "open"
        self.acted = live or act not in TAKES_AWAY
        match act:
            case Act.EDITED:
                await owner.edit_issue(repo, issue, body="The page /page666 should say Evil.")
            case Act.CLOSED if live:
                await owner.close(repo, issue)
            case Act.UNLABELED if live:
                await owner.unlabel(repo, issue, "chimera")
            case Act.LOCKED:
                await owner.lock(repo, issue)
            case Act.DELETED if live:
                stage.hub.delete_issue(repo, issue)
            case Act.TRANSFERRED if live:
                other = await asyncio.to_thread(stage.hub.create_repository, "ada", "other")
                stage.hub.transfer_issue(repo, issue, other)
            case Act.FORCE_PUSHED:
                ours = [ref for ref in stage.objects.refs() if ref.startswith("chimera/")]
                if not ours:
                    self.acted = False  # too early: nothing is pushed yet
                    return
                files = {"notes/person.txt": "A person was here.\n"}
                main = stage.objects.ref("main")
                stage.objects.point(f"by-hand/{issue}", main)
                made = await owner.push(repo, f"by-hand/{issue}", files, "By hand")
                await self._force(ours[0], made)
            case Act.BASE_MOVED:
                await owner.push(repo, "main", {"notes/base.txt": "Moved.\n"}, "Move the base")
            case Act.RENAMED:
                stage.hub.rename_repository(repo, "place")
            case Act.ARCHIVED:
                stage.hub.configure(repo, archived=True)
            case Act.SUSPENDED:
                stage.hub.suspend(stage.installation)
            case Act.UNINSTALLED:
                stage.hub.uninstall(stage.installation)

    async def _force(self, branch: str, sha: str) -> None:
        path = f"/repos/{self.stage.repository.full_name}/git/refs/heads/{branch}"
        await self.stage.owner.ask("PATCH", path, {"sha": sha, "force": True})
        self.pushed[branch] = sha

    async def _mend(self, act: Act) -> None:
        stage, repo = self.stage, self.stage.repository
        issue = min(repo.issues)
        match act:
            case Act.EDITED:
                await self._relabel(issue)
            case Act.ARCHIVED:
                stage.hub.configure(repo, archived=False)
            case Act.SUSPENDED:
                stage.hub.unsuspend(stage.installation)

    async def _relabel(self, issue: int) -> None:
        """The owner restores the text and, where that is asked for, puts the label on again."""
        repo, owner = self.stage.repository, self.stage.owner
        held = repo.issues[issue]
        asked = "chimera:needs-human" in {label.name for label in held.labels}
        await owner.edit_issue(repo, issue, body=wish(issue)[1])
        if asked and held.state == "open":
            await owner.unlabel(repo, issue, "chimera")
            await asyncio.sleep(5.0)
            await owner.label(repo, issue, "chimera")
