"""The house and a client on this machine, for every test of the doors."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.web.house import House, opened_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened_house(tmp_path) as house:
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client
