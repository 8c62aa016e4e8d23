"""The store that the settings name, opened for one command."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from bot.config.environment import load_settings
from bot.door import place_of
from bot.errors import NotFound
from bot.tasks.opening import Place
from bot.tasks.store import Store

T = TypeVar("T")


def store_place(data_dir: Path | None) -> Place:
    """Where the store is. Raises ConfigError for settings that cannot be used."""
    return place_of(load_settings(os.environ, overrides={"data_dir": data_dir}))


def existing_store(data_dir: Path | None) -> Place:
    """The same, for commands that need one. Raises NotFound."""
    place = store_place(data_dir)
    if not place.url and not place.path.exists():
        raise NotFound(f"{place}: there is no store yet; `chimera serve` makes one")
    return place


def with_store(place: Place, work: Callable[[Store], Awaitable[T]]) -> T:
    """Open the store, do the work, close it. Raises StoreError."""

    async def opened() -> T:
        store = await place.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(opened())
