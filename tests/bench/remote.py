"""`python -m tests.bench.remote`: a GitHub that makes comments and tokens, and counts requests.

A process of its own, so that its processor time is nobody's but its own. On its first line it
prints its port; it serves until its standard input closes. `GET /seen` says what was asked.
https://docs.github.com/en/rest/issues/comments#create-an-issue-comment
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.bench.serving import served

API = "https://api.github.com"
USER_LINKS = "followers following gists starred subscriptions organizations repos events"
AT = "2026-05-01T10:00:00Z"


@dataclass(slots=True)
class Remote:
    """What was asked, and which texts have become comments."""

    asked: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)

    async def token(self, request: Request) -> JSONResponse:
        """An installation's token."""
        self.asked["mint"] += 1
        number = request.path_params["number"]
        return JSONResponse({"token": f"ghs_{number}", "expires_at": "2099-01-01T00:00:00Z"}, 201)

    async def comment(self, request: Request) -> JSONResponse:
        """A comment, in the size and shape that GitHub answers."""
        self.asked["comment"] += 1
        text = (await request.json())["body"]
        self.texts[text] += 1
        return JSONResponse(_comment(self.asked["comment"], text), 201)

    async def anything(self, request: Request) -> JSONResponse:
        """What should not be asked."""
        self.asked["other"] += 1
        return JSONResponse({"message": "Not Found"}, 404)

    async def seen(self, _request: Request) -> JSONResponse:
        """The counts, and how many texts came once."""
        once = sum(number == 1 for number in self.texts.values())
        return JSONResponse({**self.asked, "once": once})


async def serve() -> None:
    """Until the parent closes our standard input."""
    remote = Remote()
    routes = [
        Route("/app/installations/{number}/access_tokens", remote.token, methods=["POST"]),
        Route("/repos/{o}/{r}/issues/{n}/comments", remote.comment, methods=["POST"]),
        Route("/seen", remote.seen),
        Route("/{path:path}", remote.anything, methods=["GET", "POST", "PATCH", "PUT", "DELETE"]),
    ]
    with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as listener:
        config = uvicorn.Config(
            Starlette(routes=routes), log_config=None, access_log=False, lifespan="off"
        )
        async with served(uvicorn.Server(config), listener):
            print(listener.getsockname()[1], flush=True)
            await asyncio.to_thread(os.read, 0, 1)


@contextlib.asynccontextmanager
async def started() -> AsyncIterator[str]:
    """Its address, while it runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.remote",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


async def seen_at(url: str) -> dict[str, int]:
    """What was asked of the one at this address."""
    async with httpx.AsyncClient(trust_env=False) as client:
        found: dict[str, int] = json.loads((await client.get(f"{url}/seen")).content)
        return found


def _comment(number: int, text: str) -> dict[str, Any]:
    issue = f"{API}/repos/octo/shop/issues/1"
    return {
        "id": number,
        "node_id": f"IC_{number}",
        "url": f"{API}/repos/octo/shop/issues/comments/{number}",
        "html_url": f"https://github.com/octo/shop/issues/1#issuecomment-{number}",
        "issue_url": issue,
        "body": text,
        "user": _user(),
        "created_at": AT,
        "updated_at": AT,
        "author_association": "NONE",
        "performed_via_github_app": None,
    }


def _user() -> dict[str, Any]:
    base = f"{API}/users/chimera"
    return {
        "login": "chimera[bot]",
        "id": 1,
        "node_id": "BOT_1",
        "avatar_url": "https://avatars.githubusercontent.com/in/1?v=4",
        "gravatar_id": "",
        "url": base,
        "html_url": "https://github.com/apps/chimera",
        "received_events_url": f"{base}/received_events",
        "type": "Bot",
        "site_admin": False,
        **{f"{name}_url": f"{base}/{name}" for name in USER_LINKS.split()},
    }


if __name__ == "__main__":
    asyncio.run(serve())
