"""Which issue waits for which, as GitHub shows it and tells of it."""

import httpx
import pytest

from tests.localhub.shop import Shop


async def test_an_issue_shows_what_it_waits_for_and_how_much_of_it_is_open(shop: Shop) -> None:
    first = await shop.writer.open_issue(shop.repo, "First")
    await shop.writer.open_issue(shop.repo, "Then")
    await shop.writer.block(shop.repo, 2, first)
    listed = (await shop.bot("GET", "/issues/2/dependencies/blocked_by")).json()
    assert [(one["number"], one["state"]) for one in listed] == [(1, "open")]
    behind = (await shop.bot("GET", "/issues/1/dependencies/blocking")).json()
    assert [one["number"] for one in behind] == [2]
    await shop.writer.close(shop.repo, 1)
    summary = (await shop.bot("GET", "/issues/2")).json()["issue_dependencies_summary"]
    assert summary == {
        "blocked_by": 0,
        "total_blocked_by": 1,
        "blocking": 0,
        "total_blocking": 0,
    }


async def test_both_ends_of_a_link_are_told_when_it_comes_and_goes(shop: Shop) -> None:
    first = await shop.writer.open_issue(shop.repo, "First")
    await shop.writer.open_issue(shop.repo, "Then")
    await shop.writer.block(shop.repo, 2, first)
    await shop.writer.unblock(shop.repo, 2, first)
    assert shop.actions("issue_dependencies") == [
        "blocked_by_added",
        "blocking_added",
        "blocked_by_removed",
        "blocking_removed",
    ]
    told = shop.events("issue_dependencies")[2]
    assert (told["blocked_issue"]["number"], told["blocking_issue"]["number"]) == (2, 1)
    assert told["sender"]["login"] == "walt"
    assert (await shop.bot("GET", "/issues/2/dependencies/blocked_by")).json() == []


async def test_an_issue_waits_once_and_not_for_itself_nor_for_what_is_hidden(shop: Shop) -> None:
    first = await shop.writer.open_issue(shop.repo, "First")
    await shop.writer.open_issue(shop.repo, "Then")
    await shop.writer.block(shop.repo, 2, first)
    hidden = shop.hub.create_repository("acme", "vault", {"a": "a"}, private=True)
    shop.hub.set_role(hidden, "olga", "admin")
    secret = await shop.owner.open_issue(hidden, "Secret")
    for number, blocker, status in ((2, first, "422"), (1, first, "422"), (2, secret, "404")):
        with pytest.raises(httpx.HTTPStatusError, match=status):
            await shop.writer.block(shop.repo, number, blocker)
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await shop.writer.unblock(shop.repo, 1, first)
