"""The REST API as one ASGI endpoint: route, caller, permission, handler, answer, log."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from bot.localhub import auth, graphql
from bot.localhub.auth import ANONYMOUS, Actor
from bot.localhub.calls import Calls, Exchange
from bot.localhub.errors import Refused, forbidden, not_found, unprocessable
from bot.localhub.faults import Fault, Faults, Reset, delay
from bot.localhub.gitrepo import GitFailed
from bot.localhub.routes import ROUTES
from bot.localhub.state import Repository
from bot.localhub.types import Json
from bot.localhub.wire import Answer, Call, Route
from bot.localhub.world import World

API_VERSION = "2022-11-28"
MAX_BODY = 10 * 1024 * 1024
HOURLY_LIMIT = 5000
_BY_ID = re.compile(r"/repositories/(\d+)(/.*)?\Z")
_TABLE = [(route, route.pattern) for route in ROUTES]

OnExchange = Callable[[Exchange], None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request as it came in."""

    request: Request
    path: str  #: below the API's base, still percent-encoded
    raw: bytes
    kind: str


class Rest:
    """The API's front door; counts and logs what goes through."""

    def __init__(self, world: World, faults: Faults, calls: Calls) -> None:
        self.world = world
        self.faults = faults
        self.calls = calls
        self.on_exchange: OnExchange = None
        self._used: dict[str, tuple[int, float]] = {}

    async def rest(self, request: Request) -> Response:
        """Answer one REST request."""
        path = request.scope["raw_path"].decode().partition("?")[0].partition("/api/v3")[2] or "/"
        return await self._exchange(request, path, "api")

    async def graphql(self, request: Request) -> Response:
        """Answer one GraphQL request."""
        return await self._exchange(request, "/graphql", "graphql")

    async def _exchange(self, request: Request, path: str, kind: str) -> Response:
        raw = await request.body()
        asked = _Asked(request=request, path=path, raw=raw, kind=kind)
        fault = self.faults.take(request.method, path)
        spoils = fault is not None and (fault.status or fault.reset)
        if fault is not None and spoils and not fault.apply:
            await delay(fault)
            return self._spoilt(asked, fault, _name(request.method, path), ANONYMOUS)
        answer, route, actor = await self._handle(request, path, raw, kind)
        response = self._respond(request, answer, actor)
        if fault is not None:
            await delay(fault)
            if spoils:
                return self._spoilt(asked, fault, route, actor)
        self._log(asked, response, answer.json, actor, route)
        return response

    def _spoilt(self, asked: _Asked, fault: Fault, route: str, actor: Actor) -> Response:
        response = Response(fault.body, fault.status or 502, headers=fault.headers)
        if "content-type" not in response.headers:
            response.headers["content-type"] = "application/json; charset=utf-8"
        self._log(asked, response, None, actor, route)
        return Reset() if fault.reset else response

    async def _handle(
        self, request: Request, path: str, raw: bytes, kind: str
    ) -> tuple[Answer, str, Actor]:
        actor, name = ANONYMOUS, _name(request.method, path)
        try:
            actor = auth.identify(self.world, request.headers.get("authorization", ""))
            body = _body(raw)
            if kind == "graphql":
                name = graphql.operation(body)
                return (
                    await graphql.execute(self._call(request, path, {}, body, actor)),
                    name,
                    actor,
                )
            route, params = _find(request.method, self._renamed(path))
            name = route.name
            call = self._call(request, path, params, body, actor)
            self._admit(call, route, path)
            return await route.handler(call), name, actor
        except Refused as refusal:
            return _refused(refusal, request), name, actor
        except GitFailed as error:
            return _refused(unprocessable(str(error)), request), name, actor

    def _call(
        self, request: Request, path: str, params: dict[str, str], body: Json, actor: Actor
    ) -> Call:
        return Call(
            world=self.world,
            actor=actor,
            faults=self.faults,
            method=request.method,
            path=path,
            params=params,
            query=dict(request.query_params),
            body=body,
        )

    def _renamed(self, path: str) -> str:
        """``/repositories/{id}/...`` is the same as ``/repos/{owner}/{repo}/...``."""
        match = _BY_ID.match(path)
        if match is None:
            return path
        repo = self.world.repositories.get(int(match[1]))
        if repo is None:
            raise not_found()
        return f"/repos/{repo.full_name}{match[2] or ''}"

    def _admit(self, call: Call, route: Route, path: str) -> None:
        """Who may not is turned away here; the repository is put into the call."""
        if "repo" in call.params:
            call.found_repo = self._repository(call, path)
        if route.needs == "app":
            if call.actor.via != "app":
                raise Refused(401, "A JSON web token could not be decoded")
        elif route.needs == "installation":
            if call.actor.via != "installation":
                raise forbidden("You must authenticate with an installation access token")
        elif route.needs == "user":
            call.who  # noqa: B018 - raises 401 for anonymous callers
        elif call.found_repo is not None:
            self._admit_to(call, route, call.found_repo)

    def _repository(self, call: Call, path: str) -> Repository:
        try:
            return self.world.repository(call.params["owner"], call.params["repo"])
        except Refused as refusal:
            if refusal.location:
                tail = path.split("/", 4)[4:]
                refusal.location += "".join(f"/{part}" for part in tail)
            raise

    def _admit_to(self, call: Call, route: Route, repo: Repository) -> None:
        reading = route.method == "GET"
        auth.require(self.world, call.actor, repo, route.needs, route.role, reading=reading)
        if repo.archived and not reading:
            raise forbidden("Repository was archived so is read-only.")

    def _respond(self, request: Request, answer: Answer, actor: Actor) -> Response:
        headers = self._headers(actor) | answer.headers
        if answer.raw is not None:
            return Response(answer.raw, answer.status, headers=headers)
        if answer.json is None:
            return Response(status_code=answer.status, headers=headers)
        content = json.dumps(answer.json, ensure_ascii=False).encode("utf-8", "surrogatepass")
        headers["content-type"] = "application/json; charset=utf-8"
        if request.method == "GET" and answer.status == 200:
            etag = f'W/"{hashlib.sha256(content).hexdigest()}"'
            headers["ETag"] = etag
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304, headers=headers)
        return Response(content, answer.status, headers=headers)

    def _headers(self, actor: Actor) -> dict[str, str]:
        key = str(actor.installation.id) if actor.installation else actor.name
        used, reset = self._used.get(key, (0, 0.0))
        if reset <= self.world.now():
            used, reset = 0, self.world.now() + 3600
        used += 1
        self._used[key] = used, reset
        return {
            "Date": formatdate(self.world.now(), usegmt=True),
            "X-GitHub-Request-Id": uuid.uuid4().hex.upper(),
            "X-GitHub-Api-Version-Selected": API_VERSION,
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-RateLimit-Limit": str(HOURLY_LIMIT),
            "X-RateLimit-Remaining": str(max(HOURLY_LIMIT - used, 0)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int(reset)),
            "X-RateLimit-Resource": "core",
        }

    def _log(self, asked: _Asked, response: Response, shape: Any, actor: Actor, route: str) -> None:
        exchange = Exchange(
            method=asked.request.method,
            route=route,
            path=unquote(asked.path),
            query=dict(asked.request.query_params),
            headers=dict(asked.request.headers),
            body=_readable(asked.raw),
            raw_body=asked.raw,
            actor=actor.name,
            status=response.status_code,
            response=shape,
            response_headers=dict(response.headers),
            at=self.world.now(),
            kind=asked.kind,
        )
        self.calls.append(exchange)
        if self.on_exchange is not None:
            self.on_exchange(exchange)


def _find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    for route, pattern in _TABLE:
        if route.method == method:
            match = pattern.match(path)
            if match is not None:
                return route, {key: unquote(value) for key, value in match.groupdict().items()}
    raise not_found()


def _name(method: str, path: str) -> str:
    try:
        return _find(method, path)[0].name
    except Refused:
        return f"{method} {path}"


def _body(raw: bytes) -> Json:
    if len(raw) > MAX_BODY:
        raise Refused(413, "Payload too large")
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Refused(400, "Problems parsing JSON") from error
    if isinstance(body, list):  # the label routes take a bare list too
        return {"labels": body}
    if not isinstance(body, dict):
        raise Refused(400, "Body should be a JSON object")
    return body


def _readable(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _refused(refusal: Refused, request: Request) -> Answer:
    if not refusal.location:
        return Answer(status=refusal.status, json=refusal.body())
    status = refusal.status if request.method in ("GET", "HEAD") else 307
    query = f"?{request.url.query}" if request.url.query else ""
    body = {"message": "Moved Permanently", "url": refusal.location, "documentation_url": ""}
    return Answer(status=status, json=body, headers={"Location": refusal.location + query})
