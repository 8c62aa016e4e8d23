"""The desks of the conversation, and the factory of the stories."""

import contextlib
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conversation.desk import Desk, open_desk
from tests.stories.conftest import agents, factory, factory_with, logged, scratch

#: Every verb in every state takes about ten minutes; `WHOLE_TABLE=1` runs it.
collect_ignore = [] if os.environ.get("WHOLE_TABLE") else ["test_table.py"]


__all__ = ["agents", "factory", "factory_with", "logged", "scratch"]

OpenDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def desk_with(tmp_path: Path, logged: io.StringIO) -> AsyncIterator[OpenDesk]:
    """Opens a desk on a repository with this configuration and these files."""
    async with contextlib.AsyncExitStack() as stack:

        async def opening(**wanted: Any) -> Desk:
            return await stack.enter_async_context(open_desk(tmp_path / "desk", **wanted))

        yield opening


@pytest.fixture
async def desk(desk_with: OpenDesk) -> Desk:
    """The desk as most conversations want it."""
    return await desk_with()
