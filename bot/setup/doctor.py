"""`chimera doctor`: everything that could be wrong, the nearest first, each with its fix."""

import asyncio
import contextlib
import importlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from bot.config.server_file import server_layer
from bot.config.settings import Settings
from bot.domain import RepoRef
from bot.errors import ConfigError, RateLimited, StepError, Transient
from bot.github.app import App
from bot.github.app_types import AppInfo, Installation
from bot.github.client import GitHub
from bot.github.repo import Repo
from bot.setup import connection
from bot.setup.finding import Finding, bad, warning
from bot.setup.machine import machine
from bot.setup.repository import Visit, repository
from bot.tooling import github_of
from bot.workflow.repoconfig import SHARED

MAX_REPOSITORIES = 30  #: about nine requests for each
MAX_SHARED = 256 * 1024
_SHARED_REPO = ".github"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to look at."""

    repository: str = ""  #: only this `owner/name`
    offline: bool = False  #: only this machine
    models: bool = False  #: ask each model one question, which costs money


async def examine(
    settings: Settings,
    environ: Mapping[str, str],
    wanted: Wanted,
    *,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[Finding]:
    """All findings, as they come. Raises nothing for what is wrong: that is a finding."""
    for one in await machine(settings, environ):
        yield one
    if wanted.offline:
        return
    if wanted.models:
        for one in await _models(settings):
            yield one
    answered = await connection.clock(settings, now=now)
    yield answered
    try:
        github = github_of(settings, now=now)
    except ConfigError as error:
        fix = "Download a new key from the App's page, and name that file, as it is."
        yield bad("settings", str(error), fix)
        return
    if answered.unreachable or github is None:
        return
    async with github:
        try:
            async for one in _on_github(github, settings, wanted):
                yield one
        except StepError as error:
            yield connection.unanswered(error)


async def _models(settings: Settings) -> list[Finding]:
    await asyncio.to_thread(importlib.import_module, "bot.setup.asking")
    from bot.setup.asking import models_answer  # noqa: PLC0415 - loaded above, off the loop

    return await models_answer(settings)


async def _on_github(github: GitHub, settings: Settings, wanted: Wanted) -> AsyncIterator[Finding]:
    app = App(github)
    info, told = await connection.the_app(app, settings)
    for one in told:
        yield one
    if info is None:
        return
    for one in await connection.hook(app, settings):
        yield one
    installations = await app.installations()
    if not installations:
        fix = f"Install it: {info.html_url}/installations/new"
        yield bad(connection.AREA, "the App is installed nowhere", fix)
    looked_at: set[str] = set()
    for installation in installations:
        async for one in _installation(app, info, installation, settings, wanted):
            looked_at.add(one.area.lower())
            yield one
    if wanted.repository and wanted.repository.lower() not in looked_at:
        fix = f"Install it there: {info.html_url}/installations/new"
        yield bad(wanted.repository, "the App is not installed on such a repository", fix)


async def _installation(
    app: App, info: AppInfo, installation: Installation, settings: Settings, wanted: Wanted
) -> AsyncIterator[Finding]:
    for one in connection.granted(installation, info):
        yield one
    if installation.suspended:
        return
    yield await connection.allowance(app, installation)
    found = await app.repositories(installation.id)
    layers = await _layers(app.github, found, settings)
    chosen = [one for one in found if not wanted.repository or _is(one, wanted.repository)]
    for repo in chosen[:MAX_REPOSITORIES]:
        visit = Visit(
            repo=Repo(app.github, repo),
            hub=settings.hub_url,
            permissions=dict(installation.permissions),
            events=info.events,
            layers=layers,
        )
        async for one in _repository(visit):
            yield one
    if len(chosen) > MAX_REPOSITORIES:
        fix = "Name one: --repository owner/name."
        text = f"{len(chosen) - MAX_REPOSITORIES} more repositories are not looked at"
        yield warning(f"installation on {installation.account}", text, fix)


async def _repository(visit: Visit) -> AsyncIterator[Finding]:
    """One repository's trouble does not hide the others'; a silent GitHub's does."""
    try:
        async for one in repository(visit):
            yield one
    except (Transient, RateLimited):
        raise
    except StepError as error:
        yield bad(visit.area, f"cannot be read: {error}", "Look at the App's permissions.")


async def _layers(
    github: GitHub, found: list[RepoRef], settings: Settings
) -> list[tuple[str, bytes]]:
    """The organisation's and the server's file, where there are any."""
    layers: list[tuple[str, bytes]] = []
    for repo in found:
        if repo.name == _SHARED_REPO:
            shared = await Repo(github, repo).file(
                SHARED, ref=repo.default_branch, limit=MAX_SHARED
            )
            layers += [(f"{repo.full_name}/{SHARED}", shared)] if shared is not None else []
    with contextlib.suppress(ConfigError):  # told already
        server = await asyncio.to_thread(server_layer, settings)
        layers += [server] if server is not None else []
    return layers


def _is(repo: RepoRef, name: str) -> bool:
    return repo.full_name.lower() == name.lower()
