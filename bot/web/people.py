"""People of GitHub: what they may see and do here is what they may there, asked as the App."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.config.choices import RepoRole, Verb
from bot.config.repo import RepoConfig
from bot.domain import RepoRef
from bot.errors import AuthFailed, NotPermitted, Refused
from bot.github.memory import Memory
from bot.github.oauth import OAuth
from bot.github.repo import Repo
from bot.log import get
from bot.tasks.queue import TaskQueue
from bot.workflow.commands import TABLE, least_role

AT_ONCE = 10  #: roles asked for at one time
VISIBLE_S = 600.0  #: how long what a person may see is remembered: a call for each repository

_log = get("web")


@dataclass(frozen=True, slots=True, kw_only=True)
class HubPeople:
    """Bound to one house. Everything but `sign_in_address` raises as `GitHub.call` does."""

    queue: TaskQueue
    repo_of: Callable[[RepoRef], Repo]
    config_of: Callable[[RepoRef], Awaitable[RepoConfig]]
    now: Callable[[], float]
    memory: Memory
    oauth: OAuth | None = None  #: None: nobody can sign in, and a proxy may still name them
    admins: frozenset[str] = frozenset()  #: logins in lower case

    def sign_in_address(self, state: str, challenge: str) -> str:
        """GitHub's page that asks the person; empty where nobody can sign in."""
        return self.oauth.address(state, challenge) if self.oauth is not None else ""

    async def signed_in(self, code: str, verifier: str) -> str:
        """The login of whom GitHub sent back with this code. Raises NotPermitted."""
        if self.oauth is None:
            raise NotPermitted("nobody can sign in with GitHub here")
        return await self.oauth.login(code, verifier, now=self.now())

    async def visible(self, login: str) -> frozenset[int] | None:
        """The repositories with tasks that the person may read; None: an admin, who sees all."""
        if login.lower() in self.admins:
            return None
        repos = await self.queue.repositories()
        key = ("visible", login.lower(), len(repos))  # a repository that is new is asked about
        known = self.memory.get(key)
        if known is None:
            readable = await self._readable(repos, login)
            known = self.memory.keep(key, " ".join(map(str, readable)), for_s=VISIBLE_S)
        return frozenset(map(int, known.split()))

    async def verbs(self, repo: RepoRef, login: str) -> frozenset[Verb]:
        """What the person's role covers, with the repository's own say on roles."""
        role = await self._role(repo, login)
        if role not in set(RepoRole):  # one that an organisation made up, or none
            return frozenset()
        overrides = (await self.config_of(repo)).commands
        return frozenset(
            spec.verb for spec in TABLE if RepoRole(role).covers(least_role(spec.verb, overrides))
        )

    async def _readable(self, repos: Sequence[RepoRef], login: str) -> list[int]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(repo: RepoRef) -> str:
            async with gate:
                return await self._role(repo, login)

        roles = await asyncio.gather(*(ask(repo) for repo in repos))
        return [repo.id for repo, role in zip(repos, roles, strict=True) if role != "none"]

    async def _role(self, repo: RepoRef, login: str) -> str:
        try:
            return await self.repo_of(repo).role_of(login)
        except (Refused, AuthFailed) as error:  # deleted, transferred, uninstalled, suspended
            _log.info("role_unknown", repository=repo.full_name, by=login, error=str(error))
            return "none"
