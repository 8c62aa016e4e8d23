"""The `factory` of the stories: opened for each of them, and looked over when it has ended."""

import contextlib
import io
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from bot import log
from bot.localhub.hub import LocalHub
from tests.postgres import Server
from tests.stories.actors import Cast, cast
from tests.stories.factory import Factory, open_factory
from tests.stories.invariants import check, children, command_of, misfits

OpenFactory = Callable[..., Awaitable[Factory]]
GONE_S = 20.0


@pytest.fixture
def agents() -> Cast:
    """The four agents, to be given another script before the factory is opened, or after."""
    return cast()


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where everything temporary goes; nothing may be left in it (I9)."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = children()
    yield folder
    deadline = time.monotonic() + GONE_S
    while (left := children(but=before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [command_of(pid) for pid in left] == [], "I9: no process is left"
    assert [path.name for path in folder.iterdir()] == [], "I9: nothing temporary is left"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that the bot logs, as the lines of JSON that a server writes."""
    stream = io.StringIO()
    log.set_up(level="INFO", json=True, stream=stream)
    yield stream
    structlog.reset_defaults()


@pytest.fixture
def shared_store(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings of a store that many machines could share, where the run asks for one.

    `STORIES_ON=postgres` has every story told on PostgreSQL instead of SQLite.
    """
    if os.environ.get("STORIES_ON") != "postgres" and not request.node.get_closest_marker(
        "postgres"
    ):
        return {}
    server: Server = request.getfixturevalue("postgres")
    return {"database_url": SecretStr(server.database())}


@pytest.fixture
async def factory_with(
    shared_store: dict[str, Any],  # first: its server outlives the story's scratch
    tmp_path: Path,
    scratch: Path,
    logged: io.StringIO,
    agents: Cast,
) -> AsyncIterator[OpenFactory]:
    """Opens a factory with another configuration, other files, other settings."""
    problems: list[str] = []
    opened: list[Factory] = []

    def watch(hub: LocalHub) -> None:
        hub.on_exchange = lambda exchange: problems.extend(misfits(hub, exchange))

    async with contextlib.AsyncExitStack() as stack:

        async def opening(**wanted: Any) -> Factory:
            folder = tmp_path / f"factory-{len(opened)}"
            wanted["settings"] = shared_store | dict(wanted.get("settings") or {})
            made = await stack.enter_async_context(
                open_factory(folder, agents, watch=watch, **wanted)
            )
            opened.append(made)
            return made

        yield opening
        assert problems == [], "every request and every answer is one that GitHub describes"
        for one in opened:
            await one.shown()
            await check(one, logged.getvalue())
    for one in opened:
        work = one.stage.settings.data_dir / "work"
        left = [path.name for path in work.iterdir()] if work.is_dir() else []
        assert left == [], "I9: no checkout is left"


@pytest.fixture
async def factory(factory_with: OpenFactory) -> Factory:
    """The factory as most stories want it."""
    return await factory_with()
