"""Looking into repositories of ours, by commits and refs; nothing here changes anything."""

import os
from pathlib import Path

from bot.github import git_diff, names
from bot.github.git_base import GitBase, git_dir_of
from bot.github.git_errors import broken
from bot.github.git_process import git


class LookCalls(GitBase):
    """Questions about a repository: a mirror or a clone that we made."""

    async def rev_parse(self, repo: Path, ref: str) -> str | None:
        """The commit that a branch, ref or SHA stands for; None where there is none."""
        wanted = f"{names.ref(ref)}^{{commit}}"
        done = await git(
            ["rev-parse", "--quiet", "--verify", "--end-of-options", wanted],
            git_dir=git_dir_of(repo),
        )
        return done.text if done.code == 0 else None

    async def tree_of(self, repo: Path, sha: str) -> str:
        """The tree of a commit."""
        return await self._text(repo, ["rev-parse", "--verify", f"{names.sha(sha)}^{{tree}}"])

    async def show(self, repo: Path, sha: str, path: str, *, limit: int) -> bytes | None:
        """A file of a commit; None where there is none. Raises BadOutput above `limit` bytes."""
        name = f"{names.sha(sha)}:{names.path(path)}"
        done = await git(["cat-file", "blob", name], git_dir=git_dir_of(repo), limit=limit)
        return done.out if done.code == 0 else None

    async def files(self, repo: Path, sha: str, under: str = "") -> tuple[str, ...]:
        """The paths of all files of a commit, or of those below a directory."""
        below = ["--", names.path(under)] if under else []
        done = await self._done(
            repo, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", names.sha(sha), *below]
        )
        return tuple(os.fsdecode(name) for name in done.out.split(b"\0") if name)

    async def merge_base(self, repo: Path, one: str, other: str) -> str | None:
        """The commit from which both came; None without one."""
        done = await git(["merge-base", names.sha(one), names.sha(other)], git_dir=git_dir_of(repo))
        return done.text or None

    async def is_ancestor(self, repo: Path, older: str, newer: str) -> bool:
        """Whether `newer` contains `older`."""
        args = ["merge-base", "--is-ancestor", names.sha(older), names.sha(newer)]
        done = await git(args, git_dir=git_dir_of(repo))
        if done.code not in {0, 1}:
            raise broken("merge-base", done)
        return done.code == 0

    async def log(self, repo: Path, base: str, head: str) -> tuple[str, ...]:
        """The commits that `head` has beyond `base`, newest first."""
        listed = await self._text(
            repo, ["rev-list", "--max-count=1000", f"{names.sha(base)}..{names.sha(head)}"]
        )
        return tuple(listed.split())

    async def message(self, repo: Path, sha: str) -> str:
        """A commit's message, with its trailers."""
        return await self._text(repo, ["log", "-1", "--format=%B", names.sha(sha)])

    async def author(self, repo: Path, sha: str) -> str:
        """The name of a commit's author, which is whatever its maker has written."""
        return await self._text(repo, ["log", "-1", "--format=%an", names.sha(sha)])

    async def diff(self, repo: Path, base: str, head: str) -> git_diff.Diff:
        """What changed between two commits: the patch, and each file with its modes and lines."""
        ends = [names.sha(base), names.sha(head)]
        listed = await self._done(repo, ["diff", *git_diff.PLAIN, *git_diff.LISTED, *ends])
        patch = await self._done(repo, ["diff", *git_diff.PLAIN, "--patch", *ends])
        return git_diff.parse(listed.out, patch.out)
