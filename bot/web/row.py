"""One line of the route table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.responses import Response

from bot.web.auth import Scope
from bot.web.call import Call

Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Who serves what, who may ask, and what goes in and out."""

    method: str
    path: str
    handler: Handler
    scope: Scope = Scope.READ
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    gives: type[BaseModel] | None = None
    status: int = 200
    media_type: str = "application/json"
