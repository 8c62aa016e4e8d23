"""The second step: the App is installed somewhere, and a repository gets what it needs."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.responses import RedirectResponse, Response

from bot.config.environment import SETTINGS_FILE
from bot.domain import RepoRef
from bot.errors import AuthFailed, StepError
from bot.github.app import App
from bot.github.app_types import AppInfo
from bot.github.client import GitHub
from bot.github.repo import Repo
from bot.log import get
from bot.setup.gifts import WORKFLOW, Offer, give, workflow_link
from bot.setup.render import page
from bot.setup.shipped import shipped
from bot.setup.work import Work
from bot.web.problem import Problem

REFRESH_S = 10  #: how often the page looks for an installation; two requests each time
SHOWN = 200  #: repositories in the list
WORKFLOW_FILE = "deploy.yml"  #: the workflow's copy in the data directory

log = get("setup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A repository as the page lists it."""

    full_name: str
    workflow_link: str


class Installing:
    """The page between the App and its first repository."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def show(self, github: GitHub) -> Response:
        """Where the App is installed now, and what has been made there."""
        app = App(github)
        info = await self._info(app)
        trouble, found = "", list[RepoRef]()
        try:
            found = await self._repositories(app)
        except StepError as error:
            trouble = str(error)
        return page(
            "install.html",
            step=2,
            app=info,
            trouble=trouble,
            settings_file=str(self._file) if self._file.exists() else "",
            workflow_file=str(await asyncio.to_thread(self._workflow_file)),
            refresh_s=0 if found else REFRESH_S,
            repositories=[self._choice(one) for one in found[:SHOWN]],
            gifts=list(self._work.gifts.values()),
            form_token=self._work.entrance.form_token,
        )

    async def prepare(self, github: GitHub, form: Mapping[str, str]) -> Response:
        """Labels and pull request for one of the repositories that the App may work in."""
        wanted = form.get("repository", "")
        found = [one for one in await self._repositories(App(github)) if one.full_name == wanted]
        if not found:
            raise Problem(422, "The App is not installed on that repository. Install it first.")
        offer = Offer(labels="labels" in form, files="files" in form, deploys="deploys" in form)
        self._work.gifts[wanted] = await give(Repo(github, found[0]), offer)
        log.info("repository_prepared", repository=wanted)
        return RedirectResponse("/", 303)

    @property
    def _file(self) -> Path:
        return self._work.settings.data_dir / SETTINGS_FILE

    async def _info(self, app: App) -> AppInfo:
        try:
            return await app.info()
        except AuthFailed as error:
            text = f"GitHub refuses the App's key: {error}. To make another App, move {self._file}."
            raise Problem(502, text) from error

    async def _repositories(self, app: App) -> list[RepoRef]:
        found: list[RepoRef] = []
        for installation in await app.installations():
            if not installation.suspended:
                found += await app.repositories(installation.id)
        return sorted(found, key=lambda repo: repo.full_name.lower())

    def _choice(self, repo: RepoRef) -> Choice:
        link = workflow_link(self._work.hub, repo)
        return Choice(full_name=repo.full_name, workflow_link=link)

    def _workflow_file(self) -> str:
        """A copy for those who would rather commit a file than follow a link."""
        path = self._work.settings.data_dir / WORKFLOW_FILE
        if not path.exists():
            path.write_text(shipped(WORKFLOW), encoding="utf-8")
        return str(path)
