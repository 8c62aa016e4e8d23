"""Further repositories with the sample application, for benches of many workflows at once."""

import asyncio
from collections.abc import Mapping, Sequence

from bot.demo import sample
from bot.localhub.hub import LocalHub
from bot.localhub.state import Repository


async def more_shops(hub: LocalHub, variables: Sequence[Mapping[str, str]]) -> list[Repository]:
    """Ada's shop2, shop3 and so on, each deployed as its variables say."""
    return [
        await asyncio.to_thread(
            hub.create_repository, "ada", f"shop{n}", sample.files(), variables=one
        )
        for n, one in enumerate(variables, start=2)
    ]
