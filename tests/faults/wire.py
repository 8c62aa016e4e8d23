"""The wire in both directions, and what goes wrong on it.

A request of the bot is carried out in a task of the hub's, so that it is applied even where the
process that sent it is gone.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from bot.errors import StepError, Transient, Uncertain
from bot.localhub.hub import LocalHub
from tests.faults.boot import Boot, outside

API = "/api/v3"
HTML = b"<!DOCTYPE html><title>Unicorn!</title>"
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
REFUSED = {"message": "Resource not accessible by integration"}
PRIMARY_S = 3300.0

Make = Callable[[float], dict[str, Any]]  #: at an instant, the arguments of `Faults.add`

#: Kinds of trouble with an API call. What says "after" was carried out before it went wrong.
API_TROUBLES: dict[str, Make] = {
    "500 before": lambda _: {"status": 500},
    "502 before": lambda _: {"status": 502},
    "502 after": lambda _: {"status": 502, "apply": True},
    "504 after": lambda _: {"status": 504, "apply": True},
    "reset before": lambda _: {"reset": True},
    "reset after": lambda _: {"reset": True, "apply": True},
    "trickle after": lambda _: {"status": 0, "delay_s": 60.0},
    "HTML with 200 before": lambda _: {"status": 200, "body": HTML},
    "HTML with 200 after": lambda _: {"status": 200, "body": HTML, "apply": True},
    "429 with retry-after": lambda _: {"status": 429, "headers": {"retry-after": "45"}},
    "403 secondary with header": lambda _: {
        "status": 403,
        "headers": {"retry-after": "60"},
        "body": SECONDARY,
    },
    "403 secondary without header": lambda _: {"status": 403, "body": SECONDARY},
    "403 primary, reset in 55 minutes": lambda now: {
        "status": 403,
        "headers": {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(now + PRIMARY_S))},
        "body": {"message": "API rate limit exceeded"},
    },
    "403 not accessible": lambda _: {"status": 403, "body": REFUSED},
    "401 in mid-phase": lambda _: {"status": 401, "body": {"message": "Bad credentials"}},
}
OTHER_TROUBLES = ("no connection", "token expired")
GIT_TROUBLES = ("fetch fails", "push fails before", "push fails after")


@dataclass(slots=True, kw_only=True)
class Trouble:
    """Strikes `times` requests that match, from the `nth` on."""

    kind: str
    where: str  #: regular expression on "METHOD path"; of git: ignored
    nth: int = 1
    times: int = 1
    seen: int = 0
    hits: int = 0

    def strikes(self, request: str) -> bool:
        if self.hits >= self.times or not re.search(self.where, request):
            return False
        self.seen += 1
        if self.seen < self.nth:
            return False
        self.hits += 1
        return True


@dataclass(slots=True)
class Line:
    """What lies between bot and hub."""

    hub: LocalHub
    now: Callable[[], float]
    troubles: list[Trouble] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    on_hit: Callable[[str], None] = lambda _kind: None
    installation: int = 0
    down: Callable[[], int | None] = lambda: None  #: the status of every answer, if the hub is down

    def git(self, verb: str, applied: bool) -> StepError | None:
        """The trouble that a fetch or a push meets."""
        if not applied and (status := self.down()) is not None:
            return Transient(f"git {verb}: the requested URL returned error: {status}")
        kind = f"{verb} fails" + ("" if verb == "fetch" else " after" if applied else " before")
        trouble = self._find({kind}, verb)
        if trouble is None:
            return None
        text = f"git {verb}: the remote end hung up unexpectedly"
        return Uncertain(text) if applied else Transient(text)

    def request(self, request: httpx.Request) -> None:
        """Prepare the trouble that this request meets. Raises where it never leaves."""
        path = request.url.raw_path.decode().partition("?")[0].removeprefix(API)
        if (status := self.down()) is not None:
            body = {"message": "Bad credentials" if status == 401 else "Unicorn!"}
            where = f"^{re.escape(path)}$"
            self.hub.faults.add(request.method, where, status=status, body=body)
            return
        trouble = self._find({*API_TROUBLES, *OTHER_TROUBLES}, f"{request.method} {path}")
        if trouble is None:
            return
        if trouble.kind == "no connection":
            raise httpx.ConnectError("no connection, by script")
        if trouble.kind == "token expired":
            self.hub.expire_tokens(self.installation)
            return
        made = API_TROUBLES[trouble.kind](self.now())
        self.hub.faults.add(request.method, f"^{re.escape(path)}$", **made)

    def _find(self, kinds: set[str], request: str) -> Trouble | None:
        found = next((t for t in self.troubles if t.kind in kinds and t.strikes(request)), None)
        if found is not None:
            self.hits[found.kind] += 1
            self.on_hit(found.kind)
        return found


class Outward(httpx.AsyncBaseTransport):
    """The bot's way to the hub, for one boot."""

    def __init__(self, line: Line, boot: Boot) -> None:
        self._line = line
        self._boot = boot
        self._hub = httpx.ASGITransport(line.hub.asgi)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._boot.alive()
        await request.aread()
        self._line.request(request)
        done = outside(self._answer(request))
        answer: httpx.Response = await asyncio.shield(done)
        await self._boot.alive()
        return answer

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._hub.handle_async_request(request)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)


class Inward(httpx.AsyncBaseTransport):
    """The hub's way to the bot: to the boots that listen now, in turn."""

    def __init__(self) -> None:
        self.listens: dict[Boot, Any] = {}  #: boot → its application
        self.accepted: set[str] = set()  #: GUIDs of what we said that we have

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self.listens:
            raise httpx.ConnectError("nobody listens")
        boot, app = next(iter(self.listens.items()))
        self.listens[boot] = self.listens.pop(boot)  # the next one is another's
        await request.aread()
        answering = boot.run(httpx.ASGITransport(app).handle_async_request(request))
        dying = asyncio.create_task(boot.dead.wait())
        await asyncio.wait((answering, dying), return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if boot.dead.is_set() or answering.cancelled():
            raise httpx.ReadError("the process ended before it answered")
        response = answering.result()
        body = await response.aread()
        if response.status_code < 300 and json.loads(body)["status"] != "ignored":
            self.accepted.add(request.headers["x-github-delivery"])
        return httpx.Response(response.status_code, headers=response.headers, content=body)
