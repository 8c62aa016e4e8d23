"""The store of this machine, opened for one command."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from bot.config.environment import load_settings
from bot.errors import NotFound
from bot.tasks.sqlite import STORE_FILE, SqliteStore

T = TypeVar("T")


def store_path(data_dir: Path | None) -> Path:
    """Where the store is. Raises ConfigError for settings that cannot be used."""
    return load_settings(os.environ, overrides={"data_dir": data_dir}).data_dir / STORE_FILE


def existing_store(data_dir: Path | None) -> Path:
    """The same, for commands that need one. Raises NotFound."""
    path = store_path(data_dir)
    if not path.exists():
        raise NotFound(f"{path}: there is no store yet; `chimera serve` makes one")
    return path


def with_store(path: Path, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    """Open the store, do the work, close it. Raises StoreError."""

    async def opened() -> T:
        store = await SqliteStore.open(path)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(opened())
