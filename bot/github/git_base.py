"""The ground under `Git`: its directory, and how its parts call git in a repository of ours."""

from collections.abc import Sequence
from pathlib import Path

from bot.github.git_errors import broken
from bot.github.git_process import Finished, git


class GitBase:
    """Works below `root`, which belongs to us alone."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._mirrors = self.root / "mirrors"
        self._mirrors.mkdir(parents=True, exist_ok=True)

    async def _init(self, git_dir: Path, *options: str) -> None:
        # An empty template: no sample hooks, no exclude file of the machine's.
        done = await git(
            ["init", "--quiet", "--template=", *options],
            git_dir=None,
            env={"GIT_DIR": str(git_dir)},
        )
        if done.code:
            raise broken("init", done)

    async def _done(self, repo: Path, args: Sequence[str]) -> Finished:
        done = await git(args, git_dir=git_dir_of(repo))
        if done.code:
            raise broken(args[0], done)
        return done

    async def _text(self, repo: Path, args: Sequence[str]) -> str:
        return (await self._done(repo, args)).text

    async def _in(self, clone: Path, args: Sequence[str]) -> str:
        """A git that works in a clone's work tree."""
        done = await git(args, git_dir=clone / ".git", work_tree=clone)
        if done.code:
            raise broken(args[0], done)
        return done.text


def git_dir_of(repo: Path) -> Path:
    """A clone's `.git`, or the mirror itself."""
    return repo / ".git" if (repo / ".git").is_dir() else repo


def borrow(git_dir: Path, source: Path) -> None:
    """Read the objects of another repository of ours without copying them."""
    objects = git_dir_of(source).resolve() / "objects"
    (git_dir / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (git_dir / "objects" / "info" / "alternates").write_text(f"{objects}\n")
