"""The checkouts of one task, all of them borrowed from the repository's mirror.

`agent/` is where an agent works, `trial/` is where tests run, `clean/` is where we commit: no
agent and no test has ever touched it. Each is made afresh when it is needed, so a workspace can
be thrown away at any time and another machine can go on.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain import RepoRef
from bot.errors import Refused, SetupFailed
from bot.github.changes import Changes
from bot.github.git import Git, Signature
from bot.github.git_diff import DELETED, Diff, DiffFile
from bot.workflow.gates import Change, Status

MAX_FILE = 16 * 1024 * 1024  #: bytes of one file that is read out of history
MAX_MAP = 60_000  #: characters of a list of files for a prompt
NOBODY = Signature(name="Chimera", email="chimera@localhost")  #: where there is no App


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the repository comes from and goes to."""

    url: str
    key: str  #: names the mirror on disk
    default_branch: str
    token: Callable[[], Awaitable[str]]  #: for fetch and push; empty for a local path
    repo: RepoRef | None = None  #: None for a local path


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an agent changed: the files as data, and what may never become part of a commit."""

    files: tuple[Change, ...]
    odd: tuple[str, ...]
    raw: Changes


NOTHING = Taken(files=(), odd=(), raw=Changes())


class Workspace:
    """One task's place on this machine."""

    def __init__(
        self, git: Git, origin: Origin, folder: Path, *, author: Signature = NOBODY
    ) -> None:
        self._git = git
        self._origin = origin
        self._folder = folder
        self._author = author
        self._mirror = git.mirror_path(origin.key)
        self._laid: dict[Path, str] = {}  #: which commit a checkout was made at

    # ── the repository ───────────────────────────────────────────────────────────────────────

    async def base(self) -> tuple[str, str]:
        """The default branch and its newest commit."""
        await self.refresh()
        branch = self._origin.default_branch
        sha = await self._git.rev_parse(self._mirror, f"refs/heads/{branch}")
        if sha is None:
            raise SetupFailed(f"The repository has no branch {branch!r}; push a first commit to it")
        return branch, sha

    async def refresh(self) -> None:
        """Bring the mirror up to date."""
        origin = self._origin
        await self._git.mirror(origin.url, origin.key, await origin.token())

    async def remote(self, branch: str) -> str:
        """The newest commit of a branch, fetched; empty where there is no such branch."""
        await self.refresh()
        return await self._git.rev_parse(self._mirror, f"refs/heads/{branch}") or ""

    async def at(self, branch: str) -> str:
        """The newest commit of a branch as the last fetch has seen it; empty without one."""
        return await self._git.rev_parse(self._mirror, f"refs/heads/{branch}") or ""

    async def known(self, sha: str) -> str:
        """`sha` if this machine has it, else nothing."""
        return (await self._git.rev_parse(self._mirror, sha) or "") if sha else ""

    async def fetched(self, sha: str) -> str:
        """The commit, also where no branch of the origin has it; empty where it has none such.

        A clone has its remote's commits on no branch of its own, or, freshly fetched, on no ref.
        """
        if sha and not await self.known(sha):
            origin = self._origin
            with contextlib.suppress(Refused):
                await self._git.fetch(self._mirror, origin.url, [sha], await origin.token())
        return await self.known(sha)

    async def contains(self, newer: str, older: str) -> bool:
        return await self._git.is_ancestor(self._mirror, older, newer)

    async def merge_base(self, one: str, other: str) -> str:
        """The commit from which both came; empty without one, or where one is not known."""
        return (await self._git.merge_base(self._mirror, one, other) or "") if one else ""

    async def tree(self, sha: str) -> str:
        """The tree of a commit, which is fetched where it is not here yet."""
        if not await self.known(sha):
            await self.refresh()
        return await self._git.tree_of(self._mirror, sha)

    async def read(self, sha: str, path: str, limit: int = MAX_FILE) -> bytes | None:
        return await self._git.show(self._mirror, sha, path, limit=limit)

    async def message(self, sha: str) -> str:
        return await self._git.message(self._mirror, sha)

    async def author(self, sha: str) -> str:
        """The name that a commit bears; nobody has proven it."""
        return await self._git.author(self._mirror, sha)

    async def commits(self, older: str, newer: str) -> Sequence[str]:
        """What `newer` has beyond `older`, the newest first."""
        return await self._git.log(self._mirror, older, newer)

    async def paths(self, sha: str) -> Sequence[str]:
        """The files of a commit."""
        return await self._git.files(self._mirror, sha)

    async def file_map(self, sha: str) -> str:
        """The paths of a commit, one a line, bounded."""
        text = "\n".join(await self.paths(sha))
        return text if len(text) <= MAX_MAP else text[:MAX_MAP] + "\n… and more; use the tools"

    async def diff(self, base: str, head: str) -> Diff:
        return await self._git.diff(self._mirror, base, head)

    async def changes(self, base: str, head: str) -> list[Change]:
        """What lies between two commits, with the bytes of both sides."""
        files = (await self.diff(base, head)).files
        return [await self._change(base, head, one) for one in files]

    # ── checkouts ────────────────────────────────────────────────────────────────────────────

    async def lay(self, name: str, sha: str) -> Path:
        """A fresh checkout called `name` at a commit."""
        checkout = await self._git.checkout(self._mirror, self._folder / name, sha, "work")
        self._laid[checkout] = sha
        return checkout

    async def left(self, checkout: Path) -> Taken:
        """What somebody changed in a checkout that was laid here."""
        return await self.take(checkout, self._laid[checkout])

    async def take(self, checkout: Path, sha: str) -> Taken:
        """What an agent's checkout has that the commit has not."""
        raw = await self._git.changed(checkout, repo=self._mirror, sha=sha)
        files = []
        for one in raw.files:
            old = await self.read(sha, one.path)
            mode = 0o100755 if one.executable else 0o100644
            status = _status(old, one.content)
            files.append(Change(path=one.path, status=status, mode=mode, old=old, new=one.content))
        odd = tuple(f"{one.path}: {one.what}" for one in raw.odd)
        return Taken(files=tuple(files), odd=odd, raw=raw)

    async def commit(self, parent: str, taken: Taken, *, message: str, when: float) -> str:
        """A commit of ours on `parent`, the same for the same arguments; returns its SHA."""
        clean = await self.lay("clean", parent)
        await self._git.apply(clean, taken.raw)
        made = await self._git.commit(
            clean, message=message, trailers={}, author=self._author, when=when
        )
        return await self._kept(clean, made.sha) if made is not None else parent

    async def merge(self, head: str, other: str, *, message: str, when: float) -> str:
        """A merge of `other` into `head`. Raises Conflict that names the files."""
        clean = await self.lay("clean", head)
        made = await self._git.merge(clean, other, message=message, author=self._author, when=when)
        return await self._kept(clean, made.sha) if made is not None else head

    async def push(self, branch: str, sha: str, *, expected: str) -> None:
        """Move the remote's branch to `sha`; `expected` is where it must be, empty: nowhere."""
        origin = self._origin
        token = await origin.token()
        await self._git.push(
            self._mirror, origin.url, branch, sha, expected=expected or None, token=token
        )

    async def remove(self) -> None:
        """Leave nothing behind."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    # ── helpers ──────────────────────────────────────────────────────────────────────────────

    async def _kept(self, clean: Path, sha: str) -> str:
        """Bring a commit into the mirror, where every later step finds it."""
        await self._git.fetch(self._mirror, str(clean), [sha])
        return sha

    async def _change(self, base: str, head: str, one: DiffFile) -> Change:
        there = one.old_mode != DELETED
        stays = one.mode != DELETED
        plain = one.mode.startswith("100")
        return Change(
            path=one.path,
            status=Status(one.status),
            mode=int(one.mode, 8) if stays else 0,
            old=await self.read(base, one.path) if there and one.old_mode[:3] == "100" else None,
            new=await self.read(head, one.path) if stays and plain else (b"" if stays else None),
        )


def _status(old: bytes | None, new: bytes | None) -> Status:
    if new is None:
        return Status.DELETED
    return Status.ADDED if old is None else Status.MODIFIED


def feedback_of(odd: Sequence[str]) -> str:
    """What an agent is told about files that no commit may have."""
    return "These may not be part of a change:\n" + "\n".join(odd)


def mirror_key(repo: RepoRef) -> str:
    """Names a repository's mirror: by its number, for its name may change."""
    return f"repo-{repo.id}"
