"""The hub of these tests: served on loopback; every answer is checked against GitHub's schema."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.localhub.shop import Shop, open_shop


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    one = await open_shop(tmp_path / "hub")
    async with one.hub.serve() as base_url:
        one.client.base_url = f"{base_url}/api/v3"
        async with one.client:
            yield one
    assert one.problems == []
