"""Everything the web layer is given. It opens nothing, makes nothing and reads no settings."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.config.choices import Verb
from bot.domain import Phase, RepoRef, Task
from bot.tasks.lasting import Lasting
from bot.tasks.pool import PoolMetrics
from bot.tasks.queue import TaskQueue
from bot.tasks.slots import Slots
from bot.tasks.tally import Tally
from bot.tasks.tokens import Tokens
from bot.tasks.trend import Trends

SECRET_FIX = "Set CHIMERA_WEBHOOK_SECRET to the secret of the App's webhook."
PROXY_FIX = "Connect the App (`chimera setup`): GitHub says what a login may see and do."


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A wish that came by API, checked; opening its labelled issue makes it a task."""

    feature: str
    repository: str  #: owner/name, the configured default filled in
    target_url: str
    priority: int
    issue: int = 0  #: 0: open one
    by: str = ""  #: the token's name, or "local"
    by_repos: frozenset[int] | None = None  #: the only ones that the token is for; None: all
    idempotency_key: str = ""  #: already bound to the token; empty: none was given
    request_hash: str = ""  #: of the whole request, to tell a repeat from a reuse of the key


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPart:
    """One thing that Chimera needs, as `/health` shows it."""

    name: str
    ok: bool
    detail: str  #: what is the case
    fix: str = ""  #: what a person can do about it; empty while ok


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What models have cost, all tasks together; a day is one of UTC."""

    today_usd: float
    limit_usd: float | None  #: of a day; None: there is none
    days: Mapping[str, float]  #: dollars by day (`2026-03-01`) where there were any


class People(Protocol):
    """People of GitHub: what they may see and do here is what they may there."""

    def sign_in_address(self, state: str, challenge: str) -> str:
        """Where a browser goes to say who it belongs to; empty: the App has no client secret."""
        ...

    async def signed_in(self, code: str, verifier: str) -> str:
        """The login of whom GitHub sent back with this code. Raises NotPermitted."""
        ...

    async def visible(self, login: str) -> frozenset[int] | None:
        """Numbers of the repositories whose tasks they may see; None: all, and the numbers too."""
        ...

    async def verbs(self, repo: RepoRef, login: str) -> frozenset[Verb]:
        """What their role in this repository lets them command."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The plain values that the doors need, copied out of the settings once."""

    webhook_secrets: tuple[str, ...] = ()
    default_repository: str = ""
    token_required: bool = False  #: also while no token exists yet
    allowed_hosts: frozenset[str] = frozenset()  #: `host` or `host:port`, exact, lower case
    hub_html_url: str = "https://github.com"  #: where links to issues and pull requests lead
    public_url: str = ""  #: by which browsers know this server; its scheme says if cookies are safe
    proxy_header: str = ""  #: in which a proxy of `proxies` names the person; empty: none does
    proxies: tuple[str, ...] = ()  #: networks of the proxies that are believed
    body_deadline_s: float = 15.0
    body_limit: int = 25 * 1024 * 1024  #: bytes; GitHub sends no larger delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class WebParts:
    """What `make_web` builds the doors from.

    The callables that change a task raise NotFound, WrongState or NotPermitted of `bot.errors`;
    the text of those is shown to the client.
    """

    queue: TaskQueue
    settings: WebSettings
    now: Callable[[], float]
    submit: Callable[[Submission], Awaitable[Task]]  #: NotPermitted outside of `by_repos`
    cancel: Callable[[str, str], Awaitable[Task]]  #: (task id, by)
    retry: Callable[[str, str, Phase | None], Awaitable[Task]]  #: (task id, by, from this phase)
    reprioritise: Callable[[str, str, int], Awaitable[Task]]  #: (task id, by, priority)
    discard: Callable[[str, str], Awaitable[Task]]  #: (id of a dead task, by)
    tokens: Tokens
    lasting: Lasting
    tally: Tally
    trends: Trends
    slots: Slots
    pool_metrics: Callable[[], Awaitable[PoolMetrics]]
    health: Callable[[], Awaitable[Sequence[HealthPart]]]
    evidence: Callable[[Task], Awaitable[Mapping[str, Any]]]  #: the bundle of a task as it stands
    steer: Callable[[str, str, Verb, str], Awaitable[Task]]  #: (task id, by, verb, what follows it)
    money: Callable[[], Awaitable[Money]]
    session_key: bytes = field(repr=False)  #: what sessions and forms are signed with
    people: People | None = None  #: None: there is no hub, so nobody can be asked for their role
    ready: Callable[[], bool] = lambda: True
    draining: Callable[[], bool] = lambda: False


def repository_of(repo: RepoRef | None) -> str:
    """owner/name, or nothing for a local run."""
    return repo.full_name if repo is not None else ""
