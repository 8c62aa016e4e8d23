"""The pages of `chimera setup`: one table of routes behind one door."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from bot.errors import ChimeraError, InputError
from bot.log import get
from bot.setup.entrance import START
from bot.setup.installing import Installing
from bot.setup.making import CREATED, Making
from bot.setup.render import HERE, page
from bot.setup.work import Work
from bot.web.bodies import read_form
from bot.web.problem import Problem
from bot.web.render import HERE as WEB

log = get("setup")

Handler = Callable[[Request], Awaitable[Response]]


def make_wizard(work: Work) -> Starlette:
    """The application; when `work.finished` is set, every page of it answers 410."""
    pages = _Pages(work)
    return Starlette(
        routes=[
            Route(START, _guarded(work, pages.start)),
            Route("/", _guarded(work, pages.home)),
            Route("/register", _guarded(work, pages.register), methods=["POST"]),
            Route(CREATED, _guarded(work, pages.created)),
            Route("/prepare", _guarded(work, pages.prepare), methods=["POST"]),
            Route("/finish", _guarded(work, pages.finish), methods=["POST"]),
            Route("/send.js", _file("send.js")),
            Route("/setup.css", _file("setup.css")),
            Mount("/static", StaticFiles(directory=WEB / "static")),
        ]
    )


class _Pages:
    """Which step a request belongs to."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._making = Making(work)
        self._installing = Installing(work)

    async def start(self, request: Request) -> Response:
        return self._work.entrance.start(request)

    async def home(self, request: Request) -> Response:
        self._work.entrance.admit(request)
        if self._work.github is None:
            return self._making.form()
        return await self._installing.show(self._work.github)

    async def register(self, request: Request) -> Response:
        return await self._making.register(await self._form(request))

    async def created(self, request: Request) -> Response:
        self._work.entrance.admit(request)
        return await self._making.created(request)

    async def prepare(self, request: Request) -> Response:
        form = await self._form(request)
        if self._work.github is None:
            raise Problem(409, "There is no App yet.")
        return await self._installing.prepare(self._work.github, form)

    async def finish(self, request: Request) -> Response:
        await self._form(request)
        self._work.finished.set()
        return page("done.html", step=3)

    async def _form(self, request: Request) -> dict[str, str]:
        """The form of somebody who may send one. Raises Problem."""
        self._work.entrance.admit(request)
        form = await read_form(request)
        self._work.entrance.admit_form(form.pop("form_token", ""))
        return form


def _guarded(work: Work, handler: Handler) -> Handler:
    """The handler, with our errors as pages."""

    async def endpoint(request: Request) -> Response:
        try:
            if work.finished.is_set():
                raise Problem(410, "The set-up is over, and its pages are gone.")
            return await handler(request)
        except Problem as problem:
            return _trouble(problem.status, problem.detail)
        except InputError as error:
            return _trouble(422, str(error))
        except ChimeraError as error:
            log.warning("step_failed", path=request.url.path, error=str(error))
            return _trouble(502, str(error))
        except Exception:
            log.exception("page_failed", path=request.url.path)
            return _trouble(500, "A mistake of ours; what was printed has its details.")

    return endpoint


def _trouble(status: int, text: str) -> Response:
    return page("trouble.html", status, step=0, text=text)


def _file(name: str) -> Handler:
    async def endpoint(_request: Request) -> Response:
        return FileResponse(HERE / "static" / name)

    return endpoint
