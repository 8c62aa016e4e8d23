"""The App's credentials in the data directory: one YAML file that only its owner can read.

`config.environment` reads it under everything else. It is written whole or not at all, and an
App that stands in it is never replaced.
"""

import os
import secrets
from pathlib import Path

import yaml

from bot.config.environment import SETTINGS_FILE
from bot.errors import ConfigError, WrongState
from bot.github.app_types import NewApp
from bot.setup.wish import Wish

OWNER_ONLY = 0o600
OWNER_ONLY_DIR = 0o700


def require_writable(data_dir: Path) -> None:
    """Raises ConfigError where credentials could not be kept: found out before an App is made."""
    probe = data_dir / f".{secrets.token_hex(8)}"
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY_DIR)
        _write(probe, "")
        probe.unlink()
    except OSError as error:
        text = f"{data_dir}: cannot be written ({error.strerror}). --data-dir names another."
        raise ConfigError(text) from error


def save(data_dir: Path, wish: Wish, app: NewApp) -> Path:
    """Keep what `chimera serve` needs of a new App; the file's path.

    What the file said before stays. Raises WrongState where it names an App, OSError where the
    disk says no.
    """
    path = data_dir / SETTINGS_FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if "app_id" in (yaml.safe_load(before) or {}):
        raise WrongState(f"{path} names an App already; move it away to make another")
    draft = data_dir / f".{SETTINGS_FILE}.{secrets.token_hex(8)}"
    try:
        _write(draft, _text(before, wish, app))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _flush(data_dir)
    return path


def _text(before: str, wish: Wish, app: NewApp) -> str:
    values = {
        "app_id": app.id,
        "api_url": wish.api_url,
        "public_url": wish.public_url,
        "webhook_secret": app.webhook_secret,
        "private_key": app.pem,
    }
    if wish.public_url:  # then people can sign in to the dashboard with GitHub
        values |= {"client_id": app.client_id, "client_secret": app.client_secret}
    known = {name: value for name, value in values.items() if value}
    block = yaml.safe_dump(known, sort_keys=False, default_style=None, allow_unicode=True)
    head = f"{before.rstrip()}\n\n" if before.strip() else ""
    return f"{head}# The GitHub App {app.slug}, {app.html_url}\n{block}"


def _write(path: Path, text: str) -> None:
    """A new file with these bytes on the disk, readable by nobody else from its first moment."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(os.open(path, flags, OWNER_ONLY), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    """The new name, too, is on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
