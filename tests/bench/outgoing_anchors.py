"""What `outgoing` is held against: the same comments through the usual clients, as documented.

One client, ten callers, a token that is there already; no ledger, no limits, no log.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tests.bench import remote
from tests.bench.meter import Meter
from tests.bench.model import Reading
from tests.bench.outgoing import CALLERS, TEXT

Make = Callable[[str, int, str], Awaitable[None]]  #: repository, issue, text


async def githubkit_plain(each: int) -> Reading:
    """githubkit's typed call, whose answer its own model reads."""
    from githubkit import GitHub

    async with remote.started() as url, GitHub("a token", base_url=url) as github:

        async def make(name: str, issue: int, text: str) -> None:
            answer = await github.rest.issues.async_create_comment("octo", name, issue, body=text)
            assert answer.parsed_data.id

        return await _measured(make, each)


async def gidgethub_httpx(each: int) -> Reading:
    """gidgethub's `post`, on one client of httpx 2, which is the one that it takes."""
    from gidgethub.httpx import GitHubAPI
    from httpx2 import AsyncClient

    async with remote.started() as url, AsyncClient(trust_env=False) as client:
        github = GitHubAPI(client, "bench", oauth_token="a token", base_url=url)

        async def make(name: str, issue: int, text: str) -> None:
            answer = await github.post(
                f"/repos/octo/{name}/issues/{issue}/comments", data={"body": text}
            )
            assert answer["id"]

        return await _measured(make, each)


async def _measured(make: Make, each: int) -> Reading:
    await make("shop0", 1, TEXT)  # what is imported at the first call is not a call's cost
    meter = Meter()

    async def caller(number: int) -> None:
        for issue in range(1, each + 1):
            await make(f"shop{number}", issue, f"{number}/{issue}: {TEXT}")

    with meter.running():
        await asyncio.gather(*(caller(number) for number in range(1, CALLERS + 1)))
    return meter.reading(CALLERS * each)
