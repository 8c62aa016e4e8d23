"""calls: what a whole demo run asks of GitHub, route by route; and how often a token is made."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bot import log
from bot.demo.stage import register
from bot.demo.story import DemoOptions, run_demo
from bot.domain import RepoRef
from bot.github.client import GitHub
from bot.github.repo import Repo
from bot.localhub.hub import LocalHub
from tests.bench.model import Bench, Cell, Figure, Reading

MINTING = "POST /app/installations/{installation_id}/access_tokens"
SET_UP = "POST /app-manifests/{code}/conversions"  #: registering the App, before there is a bot
#: What the sweep asks as the server starts, and every ten minutes then, however much is worked on.
SWEEP = (
    "GET /app/installations",
    "GET /installation/repositories",
    "GET /app/hook/deliveries",
    "GET /repos/{owner}/{repo}/issues",
)
#: What is asked once for an App, and never again while its store is there: its own account.
ONCE = ("GET /app", "GET /users/{username}")
FIRST_CALLS = 10


def bench() -> Bench:
    return Bench(
        name="calls",
        about="one demo run with every check, comment, label and review; minting of tokens, "
        "the App's own account and the sweep aside",
        rounds=1,
        cells=[
            Cell(name="demo", work="tests.bench.calls:demo"),
            Cell(name="tokens", work="tests.bench.calls:tokens"),
        ],
        figures=(
            Figure(name="completed", of=lambda r: r["demo"]["completed"], at_least=1, exact=True),
            Figure(name="API calls", of=lambda r: r["demo"]["calls"], at_most=36, exact=True),
            Figure(name="API calls of the sweep beside it", of=lambda r: r["demo"]["swept"]),
            Figure(name="POSTs, GraphQL among them", of=lambda r: r["demo"]["posts"],
                   at_most=14, exact=True),
            Figure(name="polls of runs and checks", of=lambda r: r["demo"]["polls"],
                   at_most=0, exact=True),
            Figure(
                name=f"tokens minted for {FIRST_CALLS} simultaneous first calls",
                of=lambda r: r["tokens"]["minted"],
                at_least=1,
                at_most=1,
                exact=True,
            ),
        ),
    )  # fmt: skip


async def demo() -> Reading:
    """The demo as the command plays it; each route's count is a reading of its own."""
    log.set_up(level="ERROR")
    document = await run_demo(DemoOptions(), lambda _text: None)
    routes = Counter(document["hub"]["calls"])
    del routes[SET_UP]
    minted = routes.pop(MINTING, 0)
    for route in ONCE:
        del routes[route]
    swept = sum(routes.pop(route, 0) for route in SWEEP)
    return {
        "completed": float(document["task"]["status"] == "COMPLETED"),
        "calls": sum(routes.values()),
        "swept": swept,
        "posts": _posts(routes),
        "polls": _polls(routes),
        "minted": minted,
        **{f"route {route}": count for route, count in sorted(routes.items())},
    }


async def tokens() -> Reading:
    """Ten calls at once of a client that has no token yet, at a real hub."""
    with tempfile.TemporaryDirectory() as folder:
        hub = LocalHub(Path(folder), act=False)
        async with hub.serve():
            hub.add_user("ada")
            made = await asyncio.to_thread(hub.create_repository, "ada", "shop", {"a.txt": "a"})
            app = await register(hub, "http://127.0.0.1:9/webhook")
            installation = hub.install(app.id, "ada", [made])
            ref = RepoRef(id=made.id, owner="ada", name="shop")
            async with GitHub(app_id=app.id, private_key=app.pem, api_url=hub.api_url) as github:
                repo = Repo(github, replace(ref, installation_id=installation))
                await asyncio.gather(*(repo.role_of("ada") for _ in range(FIRST_CALLS)))
            return {"minted": hub.calls.by_route()[MINTING]}


def _posts(routes: Mapping[str, int]) -> int:
    graphql = ("mutation ", "query ")
    return sum(n for route, n in routes.items() if route.startswith(("POST ", *graphql)))


def _polls(routes: Mapping[str, int]) -> int:
    """Looks at what a webhook tells: runs, jobs, check runs, statuses."""
    asked = ("/actions/runs", "/check-runs", "/check-suites", "/statuses", "/status")
    return sum(
        n
        for route, n in routes.items()
        if route.startswith("GET ") and any(a in route for a in asked)
    )
