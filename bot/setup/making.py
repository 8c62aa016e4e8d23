"""The first step: a form, GitHub's own page, and back with a code that becomes credentials."""

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.errors import ConfigError, Transient, Uncertain
from bot.github.app_types import NewApp
from bot.github.client import GitHub
from bot.github.manifest import convert
from bot.log import get
from bot.setup import credentials
from bot.setup.registration import registration
from bot.setup.render import page
from bot.setup.wish import HOOK_PATH, Wish, wish_of
from bot.setup.work import Work
from bot.web.problem import Problem

CREATED = "/created"
MAX_ASKED = 20  #: forms that may be on their way, one for each tab; the oldest is forgotten

_NOT_ASKED = (
    "This return from GitHub was not asked for here, or came too late. Start again; if GitHub has "
    "just made an App, delete it there, for nobody has its key."
)
_TWO = (
    "This machine has its App already. If GitHub has just made a second one, delete it there, for "
    "nobody has its key."
)

log = get("setup")


class Making:
    """Makes one App; after that its pages are gone."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._asked: dict[str, Wish] = {}  #: by what GitHub has to send back; good for one return

    def form(self) -> Response:
        """The form, filled in as far as the settings know."""
        settings = self._work.settings
        hook_url = f"{settings.public_url}{HOOK_PATH}" if settings.public_url else ""
        return self._form(asdict(Wish(hub=settings.hub_url, hook_url=hook_url)), ())

    async def register(self, form: Mapping[str, str]) -> Response:
        """The page that takes the manifest to GitHub; the form once more where it is wrong."""
        self._require_open()
        try:
            wish = wish_of(form)
            await asyncio.to_thread(credentials.require_writable, self._work.settings.data_dir)
        except ConfigError as error:
            return self._form({**asdict(Wish()), **form}, error.problems)
        state = secrets.token_hex(24)
        self._asked[state] = wish
        if len(self._asked) > MAX_ASKED:
            self._asked.pop(next(iter(self._asked)))
        going = registration(wish, state=state, redirect_url=self._work.entrance.url(CREATED))
        return page(
            "register.html",
            hub=wish.hub,
            step=1,
            action=going.action,
            action_host=urlsplit(wish.hub).netloc,
            manifest=going.manifest,
        )

    async def created(self, request: Request) -> Response:
        """GitHub sends the browser back: the code becomes the App's credentials, on this disk."""
        if self._work.github is not None:
            raise Problem(410, _TWO)
        state = request.query_params.get("state", "")
        wish = self._asked.get(state)
        if wish is None:
            raise Problem(403, _NOT_ASKED)
        code = request.query_params.get("code", "")
        try:
            app = await convert(code, now=time.time(), api_url=wish.api_url)
        except (Transient, Uncertain) as error:  # the code is good for an hour, as this return is
            raise Problem(502, f"GitHub did not answer: {error}. Reload this page.") from error
        self._asked.pop(state, None)
        await self._keep(wish, app)
        return RedirectResponse("/", 303)

    async def _keep(self, wish: Wish, app: NewApp) -> None:
        settings = self._work.settings
        try:
            path = await asyncio.to_thread(credentials.save, settings.data_dir, wish, app)
        except OSError as error:
            text = (
                f"The App {app.slug} was made, but its credentials could not be kept "
                f"({error.strerror}). Make a new key on its page, or delete it and start again."
            )
            raise Problem(507, text) from error
        log.info("app_made", app=app.slug, app_id=app.id, settings=str(path))
        github = GitHub(
            app_id=app.id,
            private_key=app.pem,
            api_url=wish.api_url,
            write_spacing_s=settings.write_spacing_s,
        )
        await self._work.connect(github, wish.hub)

    def _require_open(self) -> None:
        if self._work.github is not None:
            raise Problem(410, "The App exists; this step is over.")

    def _form(self, values: Mapping[str, str], problems: Sequence[str]) -> Response:
        token = self._work.entrance.form_token
        return page(
            "choose.html",
            422 if problems else 200,
            step=1,
            form=values,
            problems=problems,
            form_token=token,
        )
