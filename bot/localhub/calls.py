"""What was asked of the hub: one line for each request, to count and to check."""

from collections import Counter
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer. ``route`` is the template, e.g. ``POST /app/...``."""

    method: str
    route: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    raw_body: bytes
    actor: str
    status: int
    response: Any
    response_headers: dict[str, str]
    at: float
    #: "api", "graphql" or "git".
    kind: str = "api"


class Calls(list[Exchange]):
    """Every request in order, oldest first."""

    def by_route(self) -> "Counter[str]":
        """How often each route was asked; GraphQL by the name of its mutation or query."""
        return Counter(call.route for call in self)

    def made_by(self, actor: str) -> "Calls":
        """The calls of one login."""
        return Calls(call for call in self if call.actor == actor)
