"""Git over the network: mirrors, fetch, push. The token is used here and nowhere else."""

import asyncio
import contextlib
import fcntl
import os
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bot.errors import Deadline, Uncertain
from bot.github import names
from bot.github.git_base import GitBase, git_dir_of
from bot.github.git_errors import network_error
from bot.github.git_process import NETWORK_S, git, is_local

LOCK_S = 900.0  #: for another process's first fetch of the same repository

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}")


class RemoteCalls(GitBase):
    """What we do with a remote: an http(s) URL without credentials in it, or an absolute path."""

    async def mirror(self, url: str, key: str, token: str = "") -> Path:
        """The up-to-date mirror of a repository; `key` names it on disk and is stable."""
        path = self.mirror_path(key)
        async with self._locked(path):
            if not (path / "HEAD").exists():
                await self._init(path, "--bare")
            await self._fetch(path, url, ["+refs/heads/*:refs/heads/*"], token, "--prune")
        return path

    def mirror_path(self, key: str) -> Path:
        """Where a mirror is or would be."""
        if _KEY.fullmatch(key) is None:
            raise names.BadName(f"{key!r} cannot name a mirror")
        return self._mirrors / f"{key}.git"

    async def fetch(self, mirror: Path, url: str, refs: Sequence[str], token: str = "") -> None:
        """Bring these branches or commits into the mirror."""
        wanted = [name if names.is_sha(name) else f"+refs/heads/{names.ref(name)}" for name in refs]
        specs = [name if names.is_sha(name) else f"{name}:{name[1:]}" for name in wanted]
        async with self._locked(mirror):
            await self._fetch(mirror, url, specs, token)

    async def branches(self, url: str, prefix: str, token: str = "") -> tuple[str, ...]:
        """The branches of the remote whose names begin so; nothing is fetched."""
        done = await git(
            ["ls-remote", "--refs", "--end-of-options", _url(url), "refs/heads/*"],
            remote=url,
            token=token,
            timeout_s=60.0,
        )
        if done.code:
            raise network_error("ls-remote", done, wrote=False)
        refs = (line.partition("\t")[2] for line in done.text.splitlines())
        found = (ref.removeprefix("refs/heads/") for ref in refs)
        return tuple(name for name in found if name.startswith(prefix))

    async def push(
        self, repo: Path, url: str, branch: str, sha: str, *, expected: str | None, token: str = ""
    ) -> None:
        """Make `branch` of the remote point at `sha`, if it still is where we think it is.

        `expected` is its present commit, None where it must not exist yet. A branch that already
        is at `sha` is fine, so the call may be repeated. Raises Conflict where it moved.
        """
        full = f"refs/heads/{names.ref(branch)}"
        lease = f"--force-with-lease={full}:{names.sha(expected) if expected is not None else ''}"
        args = ["push", "--porcelain", "--no-verify", "--no-follow-tags", lease]
        try:
            done = await git(
                [*args, "--end-of-options", _url(url), f"{names.sha(sha)}:{full}"],
                git_dir=git_dir_of(repo),
                remote=url,
                token=token,
                timeout_s=NETWORK_S,
            )
        except Deadline as late:
            raise Uncertain(str(late)) from late
        if done.code:
            raise network_error("push", done, wrote=True)

    async def _fetch(
        self, mirror: Path, url: str, specs: Sequence[str], token: str, *options: str
    ) -> None:
        args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"]
        done = await git(
            [*args, *options, "--end-of-options", _url(url), *specs],
            git_dir=mirror,
            remote=url,
            token=token,
            timeout_s=NETWORK_S,
        )
        if done.code:
            raise network_error("fetch", done, wrote=False)

    @contextlib.asynccontextmanager
    async def _locked(self, mirror: Path) -> AsyncIterator[None]:
        """The one place for changes of a mirror, among all processes of this machine."""
        handle = os.open(f"{mirror}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await _lock(handle, mirror.name)
            yield
        finally:
            os.close(handle)


async def _lock(handle: int, name: str) -> None:
    """Wait for the lock, which ends with its handle. Raises Deadline."""
    try:
        async with asyncio.timeout(LOCK_S):
            while not _try_lock(handle):  # noqa: ASYNC110 (another process has no event to set)
                await asyncio.sleep(0.05)
    except TimeoutError as late:
        raise Deadline(f"the mirror {name} was locked for {LOCK_S:.0f} s") from late


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _url(text: str) -> str:
    """A remote: http(s) without credentials in it, or an absolute path."""
    plain = re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/[^\x00-\x20\x7f?#@]*)?", text)
    if not (plain or (is_local(text) and "\0" not in text)):
        raise names.BadName("a remote is an http(s) URL without credentials, or an absolute path")
    return text
