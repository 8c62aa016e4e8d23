"""What every part of the program works with, made from the settings: hub, git, cage, agents."""

import asyncio
import secrets
import time
from collections.abc import Callable

import httpx

from bot.agents.cage import Cage
from bot.agents.cage import CageKind as OpenCage
from bot.agents.roster import Prompts
from bot.config.choices import CageKind
from bot.config.server_file import server_layer
from bot.config.settings import Settings
from bot.domain import RepoRef
from bot.door import Opened
from bot.errors import ConfigError
from bot.github.client import GitHub
from bot.github.git import Git
from bot.github.git_program import git_program
from bot.github.repo import Repo
from bot.log import mask
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.workflow.context import NO_HUB, Tools
from bot.workflow.phases.step import AgentsRegistry, Probe
from bot.workflow.registry import agents_of, chooser
from bot.workflow.repoconfig import MAX_BYTES, Configs
from bot.workflow.report.view import Links
from bot.workflow.workspace import Origin, mirror_key

PROBE_S = 10.0  #: for a version address
PROBE_BYTES = 64 * 1024
MARKER_KEY = "marker_key"


def github_of(
    settings: Settings,
    transport: httpx.AsyncBaseTransport | None = None,
    now: Callable[[], float] = time.time,
) -> GitHub | None:
    """The hub that the settings name, to be entered by the caller; None without an App."""
    if settings.app_id is None or settings.private_key is None:
        return None
    return GitHub(
        app_id=settings.app_id,
        private_key=settings.private_key.get_secret_value(),
        api_url=settings.api_url,
        transport=transport,
        write_spacing_s=settings.write_spacing_s,
        now=now,
    )


async def tools_of(
    settings: Settings,
    opened: Opened,
    lasting: Lasting,
    github: GitHub | None,
    probe: httpx.AsyncClient,
    *,
    agents: AgentsRegistry | None,
    cage: Cage | None,
    now: Callable[[], float],
) -> Tools:
    """The tools of a server. Raises CageMissing and GitMissing, with the fix."""
    await git_program()
    git = Git(settings.data_dir / "git")

    def origin_of(repo: RepoRef | None) -> Origin:
        assert repo is not None, "a server's tasks have a repository"
        if github is None:
            raise ConfigError(NO_HUB)
        installation = repo.installation_id

        async def token() -> str:
            return await github.token(installation)

        url = f"{github.web_url}/{repo.full_name}.git"
        return Origin(
            url=url,
            key=mirror_key(repo),
            default_branch=repo.default_branch,
            token=token,
            repo=repo,
        )

    async def read(repo: RepoRef, path: str, ref: str) -> bytes | None:
        if github is None:
            raise ConfigError(NO_HUB)
        return await Repo(github, repo).file(path, ref=ref, limit=MAX_BYTES)

    layer = await asyncio.to_thread(server_layer, settings)
    return Tools(
        queue=opened.queue,
        ledger=Ledger(opened.store, now),
        lasting=lasting,
        git=git,
        cage=cage or await _cage(settings),
        agents=agents if agents is not None else agents_of(settings),
        prompts=Prompts(),
        configs=Configs(git, origin_of, now, layer, read),
        origin_of=origin_of,
        now=now,
        probe=_prober(probe),
        folder=settings.data_dir / "work",
        hmac_key=await _marker_key(lasting),
        github=github,
        links=Links(hub=settings.hub_url, task_page=settings.public_url),
        allowed_hosts=frozenset(settings.allowed_hosts),
        chosen=chooser(settings) if agents is None else None,
        daily_usd=settings.daily_cost_usd,
        quiet_s=settings.quiet_s,
        settle_s=settings.settle_s,
    )


async def _cage(settings: Settings) -> Cage:
    if settings.cage is CageKind.NONE:
        return await Cage.open(OpenCage.NONE)
    return await Cage.open()


async def _marker_key(lasting: Lasting) -> bytes:
    """The key that signs our comments; made once, kept in the store."""
    known = await lasting.value(MARKER_KEY)
    if known is None:
        known = secrets.token_hex(32)
        await lasting.put(MARKER_KEY, known)
    mask.learn(known)
    return bytes.fromhex(known)


def _prober(client: httpx.AsyncClient) -> Probe:
    async def probe(url: str) -> str | None:
        try:
            async with client.stream("GET", url) as response:
                if response.status_code != 200:
                    return None
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > PROBE_BYTES:
                        return None
                return body.decode("utf-8", "replace")
        except httpx.HTTPError:
            return None

    return probe
