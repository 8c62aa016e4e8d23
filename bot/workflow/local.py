"""The same workflow on a local git repository, with no hub at all: `chimera run`, or a program.

The store, the ledger, the cage, git and the gates are the real ones; what needs a hub is skipped
and says so. What stays is a branch in the repository.
"""

import asyncio
import contextlib
import hashlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from bot.agents.cage import Cage
from bot.agents.roster import Prompts
from bot.domain import Role
from bot.errors import ConfigError, InputError
from bot.github.git import Git
from bot.github.git_process import git as run_git
from bot.github.git_program import git_program
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.workflow.context import Contexts, Tools
from bot.workflow.phases.step import AgentsRegistry
from bot.workflow.repoconfig import Configs
from bot.workflow.workspace import Origin

ASKED = (Role.E2E_TESTER, Role.CODER, Role.GUARDIAN)  #: without a hub nothing is dispatched


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalParts:
    """An executor's parts on one local repository."""

    tools: Tools
    contexts: Contexts

    @property
    def queue(self) -> TaskQueue:
        return self.tools.queue


@contextlib.asynccontextmanager
async def local_parts(
    repository: Path,
    agents: AgentsRegistry,
    *,
    now: Callable[[], float],
    config: tuple[str, bytes] | None = None,
    cage: Cage | None = None,
) -> AsyncIterator[LocalParts]:
    """Everything that a local run needs, gone afterwards.

    Raises InputError, ConfigError where an agent is missing, CageMissing, GitMissing.
    """
    _all_there(agents)
    await git_program()
    origin = await local_origin(repository)
    with tempfile.TemporaryDirectory(prefix="chimera-run-") as scratch:
        folder = Path(scratch)
        store = await SqliteStore.open(folder / "chimera.db")
        try:
            git = Git(folder / "git")
            queue = TaskQueue(store, now)
            tools = Tools(
                queue=queue,
                ledger=Ledger(store, now),
                lasting=Lasting(store, now),
                git=git,
                cage=cage or await Cage.open(),
                agents=agents,
                prompts=Prompts(),
                configs=Configs(git, lambda _repo: origin, now, config),
                origin_of=lambda _repo: origin,
                now=now,
                probe=_no_probe,
                folder=folder / "work",
                hmac_key=secrets.token_bytes(32),
                quiet_s=0.0,
            )
            yield LocalParts(tools=tools, contexts=Contexts(tools))
        finally:
            await store.close()


async def local_origin(repository: Path) -> Origin:
    """The repository that a directory of this machine is, or lies in; its branch is the base.

    What is not committed is left out. Raises InputError, with what to do, where there is no
    repository, no commit or no branch.
    """
    path = await asyncio.to_thread(_root, repository)
    if path is None:
        raise InputError(
            f"{repository} is not in a git repository; run `git init` and commit there"
        )
    if not await asked_of(path, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
        raise InputError(f"{path} has no commit yet; `git add` what is there and `git commit` it")
    branch = await asked_of(path, "symbolic-ref", "--quiet", "--short", "HEAD")
    if not branch:
        raise InputError(
            f"{path} is at a detached commit; give it a branch first: `git switch -c NAME`"
        )

    async def no_token() -> str:
        return ""

    key = "local-" + hashlib.sha256(str(path).encode()).hexdigest()[:24]
    return Origin(url=str(path), key=key, default_branch=branch, token=no_token)


async def asked_of(repository: Path, *args: str) -> str:
    """What git says about a person's repository; empty where it says no."""
    if _has_git(repository):
        done = await run_git(args, git_dir=repository / ".git", work_tree=repository)
    else:
        done = await run_git(args, git_dir=repository)
    return done.text if done.code == 0 else ""


def _all_there(agents: AgentsRegistry) -> None:
    missing = [role.value for role in ASKED if role not in agents]
    if missing:
        raise ConfigError(
            f"No agent is configured for {', '.join(missing)}. Name one for all roles with --agent "
            "(llm:PROVIDER:MODEL, command:PROGRAM or replay:FILE), in a program with "
            "agents_registry, or set CHIMERA_MODEL and its key"
        )


def _root(directory: Path) -> Path | None:
    """The work tree around a directory, or a bare repository."""
    real = directory.resolve()
    return next((path for path in (real, *real.parents) if _has_git(path) or _is_bare(path)), None)


def _has_git(path: Path) -> bool:
    return (path / ".git").exists()  # a file in a linked work tree


def _is_bare(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir()


async def _no_probe(_url: str) -> str | None:
    return None
