"""Git: one bare mirror per repository, a clone per task, commits and pushes of our own.

A clone borrows the mirror's objects (`objects/info/alternates`), so ten of them cost ten work
trees and no copies; therefore nothing is ever pruned in a mirror. The token is used by fetch, push
and ls-remote alone (`git_remote`), so all of this serves a local repository without GitHub too.
Needs git 2.38 (`merge-tree --write-tree`).
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import Conflict
from bot.github import names
from bot.github.changes import Changes, nested_repositories, read_changes, write_changes
from bot.github.git_base import borrow, git_dir_of
from bot.github.git_errors import broken
from bot.github.git_look import LookCalls
from bot.github.git_process import git
from bot.github.git_remote import RemoteCalls

#: What tools leave behind in a checkout, which is no part of a change where it is new.
_LEFTOVERS = (
    *("__pycache__/", "*.py[co]", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/"),
    *(".hypothesis/", "node_modules/"),
)
_DIFFERENT = (
    *("--modified", "--deleted", "--others", "--exclude-standard"),
    *(f"--exclude={pattern}" for pattern in _LEFTOVERS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who made a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]


class Git(RemoteCalls, LookCalls):
    """Works below `root`, which belongs to us alone.

    A `repo` is a directory that this class made: a mirror (bare) or a clone. Raises StepErrors:
    Transient for reads, Uncertain for a push without an answer, Conflict where a branch moved or
    a merge has conflicts, Refused for a final no, Deadline when the time is over.
    """

    async def checkout(self, mirror: Path, dest: Path, sha: str, branch: str) -> Path:
        """A clone at `dest`, on `branch` at `sha`. What was there before is removed."""
        await asyncio.to_thread(_clear, dest)
        await self._init(dest / ".git")
        borrow(dest / ".git", mirror)
        args = ["checkout", "--quiet", "--force", "-B", names.ref(branch), names.sha(sha), "--"]
        await self._in(dest, args)
        return dest

    async def changed(self, checkout: Path, *, repo: Path, sha: str) -> Changes:
        """What differs in an agent's checkout from the commit `sha` of `repo`, as data.

        The checkout's own `.git` is not used. `.gitignore` counts, ours or the agent's, and new
        caches do not. Nested repositories end the look at once, for git would start programs that
        they name.
        """
        nested = await asyncio.to_thread(nested_repositories, checkout)
        if nested:
            return Changes(odd=tuple(nested))
        with tempfile.TemporaryDirectory(dir=self.root, prefix="index-") as scratch:
            ours = Path(scratch) / "look.git"
            await self._init(ours, "--bare")
            borrow(ours, repo)
            paths = await _differing(ours, checkout, names.sha(sha))
        return await asyncio.to_thread(read_changes, checkout, paths)

    async def apply(self, clone: Path, changes: Changes) -> None:
        """Bring changes into a clone that no agent touched. Raises BadOutput for odd ones."""
        await asyncio.to_thread(write_changes, clone, changes)

    async def head(self, clone: Path) -> str:
        """The commit that a clone is at."""
        return await self._text(clone, ["rev-parse", "--verify", "HEAD^{commit}"])

    async def commit(
        self,
        clone: Path,
        *,
        message: str,
        trailers: Mapping[str, str],
        author: Signature,
        when: float,
    ) -> Commit | None:
        """Commit everything in a clone of ours; None where nothing differs from its head.

        Author, committer and both dates are the arguments', so the same tree on the same parent
        is the same SHA, whoever commits it again.
        """
        await self._in(clone, ["add", "--all", "--", "."])
        tree = await self._in(clone, ["write-tree"])
        parent = await self.head(clone)
        if tree == await self.tree_of(clone, parent):
            return None
        text = _message(message, trailers)
        return await self._commit(clone, tree, [parent], text, _signed(author, when))

    async def merge(
        self, clone: Path, sha: str, *, message: str, author: Signature, when: float
    ) -> Commit | None:
        """Merge a commit into the clone's branch; None where it is contained already.

        Raises Conflict that names the files. As deterministic as `commit`.
        """
        head = await self.head(clone)
        if await self.is_ancestor(clone, names.sha(sha), head):
            return None
        done = await git(
            ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", head, sha],
            git_dir=git_dir_of(clone),
        )
        if done.code not in {0, 1}:
            raise broken("merge-tree", done)
        tree, *conflicts = [os.fsdecode(part) for part in done.out.split(b"\0") if part]
        if done.code:
            raise Conflict(f"merging {sha[:7]} conflicts in {', '.join(conflicts[:10])}")
        text = _message(message, {})
        return await self._commit(clone, tree, [head, sha], text, _signed(author, when))

    async def _commit(
        self, clone: Path, tree: str, parents: Sequence[str], message: str, env: Mapping[str, str]
    ) -> Commit:
        named = [arg for parent in parents for arg in ("-p", parent)]
        done = await git(
            ["commit-tree", tree, *named, "-F", "-"],
            git_dir=git_dir_of(clone),
            env=env,
            stdin=message.encode("utf-8", "replace"),
        )
        if done.code:
            raise broken("commit-tree", done)
        await self._in(clone, ["reset", "--quiet", "--hard", done.text])
        return Commit(sha=done.text, tree=tree, parents=tuple(parents))


async def _differing(git_dir: Path, work_tree: Path, sha: str) -> list[str]:
    """The paths in a work tree that differ from a commit, by an index of ours alone."""
    for args in (["read-tree", sha], ["ls-files", "-z", *_DIFFERENT]):
        done = await git(args, git_dir=git_dir, work_tree=work_tree)
        if done.code:
            raise broken(args[0], done)
    paths = (os.fsdecode(name) for name in done.out.split(b"\0") if name)
    return list(dict.fromkeys(paths))


def _clear(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)


def _message(text: str, trailers: Mapping[str, str]) -> str:
    """A message with its trailers as the last paragraph (git-interpret-trailers(1))."""
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items()]
    return "\n\n".join(part for part in (text.strip(), "\n".join(lines)) if part) + "\n"


def _signed(author: Signature, when: float) -> dict[str, str]:
    date = f"@{int(when)} +0000"
    return {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": author.name,
        "GIT_COMMITTER_EMAIL": author.email,
        "GIT_COMMITTER_DATE": date,
    }
