"""The effective configuration of a repository: its own file, the organisation's, the server's.

A task keeps the configuration of its base SHA, which this machine's mirror has once the task has
begun; new work reads the default branch. That is asked of the hub, file by file: nobody who only
has to know what counts waits for a clone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar
from weakref import WeakValueDictionary

from bot.config.layers import Effective, load_repo_config
from bot.domain import RepoRef, Task
from bot.github.git import Git
from bot.workflow.workspace import Origin

PATH = ".github/chimera.yml"
SHARED_IN = ".github"  #: the owner's repository whose file is for all of them
SHARED = "chimera.yml"  #: its name there
SHARED_FRESH_S = 600.0
MAX_BYTES = 1024 * 1024  #: GitHub sends no more; a file above 64 KiB is told as too large
FRESH_S = 60.0  #: how long the file of a default branch is taken for new
MAX_KNOWN = 1000  #: configurations and files in memory

K = TypeVar("K")
V = TypeVar("V")
Layers = list[tuple[str, bytes]]  #: name and bytes, the nearest first
ReadFile = Callable[[RepoRef, str, str], Awaitable[bytes | None]]
"""A file of a repository as the hub has it: repository, path, branch or commit."""


class Configs:
    """Reads configurations; remembers those of commits, which never change."""

    def __init__(
        self,
        git: Git,
        origin_of: Callable[[RepoRef], Origin],
        now: Callable[[], float],
        server: tuple[str, bytes] | None = None,
        read: ReadFile | None = None,
    ) -> None:
        """`read` is needed by all but local runs, which have no repository on a hub."""
        self._git = git
        self._origin_of = origin_of
        self._now = now
        self._server = server
        self._read = read
        self._files: dict[tuple[str, ...], tuple[float, bytes | None]] = {}
        self._reading: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()
        self._known: dict[tuple[str, str], Effective] = {}
        self._valid: dict[int, tuple[Layers, Effective]] = {}

    async def of_task(self, task: Task, origin: Origin) -> Effective:
        """The configuration that the task keeps; before it has a base, the newest. Raises
        ConfigError.
        """
        if sha := _kept(task):
            return await self._at(origin, sha)
        return await self._read_at(origin, await self._head(origin))

    async def shown(self, task: Task) -> Effective:
        """The same for whoever only tells of the task: without a base, at most a minute old."""
        assert task.repo is not None, "a task without a repository is shown nowhere"
        if not (sha := _kept(task)):
            return await self.current(task.repo)
        return await self._at(self._origin_of(task.repo), sha)

    async def current(self, repo: RepoRef) -> Effective:
        """The configuration of the default branch, at most a minute old. Raises ConfigError."""
        own = await self._fresh(repo, PATH, repo.default_branch, FRESH_S)
        layers = await self._layers(repo, own)
        valid = self._valid.get(repo.id)
        if valid is None or valid[0] != layers:
            valid = self._valid[repo.id] = (layers, load_repo_config(layers))
        return valid[1]

    def last_valid(self, repo: RepoRef) -> Effective | None:
        """What `current` gave last, since this process began; None where it never could."""
        valid = self._valid.get(repo.id)
        return valid[1] if valid is not None else None

    def outdated(self, repo: RepoRef) -> None:
        """The default branch was pushed to."""
        for path in (PATH, SHARED):
            self._files.pop(_place(repo, path), None)

    async def _head(self, origin: Origin) -> str:
        mirror = await self._git.mirror(origin.url, origin.key, await origin.token())
        return await self._git.rev_parse(mirror, f"refs/heads/{origin.default_branch}") or ""

    async def _at(self, origin: Origin, sha: str) -> Effective:
        known = self._known.get((origin.key, sha))
        return known if known is not None else await self._read_at(origin, sha)

    async def _read_at(self, origin: Origin, sha: str) -> Effective:
        """Read anew, for the owner's file may be another one since."""
        own = await self._of_commit(origin, sha) if sha else None
        found = load_repo_config(await self._layers(origin.repo, own))
        _keep(self._known, (origin.key, sha), found)
        return found

    async def _of_commit(self, origin: Origin, sha: str) -> bytes | None:
        """The file at a commit, which another machine may have fetched, and this one not."""
        mirror = self._git.mirror_path(origin.key)
        here = mirror.exists() and await self._git.rev_parse(mirror, sha) is not None
        if not here and self._read is not None and origin.repo is not None:
            return await self._read(origin.repo, PATH, sha)
        return await self._git.show(mirror, sha, PATH, limit=MAX_BYTES)

    async def _layers(self, repo: RepoRef | None, own: bytes | None) -> Layers:
        layers = [(PATH, own)] if own is not None else []
        if repo is not None and (shared := await self._of_owner(repo)) is not None:
            layers.append((f"{repo.owner}/{SHARED_IN}:{SHARED}", shared))
        return [*layers, self._server] if self._server is not None else layers

    async def _of_owner(self, repo: RepoRef) -> bytes | None:
        """The file for all repositories of an owner, in its `.github` repository, if we see it."""
        return await self._fresh(replace(repo, name=SHARED_IN), SHARED, "", SHARED_FRESH_S)

    async def _fresh(self, repo: RepoRef, path: str, ref: str, most_s: float) -> bytes | None:
        """A file as the hub has it, or had it at most so many seconds ago."""
        if self._read is None:
            return None
        place = _place(repo, path)
        async with self._reading.setdefault(place, asyncio.Lock()):  # two at once ask once
            at, known = self._files.get(place, (0.0, None))
            if self._now() - at > most_s:
                known = await self._read(repo, path, ref)
                _keep(self._files, place, (self._now(), known))
        return known


def _place(repo: RepoRef, path: str) -> tuple[str, ...]:
    return (repo.owner, repo.name, path)


def _keep(known: dict[K, V], key: K, value: V) -> None:
    """Remember it, and forget what was learned first where that is too much."""
    known[key] = value
    if len(known) > MAX_KNOWN:
        known.pop(next(iter(known)))


def _kept(task: Task) -> str:
    """The commit whose configuration the task keeps, whatever its base becomes; empty: none yet."""
    return task.facts.config_sha or task.facts.base_sha
