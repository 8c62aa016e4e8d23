"""The desks of the conversation, and the factory of the stories."""

import contextlib
import io
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conversation.desk import Desk, open_desk
from tests.stories.conftest import agents, factory, factory_with, logged, scratch, shared_store

MEMORY = Path("/dev/shm")

__all__ = ["agents", "factory", "factory_with", "logged", "scratch", "shared_store"]

OpenDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is such a thing: one talk is hundreds of synced commits."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="chimera-") as folder:
        yield Path(folder)


@pytest.fixture
async def desk_with(quick_folder: Path, logged: io.StringIO) -> AsyncIterator[OpenDesk]:
    """Opens a desk on a repository with this configuration and these files."""
    async with contextlib.AsyncExitStack() as stack:

        async def opening(**wanted: Any) -> Desk:
            return await stack.enter_async_context(open_desk(quick_folder / "desk", **wanted))

        yield opening


@pytest.fixture
async def desk(desk_with: OpenDesk) -> Desk:
    """The desk as most conversations want it."""
    return await desk_with()
