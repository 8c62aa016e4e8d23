"""What the doctor sees on this machine: settings, files, store, git, the cage, the models."""

import asyncio
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.agents.cage import Cage
from bot.config.choices import AgentUse, CageKind
from bot.config.environment import MODEL_KEYS, SETTINGS_FILE
from bot.config.settings import Settings
from bot.domain import Role
from bot.errors import CageMissing, ConfigError, GitMissing
from bot.github.git_program import git_program
from bot.setup.finding import Finding, bad, good, warning
from bot.tasks.sqlite import STORE_FILE, check
from bot.workflow.registry import agents_of

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_KEYLESS = frozenset({"ollama", "bedrock", "vertexai", "test", "function"})  #: need no key of ours


async def machine(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Everything that can be seen without the network."""
    return [
        *_credentials(settings),
        *_modes(settings, environ),
        await asyncio.to_thread(_store, settings),
        await _git(),
        await _cage(settings),
        *_agents(settings),
    ]


def _credentials(settings: Settings) -> Iterator[Finding]:
    area = "settings"
    if settings.app_id is None or settings.private_key is None:
        fix = "Run `chimera setup`, or set CHIMERA_APP_ID and CHIMERA_PRIVATE_KEY_PATH."
        yield bad(area, "no GitHub App is configured", fix)
    else:
        yield good(area, f"App {settings.app_id} on {settings.hub_url}")
    if not settings.webhook_secrets:
        fix = "Set CHIMERA_WEBHOOK_SECRET to the secret of the App's webhook."
        yield bad(area, "no webhook secret: every delivery will be refused", fix)
    if settings.webhook_secret_previous is not None:
        fix = "Unset CHIMERA_WEBHOOK_SECRET_PREVIOUS when GitHub has the new one."
        yield warning(area, "two webhook secrets are accepted", fix)


def _modes(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Files that hold secrets, and the directory in which ours stands."""
    named = {Path(value).expanduser() for name, value in environ.items() if _names_a_secret(name)}
    files = sorted(named | {settings.data_dir / SETTINGS_FILE, settings.data_dir / STORE_FILE})
    for path in files:
        mode = _mode(path)
        if mode is None:
            continue
        if mode & _OTHERS and path.name != STORE_FILE:
            yield bad("files", f"{path} can be used by others ({mode:04o})", f"chmod 600 {path}")
        elif mode & _OTHERS:
            yield warning("files", f"{path} can be read by others", f"chmod 600 {path}")
        else:
            yield good("files", f"{path} is its owner's alone")
    mode = _mode(settings.data_dir)
    if mode is not None and mode & (stat.S_IWGRP | stat.S_IWOTH):
        fix = f"chmod go-w {settings.data_dir}"
        yield bad("files", f"{settings.data_dir} can be written by others ({mode:04o})", fix)


def _names_a_secret(variable: str) -> bool:
    known = ("PRIVATE_KEY", "WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS", *MODEL_KEYS.values())
    bare = variable.removeprefix("CHIMERA_")
    return bare in {f"{name}_FILE" for name in known} | {"PRIVATE_KEY_PATH"}


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None


def _store(settings: Settings) -> Finding:
    if settings.database_url.get_secret_value():
        return warning("store", "PostgreSQL is not looked at here", "Look at /health of a server.")
    path = settings.data_dir / STORE_FILE
    if not path.exists():
        return warning("store", f"there is none at {path} yet", "`chimera serve` makes one.")
    problems = check(path)
    if problems:
        fix = "Stop the server and put a backup in its place."
        return bad("store", f"{path}: {problems[0]} ({len(problems)} problems)", fix)
    return good("store", f"{path} is sound")


async def _git() -> Finding:
    try:
        return good("git", await git_program())
    except GitMissing as error:
        return bad("git", error.what, error.fix)


async def _cage(settings: Settings) -> Finding:
    if settings.cage is CageKind.NONE:
        fix = "Unset CHIMERA_CAGE where you can."
        return warning("cage", "none: agents run with this user's rights, as you asked", fix)
    try:
        return good("cage", (await Cage.open()).describe())
    except CageMissing as error:
        what, _, fix = str(error).partition("). ")
        return bad("cage", f"{what})", fix)


def _agents(settings: Settings) -> Iterator[Finding]:
    """Whether every role has an agent and its provider a key; nobody is called."""
    try:
        made = agents_of(settings)
    except (ConfigError, OSError) as error:
        yield bad("agents", str(error), "Mend `agents` in the settings.")
        return
    missing = [role for role in Role if role not in made]
    if missing:
        fix = "Set CHIMERA_MODEL and its provider's key, or `agents` in the settings."
        yield bad("agents", f"no model provider for {', '.join(missing)}", fix)
    for name in sorted({agent.name for agent in made.values()}):
        yield good("agents", name)
    yield from _keys(settings)


def _keys(settings: Settings) -> Iterator[Finding]:
    chosen = [settings.agent(role) for role in Role]
    models = {one.model for one in chosen if one.use is AgentUse.LLM and not one.base_url}
    providers = {model.partition(":")[0].partition("-")[0] for model in models if model}
    for provider in sorted(providers - set(settings.model_keys) - _KEYLESS):
        fix = f"Set {MODEL_KEYS.get(provider, 'the key that this provider wants')}."
        yield bad("agents", f"no key for {provider}", fix)
