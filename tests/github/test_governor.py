"""The line of writes: receipts pass everybody, and have room where the others have none left."""

import asyncio

import httpx
import pytest

from bot.errors import RateLimited
from bot.github.client import GitHub
from bot.github.repo import Repo
from tests.github.wire import API, PEM, REPO, Clock, Wire, github

MADE = httpx.Response(201, json={"id": 9})
SPACING_S = 0.3
GITHUBS_MINUTE, GITHUBS_HOUR = 80, 500  #: creating calls, as its documentation says


def spaced(wire: httpx.AsyncBaseTransport) -> Repo:
    hub = GitHub(app_id=3, private_key=PEM, api_url=API, transport=wire, write_spacing_s=SPACING_S)
    return Repo(hub, REPO)


def kinds(wire: Wire) -> list[str]:
    """What was written, in the order in which it was sent."""
    return [line.rsplit("/", 1)[1] for line in wire.sent]


async def test_a_receipt_passes_every_write_that_waits_and_none_that_is_under_way() -> None:
    under_way = asyncio.Event()

    def answer(_request: httpx.Request) -> httpx.Response:
        under_way.set()
        return MADE

    wire = Wire(answer)
    repo = spaced(wire)
    others = [asyncio.create_task(repo.create_comment(1, "x")) for _ in range(4)]
    await under_way.wait()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await repo.react_to_comment(9, "eyes")
    assert loop.time() - began < 2 * SPACING_S, "one distance, whoever waits"
    await asyncio.gather(*others)
    assert kinds(wire) == ["comments", "reactions", "comments", "comments", "comments"]


async def test_a_receipt_is_not_sent_away_where_another_write_is() -> None:
    wire = Wire(MADE)
    repo = spaced(wire)
    results = await asyncio.gather(
        *(repo.create_comment(1, "x") for _ in range(12)),
        repo.react_to_issue(1, "eyes"),
        return_exceptions=True,
    )
    assert any(isinstance(one, RateLimited) for one in results[:-1])
    assert not isinstance(results[-1], BaseException)
    assert kinds(wire)[1] == "reactions"


@pytest.mark.parametrize(
    ("ours", "githubs", "every_s"), [(60, GITHUBS_MINUTE, 0.5), (400, GITHUBS_HOUR, 7.0)]
)
async def test_receipts_have_room_of_their_own_below_the_limits_of_github(
    ours: int, githubs: int, every_s: float
) -> None:
    clock = Clock()
    hub = github(Wire(MADE), clock)
    hub.recall(REPO.installation_id, [clock.at + n * every_s for n in range(ours)])
    clock.at += ours * every_s
    with pytest.raises(RateLimited):
        await Repo(hub, REPO).create_comment(1, "x")
    receipts = await receipts_until_limited(Repo(hub, REPO))
    assert receipts >= 10
    assert ours + receipts < githubs


async def receipts_until_limited(repo: Repo) -> int:
    for sent in range(1000):
        try:
            await repo.react_to_issue(1, "eyes")
        except RateLimited:
            return sent
    raise AssertionError("no limit")


async def test_a_write_that_was_given_up_leaves_no_hole_in_the_line() -> None:
    wire = Wire(MADE)
    repo = spaced(wire)
    await repo.create_comment(1, "x")
    given_up = asyncio.create_task(repo.create_comment(1, "x"))
    after = asyncio.create_task(repo.react_to_issue(1, "eyes"))
    await asyncio.sleep(0)
    given_up.cancel()
    await after
    await repo.create_comment(1, "x")
    assert kinds(wire) == ["comments", "reactions", "comments"]
