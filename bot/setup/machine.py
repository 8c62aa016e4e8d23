"""What the doctor sees on this machine: settings, files, store, git, the cage."""

import asyncio
import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.agents.cage import Cage
from bot.config.choices import CageKind
from bot.config.environment import (
    ALIASES,
    CONFIG_VARIABLE,
    MODEL_KEYS,
    PATH_ALIASES,
    PREFIX,
    SETTINGS_FILE,
)
from bot.config.marks import read_marked
from bot.config.server_file import VARIABLE, server_layer
from bot.config.settings import Settings
from bot.errors import CageMissing, ConfigError, GitMissing
from bot.github.git_program import git_program
from bot.setup.agents import agents
from bot.setup.dashboard import dashboard
from bot.setup.finding import Finding, bad, good, warning
from bot.tasks.sqlite import STORE_FILE, check
from bot.web.parts import SECRET_FIX

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SECRETS = frozenset(
    name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)
)
_SECRET_FILES = frozenset(
    {
        f"{alias}_FILE"
        for name in _SECRETS
        for alias in (PREFIX + name.upper(), *ALIASES.get(name, ()))
    }
    | {f"{variable}_FILE" for variable in MODEL_KEYS.values()}
    | set(PATH_ALIASES)
)


async def machine(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Everything that can be seen without the network."""
    return [
        *_credentials(settings),
        *dashboard(settings),
        *_server_file(settings),
        *_modes(settings, environ),
        *_data_dir(settings),
        await asyncio.to_thread(_store, settings),
        await _git(),
        await _cage(settings),
        *agents(settings),
    ]


def _credentials(settings: Settings) -> Iterator[Finding]:
    area = "settings"
    if settings.app_id is None or settings.private_key is None:
        fix = "Run `chimera setup`, or set CHIMERA_APP_ID and CHIMERA_PRIVATE_KEY_PATH."
        yield bad(area, "no GitHub App is configured", fix)
    else:
        yield good(area, f"App {settings.app_id} on {settings.hub_url}")
    if not settings.webhook_secrets:
        yield bad(area, "no webhook secret: every delivery will be refused", SECRET_FIX)
    if settings.webhook_secret_previous is not None:
        fix = "Unset CHIMERA_WEBHOOK_SECRET_PREVIOUS when GitHub has the new one."
        yield warning(area, "two webhook secrets are accepted", fix)


def _modes(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Files that hold secrets, and the directory in which ours stands."""
    own = {settings.data_dir / SETTINGS_FILE, settings.data_dir / STORE_FILE}
    for path in sorted(own | set(_secret_files(environ))):
        mode = _mode(path)
        if mode is None:
            continue
        if mode & _OTHERS and path.name != STORE_FILE:
            yield bad("files", f"{path} can be used by others ({mode:04o})", f"chmod 600 {path}")
        elif mode & _OTHERS:
            yield warning("files", f"{path} can be read by others", f"chmod 600 {path}")
        else:
            yield good("files", f"{path} is its owner's alone")


def _secret_files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Files that the environment names and that hold a secret."""
    for variable, value in environ.items():
        if value and variable in _SECRET_FILES:
            yield Path(value).expanduser()
    config = Path(environ.get(CONFIG_VARIABLE, "")).expanduser()
    with contextlib.suppress(OSError, ConfigError):
        if config.is_file() and _SECRETS & set(read_marked(str(config), config.read_bytes()).value):
            yield config


def _data_dir(settings: Settings) -> Iterator[Finding]:
    """Whether the store and its neighbours can be kept, by us alone."""
    path = settings.data_dir
    there = next(one for one in (path, *path.parents) if os.path.exists(one))
    if not there.is_dir():
        fix = "Name a directory: CHIMERA_DATA_DIR, or --data-dir."
        yield bad("files", f"{there} is a file, and the data directory is {path}", fix)
    elif not os.access(there, os.W_OK | os.X_OK):
        fix = f"Make it this user's: chown {os.getuid()} {there}"
        yield bad("files", f"{there} cannot be written by this user", fix)
    elif there == path and path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(path.stat().st_mode)
        yield bad("files", f"{path} can be written by others ({mode:04o})", f"chmod go-w {path}")


def _server_file(settings: Settings) -> Iterator[Finding]:
    """The server's chimera.yml, which lies under every repository's."""
    try:
        layer = server_layer(settings)
    except ConfigError as error:
        for problem in error.problems:
            yield bad("settings", problem, f"Mend the file, or unset {VARIABLE}.")
    else:
        if layer is not None:
            yield good("settings", f"{layer[0]} is valid")


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
        more = f", and {len(problems) - 1} more" if problems[1:] else ""
        return bad("store", f"{path}: {problems[0]}{more}", fix)
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
