"""The effective configuration of a repository: its own file, the organisation's, the server's.

A task keeps the configuration of its base SHA; new work reads the default branch. Files come out
of the git mirror, so reading them costs no API call.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.config.layers import Effective, load_repo_config
from bot.domain import RepoRef, Task
from bot.github.git import Git
from bot.workflow.workspace import Origin

PATH = ".github/chimera.yml"
SHARED = "chimera.yml"  #: its name in the owner's `.github` repository
SHARED_FRESH_S = 600.0
MAX_BYTES = 64 * 1024 + 1  #: one more than is accepted, so that too much is told as such
FRESH_S = 60.0  #: how long the head of a default branch is taken for new


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read, and of which commit."""

    effective: Effective
    sha: str


class Configs:
    """Reads configurations; remembers those of commits, which never change."""

    def __init__(
        self,
        git: Git,
        origin_of: Callable[[RepoRef], Origin],
        now: Callable[[], float],
        server: tuple[str, bytes] | None = None,
        shared_file: Callable[[RepoRef], Awaitable[bytes | None]] | None = None,
    ) -> None:
        self._git = git
        self._origin_of = origin_of
        self._now = now
        self._server = server
        self._shared_file = shared_file
        self._shared: dict[str, tuple[float, bytes | None]] = {}
        self._known: dict[tuple[str, str], Effective] = {}
        self._heads: dict[int, tuple[float, str]] = {}
        self._valid: dict[int, Effective] = {}

    async def of_task(self, task: Task, origin: Origin) -> Effective:
        """The configuration that the task keeps; before it has a base, the newest. Raises
        ConfigError.
        """
        return await self._at(origin, _kept(task) or await self._head(origin))

    async def shown(self, task: Task) -> Effective:
        """The same for whoever only tells of the task: without a base, at most a minute old."""
        assert task.repo is not None, "a task without a repository is shown nowhere"
        if not (sha := _kept(task)):
            return await self.current(task.repo)
        return await self._at(self._origin_of(task.repo), sha)

    async def current(self, repo: RepoRef) -> Effective:
        """The configuration of the default branch, at most a minute old. Raises ConfigError."""
        origin = self._origin_of(repo)
        at, sha = self._heads.get(repo.id, (0.0, ""))
        if self._now() - at > FRESH_S:
            sha = await self._head(origin)
            self._heads[repo.id] = (self._now(), sha)
        self._valid[repo.id] = found = await self._at(origin, sha)
        return found

    def last_valid(self, repo: RepoRef) -> Effective | None:
        """What `current` gave last, since this process began; None where it never could."""
        return self._valid.get(repo.id)

    async def branches(self, repo: RepoRef, prefix: str) -> tuple[str, ...]:
        """The branches that begin so, as `current` has seen them last."""
        mirror = self._git.mirror_path(self._origin_of(repo).key)
        return await self._git.branches(mirror, prefix) if mirror.exists() else ()

    def outdated(self, repo: RepoRef) -> None:
        """The default branch was pushed to."""
        self._heads.pop(repo.id, None)

    async def _head(self, origin: Origin) -> str:
        mirror = await self._git.mirror(origin.url, origin.key, await origin.token())
        return await self._git.rev_parse(mirror, f"refs/heads/{origin.default_branch}") or ""

    async def _at(self, origin: Origin, sha: str) -> Effective:
        key = (origin.key, sha)
        if key not in self._known:
            self._known[key] = load_repo_config(await self._layers(origin, sha))
            if len(self._known) > 1000:
                self._known.pop(next(iter(self._known)))
        return self._known[key]

    async def _layers(self, origin: Origin, sha: str) -> list[tuple[str, bytes]]:
        mirror = self._git.mirror_path(origin.key)
        if sha and not mirror.exists():  # a restored store without its mirrors
            await self._head(origin)
        own = await self._git.show(mirror, sha, PATH, limit=MAX_BYTES) if sha else None
        layers = [(PATH, own)] if own is not None else []
        if origin.repo is not None and (shared := await self._of_owner(origin.repo)) is not None:
            layers.append((f"{origin.repo.owner}/.github:{SHARED}", shared))
        return [*layers, self._server] if self._server is not None else layers

    async def _of_owner(self, repo: RepoRef) -> bytes | None:
        """The file for all repositories of an owner, in its `.github` repository, if we see it."""
        at, known = self._shared.get(repo.owner, (0.0, None))
        if self._shared_file is None or self._now() - at < SHARED_FRESH_S:
            return known
        found = await self._shared_file(repo)
        self._shared[repo.owner] = (self._now(), found)
        return found


def _kept(task: Task) -> str:
    """The commit whose configuration the task keeps, whatever its base becomes; empty: none yet."""
    return task.facts.config_sha or task.facts.base_sha
