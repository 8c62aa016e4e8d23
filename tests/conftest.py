"""Hooks and fixtures that hold for every test."""

from collections.abc import Iterator

import pytest

from bot.log import Masker, mask
from tests.absences import pytest_sessionfinish, pytest_terminal_summary
from tests.postgres import Server, programs

__all__ = ["pytest_sessionfinish", "pytest_terminal_summary"]


@pytest.fixture(autouse=True)
def _secrets_of_this_test_alone() -> Iterator[None]:
    """A process that serves a thousand houses would otherwise look for the secrets of all."""
    yield
    vars(mask).update(vars(Masker()))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The one PostgreSQL server of a run; a test takes a database of its own from it."""
    if programs() is None:
        pytest.skip("PostgreSQL's server is not installed")
    server = Server.start(fsync=False)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def common_database(postgres: Server) -> str:
    """The address of a database that tests share; each empties it first."""
    return postgres.database()
