"""One API request on its way through the hub: route, call, answer."""

import math
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from bot.localhub.auth import Actor
from bot.localhub.errors import Refused, invalid, not_found, unprocessable
from bot.localhub.faults import Faults
from bot.localhub.gitrepo import Signature
from bot.localhub.moments import instant
from bot.localhub.shapes_code import noreply
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account
from bot.localhub.types import Json
from bot.localhub.world import World

MAX_PER_PAGE = 100
BODY_LIMIT = 65_536  #: characters of an issue, a comment, a pull request or a review

#: Parameters whose values may hold slashes.
_DEEP = {"path", "ref", "branch", "basehead"}


class Dated(Protocol):
    """A row that says when it was made."""

    created_at: float


Row = TypeVar("Row", bound=Dated)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, JSON (None for no body) and extra headers."""

    status: int = 200
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """A request after authentication, with the repository that its path names."""

    world: World
    actor: Actor
    faults: Faults
    method: str
    path: str
    params: dict[str, str]
    query: dict[str, str]
    body: Json
    found_repo: Repository | None = None

    @property
    def repo(self) -> Repository:
        if self.found_repo is None:
            raise not_found()
        return self.found_repo

    @property
    def who(self) -> Account:
        """The account that acts. Raises 401 for anonymous callers."""
        if self.actor.account is None:
            raise Refused(401, "Requires authentication")
        return self.actor.account

    @property
    def signature(self) -> Signature:
        """Who commits when this caller makes the hub commit."""
        return Signature(name=self.who.login, email=noreply(self.who), at=self.world.now())

    def number(self, name: str) -> int:
        """A number from the path. Raises 404 for anything else."""
        text = self.params[name]
        if not text.isdigit() or len(text) > 18:
            raise not_found()
        return int(text)

    def text(self, name: str, resource: str, *, limit: int = BODY_LIMIT) -> str:
        """A required text of the body. Raises 422 where it is missing, blank or too long."""
        value = self.body.get(name)
        if value is None or value == "":
            raise invalid(resource, name, "missing_field")
        if not isinstance(value, str):
            raise invalid(resource, name, "invalid")
        return limited(value, name, resource, limit)

    def optional(self, name: str, resource: str, *, limit: int = BODY_LIMIT) -> str | None:
        """A text of the body that may be missing or null."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid(resource, name, "invalid")
        return limited(value, name, resource, limit)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean of the body."""
        value = self.body.get(name, default)
        if not isinstance(value, bool):
            raise invalid("Request", name, "invalid")
        return value

    def since(self) -> float | None:
        """The instant of ``since=``, or None. Raises 422 for what is not a time."""
        text = self.query.get("since")
        if text is None:
            return None
        try:
            return instant(text)
        except ValueError as error:
            raise unprocessable("since is not a valid ISO 8601 time") from error

    def visible(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that a reader can see already; what is too fresh is left out."""
        lag = self.faults.lag_s if self.method == "GET" else 0.0
        if not lag:
            return list(rows)
        return [row for row in rows if self.world.now() - row.created_at >= lag]

    def seen(self, row: Row | None) -> Row:
        """The row, or 404 where it is missing or too fresh to be read."""
        if row is None or not self.visible([row]):
            raise not_found()
        return row

    def page(self, items: Sequence[Item], shape: Callable[[Item], Json]) -> Answer:
        """One page of a list, with the ``Link`` header that leads to the others."""
        chosen, headers = self.cut(items)
        return Answer(json=[shape(item) for item in chosen], headers=headers)

    def page_in(self, key: str, items: Sequence[Item], shape: Callable[[Item], Json]) -> Answer:
        """Like ``page``, in an object with ``total_count``, as the newer lists are."""
        chosen, headers = self.cut(items)
        body = {"total_count": len(items), key: [shape(item) for item in chosen]}
        return Answer(json=body, headers=headers)

    def cut(self, items: Sequence[Item]) -> tuple[Sequence[Item], dict[str, str]]:
        """The items of the page that the query asks for, and its ``Link`` header."""
        size = min(max(self.whole("per_page", 30), 1), MAX_PER_PAGE)
        page = max(self.whole("page", 1), 1)
        last = max(math.ceil(len(items) / size), 1)
        links = []
        if page < last:
            links += [(page + 1, "next"), (last, "last")]
        if page > 1:
            links += [(min(page - 1, last), "prev"), (1, "first")]
        headers = {"Link": ", ".join(self._link(*link) for link in links)} if links else {}
        return items[(page - 1) * size : page * size], headers

    def _link(self, page: int, rel: str) -> str:
        query = urlencode(self.query | {"page": str(page)})
        return f'<{self.world.api}{self.path}?{query}>; rel="{rel}"'

    def whole(self, name: str, default: int) -> int:
        text = self.query.get(name, "")
        return int(text) if text.isdigit() else default


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the routing table.

    ``needs`` is the permission an App's token must hold (``|`` means either), ``role`` the least
    role a person must have. ``needs`` may also be "app" (a JWT only), "installation" (a token
    only), "user" or "" (anybody).
    """

    method: str
    template: str
    handler: Handler
    needs: str = ""
    role: str = "read"

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def pattern(self) -> re.Pattern[str]:
        return _pattern(self.template)


def _pattern(template: str) -> re.Pattern[str]:
    def group(match: re.Match[str]) -> str:
        name = match[1]
        return f"(?P<{name}>{'.+' if name in _DEEP else '[^/]+'})"

    return re.compile(re.sub(r"\\\{(\w+)\\\}", group, re.escape(template)) + r"/?\Z")


def limited(value: str, name: str, resource: str, limit: int) -> str:
    """The text, unless it is too long: 422 with GitHub's sentence."""
    if len(value) > limit:
        raise invalid(
            resource, name, "custom", f"{name} is too long (maximum is {limit} characters)"
        )
    return value


def created(json: Any) -> Answer:
    """201 with what was made."""
    return Answer(status=201, json=json)


EMPTY = Answer(status=204)


def one_of(value: str, allowed: Iterable[str], name: str) -> str:
    """The value, or 422 where it is not one of the words that are allowed."""
    if value not in allowed:
        raise unprocessable(
            f"Invalid request.\n\n{value!r} is not a member of {sorted(allowed)}: {name}"
        )
    return value
