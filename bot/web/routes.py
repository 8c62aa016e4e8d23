"""The table of routes: which path is served by what, and who may ask."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bot import __version__
from bot.errors import ChimeraError
from bot.log import get
from bot.web import (
    acting,
    deliveries,
    events,
    hints,
    insight,
    overview,
    pages,
    profiling,
    statistics_page,
    task_page,
    tasks,
    transcripts,
)
from bot.web.auth import Scope, admit
from bot.web.bodies import (
    DeadFilter,
    DeliveryFilter,
    NewPriority,
    NewTask,
    Retry,
    Sampling,
    StreamFrom,
    TaskFilter,
)
from bot.web.call import Call
from bot.web.frame import bare
from bot.web.health import Health
from bot.web.metrics import MEDIA_TYPE
from bot.web.openapi import document
from bot.web.parts import WebParts
from bot.web.phases import TaskDetail
from bot.web.problem import Problem, from_error, json_response
from bot.web.receiver import HOOK_PATHS, Receiver
from bot.web.recent import Recent
from bot.web.render import HERE, page
from bot.web.row import Row
from bot.web.session import Sessions
from bot.web.shapes import Accepted, DeliveryPage, Journal, Replayed, TaskPage
from bot.web.sign_in import CALLBACK, TO_GITHUB, SignIn
from bot.web.transcripts import Runs, TranscriptOut

_SSE = "text/event-stream"
_HTML = "text/html"
_TASK = "/api/tasks/{task_id}"

API = (
    Row(
        method="POST",
        path="/api/tasks",
        handler=tasks.submit,
        scope=Scope.WRITE,
        body=NewTask,
        gives=Accepted,
        status=202,
    ),
    Row(method="GET", path="/api/tasks", handler=tasks.listing, query=TaskFilter, gives=TaskPage),
    Row(method="GET", path=_TASK, handler=tasks.show, gives=TaskDetail),
    Row(method="GET", path=f"{_TASK}/journal", handler=tasks.journal, gives=Journal),
    Row(method="GET", path=f"{_TASK}/evidence", handler=tasks.evidence),
    Row(method="GET", path=f"{_TASK}/transcripts", handler=transcripts.listing, gives=Runs),
    Row(
        method="GET",
        path=f"{_TASK}/transcripts/{{n}}",
        handler=transcripts.show,
        gives=TranscriptOut,
    ),
    Row(
        method="GET",
        path=f"{_TASK}/events",
        handler=events.of_task,
        query=StreamFrom,
        media_type=_SSE,
    ),
    Row(
        method="POST",
        path=f"{_TASK}/cancel",
        handler=tasks.cancel,
        scope=Scope.WRITE,
        gives=TaskDetail,
    ),
    Row(
        method="POST",
        path=f"{_TASK}/retry",
        handler=tasks.retry,
        scope=Scope.WRITE,
        body=Retry,
        gives=TaskDetail,
    ),
    Row(
        method="POST",
        path=f"{_TASK}/priority",
        handler=tasks.reprioritise,
        scope=Scope.WRITE,
        body=NewPriority,
        gives=TaskDetail,
    ),
    Row(method="GET", path="/api/dead", handler=tasks.dead, query=DeadFilter, gives=TaskPage),
    Row(
        method="POST",
        path="/api/dead/{task_id}/requeue",
        handler=tasks.requeue,
        scope=Scope.WRITE,
        body=Retry,
        gives=TaskDetail,
    ),
    Row(
        method="POST",
        path="/api/dead/{task_id}/discard",
        handler=tasks.discard,
        scope=Scope.WRITE,
        gives=TaskDetail,
    ),
    Row(
        method="GET",
        path="/api/deliveries",
        handler=deliveries.listing,
        query=DeliveryFilter,
        gives=DeliveryPage,
    ),
    Row(
        method="POST",
        path="/api/deliveries/{delivery_id}/replay",
        handler=deliveries.replay,
        scope=Scope.WRITE,
        gives=Replayed,
        status=202,
    ),
    Row(method="GET", path="/api/events", handler=events.of_everything, media_type=_SSE),
    Row(method="GET", path="/api/metrics", handler=insight.metrics_json),
    Row(method="GET", path="/metrics", handler=insight.metrics_text, media_type=MEDIA_TYPE),
    Row(
        method="POST",
        path="/api/profile",
        handler=profiling.profile,
        scope=Scope.WRITE,
        query=Sampling,
        media_type="text/plain",
    ),
)

PAGES = (
    Row(method="GET", path="/", handler=overview.overview, media_type=_HTML),
    Row(
        method="GET", path="/statistics", handler=statistics_page.statistics_page, media_type=_HTML
    ),
    Row(method="GET", path="/dead", handler=pages.dead_letters, media_type=_HTML),
    Row(method="GET", path="/parts", handler=pages.parts_page, media_type=_HTML),
    Row(method="GET", path="/deliveries", handler=pages.deliveries_page, media_type=_HTML),
    Row(
        method="POST",
        path="/deliveries/{delivery_id}/replay",
        handler=acting.replay,
        media_type=_HTML,
    ),
    Row(method="GET", path="/tasks", handler=pages.all_tasks, media_type=_HTML),
    Row(method="GET", path="/tasks/{task_id}", handler=task_page.task_page, media_type=_HTML),
    Row(
        method="GET",
        path="/tasks/{task_id}/runs/{n}",
        handler=transcripts.run_page,
        media_type=_HTML,
    ),
    Row(
        method="POST",
        path="/tasks/{task_id}/{verb}",
        handler=acting.press,
        media_type=_HTML,
    ),
    Row(method="GET", path="/events", handler=hints.stream, media_type=_SSE),
    Row(method="POST", path="/sign-out", handler=acting.sign_out, media_type=_HTML),
)

HISTORY_S = 30.0  #: how old the durations may be that estimates are made from

_log = get("web")


def make_web(parts: WebParts) -> Starlette:
    """The application with every door. Who makes the parts opens and closes them."""
    sessions, health = Sessions(parts.session_key), Health(parts)
    history = Recent(parts.queue.history, now=parts.now, for_s=HISTORY_S)

    async def serve(row: Row, request: Request) -> Response:
        who = await admit(request, parts, sessions, row.scope)
        return await row.handler(
            Call(
                request=request,
                parts=parts,
                sessions=sessions,
                history=history,
                health=health,
                who=who,
            )
        )

    receiver = Receiver(parts.queue, parts.settings, parts.draining)
    sign_in = SignIn(parts, sessions)

    async def openapi(_request: Request) -> Response:
        return json_response(_description())

    routes: list[BaseRoute] = [
        *(Route(path, receiver, methods=["POST"]) for path in HOOK_PATHS),
        Route("/health", health.health),
        Route("/livez", health.livez),
        Route("/readyz", health.readyz),
        Route("/openapi.json", openapi),
        Route("/sign-in", sign_in.form, methods=["GET"]),
        Route("/sign-in", sign_in.submit, methods=["POST"]),
        Route(TO_GITHUB, sign_in.to_github, methods=["GET"]),
        Route(CALLBACK, sign_in.from_github, methods=["GET"]),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        *_routes(API, serve, _api_trouble),
        *_routes(PAGES, serve, _page_trouble),
    ]
    handlers = {HTTPException: _http_trouble}
    return Starlette(routes=routes, exception_handlers=handlers)


Serve = Callable[[Row, Request], Awaitable[Response]]
Trouble = Callable[[Request, Problem], Response]


def _routes(rows: Sequence[Row], serve: Serve, trouble: Trouble) -> list[BaseRoute]:
    """One route for each path, so that a wrong method is answered with the right ones."""
    by_path = groupby(rows, key=lambda row: row.path)  # rows of one path stand together
    return [_route(path, list(same), serve, trouble) for path, same in by_path]


def _route(path: str, rows: Sequence[Row], serve: Serve, trouble: Trouble) -> Route:
    by_method = {row.method: row for row in rows}

    async def endpoint(request: Request) -> Response:
        row = by_method["GET" if request.method == "HEAD" else request.method]
        try:
            return await serve(row, request)
        except Problem as problem:
            return trouble(request, problem)
        except ChimeraError as error:
            _log.info("request_refused", path=path, error=str(error))
            return trouble(request, from_error(error))
        except Exception:
            _log.exception("request_failed", path=path)
            return trouble(request, Problem(500, "A mistake of ours; the log has its details."))

    return Route(path, endpoint, methods=list(by_method))


@functools.cache
def _description() -> dict[str, Any]:
    """Made when somebody asks first: it takes as long as everything else at the start."""
    return document(API, version=__version__)


def _api_trouble(_request: Request, problem: Problem) -> Response:
    return problem.response()


def _page_trouble(request: Request, problem: Problem) -> Response:
    """On the dashboard a refusal is a page; who is not signed in is asked to."""
    if problem.status == 401:
        wanted = _wanted(request) if request.method == "GET" else "/"
        following = f"?{urlencode({'next': wanted})}" if wanted != "/" else ""
        return RedirectResponse(f"/sign-in{following}", 303)
    heading = {404: "Not found", 403: "Not allowed", 409: "Not now"}.get(problem.status, "Trouble")
    return page("trouble.html", problem.status, **bare(), heading=heading, text=problem.detail)


def _wanted(request: Request) -> str:
    """The page that was asked for, of that status and from that place on."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _http_trouble(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405): problem documents with where to look, or a page."""
    assert isinstance(error, HTTPException)
    headers, detail = error.headers or {}, error.detail
    if error.status_code == 404 and "text/html" in request.headers.get("accept", ""):
        return _page_trouble(request, Problem(404, "There is no page at this address."))
    match error.status_code:
        case 404:
            detail = "Nothing is here. /openapi.json describes the API; the dashboard is at /."
        case 405:
            detail = f"Here only {headers.get('Allow', 'other methods')}; see /openapi.json."
    return Problem(error.status_code, detail, headers=headers).response()
