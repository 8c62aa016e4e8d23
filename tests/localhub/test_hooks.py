"""Webhooks: signatures, the log, redelivery, bad lines; and scripted faults of the API."""

import asyncio
import hashlib
import hmac
import json
import time

import httpx
import psutil
import pytest

from tests.localhub.shop import Shop

BURST = 120  #: more than the connections that httpx opens unless it is told


async def test_a_delivery_is_signed_over_its_raw_bytes(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "Grüße", "ß" * 10)
    await shop.hub.settle()
    headers, body = shop.inbox.got[-1]
    digest = hmac.new(shop.app.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-hub-signature-256"] == f"sha256={digest}"
    assert headers["x-github-event"] == "issues"
    assert headers["x-github-hook-installation-target-id"] == str(shop.app.id)
    assert headers["user-agent"].startswith("GitHub-Hookshot/")
    assert json.loads(body)["issue"]["title"] == "Grüße"


async def test_an_app_hears_only_what_it_subscribed_to_and_may_know(shop: Shop) -> None:
    quiet = shop.hub.register_app(
        "acme", "Quiet", hook_url="http://bot/hook", permissions={}, events=["issues"]
    )
    shop.hub.install(quiet.id, "acme")
    await shop.writer.open_issue(shop.repo, "One")
    await shop.hub.settle()
    heard = [one.event for one in shop.hub.deliveries if one.app is quiet]
    assert heard == ["ping", "installation"]


async def test_a_redelivery_keeps_guid_and_bytes(shop: Shop) -> None:
    shop.inbox.status = 503
    await shop.writer.open_issue(shop.repo, "One")
    await shop.hub.settle()
    log = (await shop.as_app("GET", "/app/hook/deliveries")).json()
    failed = log[0]
    assert (failed["event"], failed["status_code"], failed["redelivery"]) == ("issues", 503, False)
    shop.inbox.status = 202
    again = await shop.as_app("POST", f"/app/hook/deliveries/{failed['id']}/attempts")
    assert again.status_code == 202
    await shop.hub.settle()
    newest = (await shop.as_app("GET", "/app/hook/deliveries")).json()[0]
    assert (newest["guid"], newest["redelivery"]) == (failed["guid"], True)
    (first, body), (second, same) = shop.inbox.got[-2:]
    assert first["x-github-delivery"] == second["x-github-delivery"]
    assert body == same
    whole = (await shop.as_app("GET", f"/app/hook/deliveries/{newest['id']}")).json()
    assert whole["request"]["payload"]["action"] == "opened"


async def test_the_log_is_read_by_cursor(shop: Shop) -> None:
    for number in range(3):
        await shop.writer.open_issue(shop.repo, f"{number}")
    await shop.hub.settle()
    seen, path = [], "/app/hook/deliveries?per_page=2"
    while path:
        page = await shop.as_app("GET", path)
        seen += [one["id"] for one in page.json()]
        path = page.links.get("next", {}).get("url", "")
    assert seen == sorted((one.id for one in shop.hub.deliveries), reverse=True)


async def test_the_line_can_drop_repeat_and_hold_deliveries(shop: Shop) -> None:
    await shop.hub.settle()
    start = len(shop.inbox.got)
    shop.hub.webhooks.drop = lambda one: one.action == "opened"
    shop.hub.webhooks.duplicate = lambda one: one.action == "labeled"
    await shop.writer.open_issue(shop.repo, "One", labels=["chimera"])
    await shop.hub.settle()
    assert [json.loads(body)["action"] for _, body in shop.inbox.got[start:]] == ["labeled"] * 2
    shop.hub.webhooks.drop = shop.hub.webhooks.duplicate = 0.0
    shop.hub.webhooks.pause()
    await shop.writer.comment(shop.repo, 1, "held")
    await shop.hub.settle()
    assert len(shop.inbox.got) == start + 2
    shop.hub.webhooks.resume()
    await shop.hub.settle()
    assert len(shop.inbox.got) == start + 3


async def test_deliveries_start_in_the_order_of_events(shop: Shop) -> None:
    await shop.hub.settle()
    start = len(shop.inbox.got)
    for number in range(20):
        await shop.writer.open_issue(shop.repo, f"{number}")
    await shop.hub.settle()
    titles = [json.loads(body)["issue"]["title"] for _, body in shop.inbox.got[start:]]
    assert titles == [str(number) for number in range(20)]


async def test_no_delivery_of_a_burst_waits_for_another_to_be_answered(shop: Shop) -> None:
    await shop.hub.settle()
    all_there, there = asyncio.Event(), 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal there
        await reader.readuntil(b"\r\n\r\n")
        there += 1
        if there == BURST:
            all_there.set()
        await all_there.wait()
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, backlog=BURST) as server:
        shop.app.hook_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        shop.hub.webhooks.transport = None
        await shop.hub.webhooks.aclose()
        for number in range(BURST):
            await shop.writer.open_issue(shop.repo, f"{number}")
        await shop.hub.settle()
    assert [one.status for one in shop.hub.deliveries[-BURST:]] == ["OK"] * BURST


@pytest.mark.parametrize("turns", range(1, 7))
async def test_a_line_that_is_closed_leaves_no_connection_to_who_has_gone(
    shop: Shop, turns: int
) -> None:
    """So many turns of the event loop after a delivery to a server that has ended just before."""
    hooks, ends = shop.hub.webhooks, list[asyncio.StreamWriter]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        while len(ends) < 3:  # noqa: ASYNC110 - all at once, so that each has its own connection
            await asyncio.sleep(0.01)
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")

    await shop.hub.settle()
    hooks.transport = None
    await hooks.aclose()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    shop.app.hook_url = f"http://127.0.0.1:{port}/"
    for number in range(3):
        await shop.writer.open_issue(shop.repo, f"{number}")
    await shop.hub.settle()
    server.close()
    for end in ends:
        end.close()
        await end.wait_closed()
    await shop.writer.open_issue(shop.repo, "3")
    for _ in range(turns):
        await asyncio.sleep(0)
    await hooks.aclose()
    await asyncio.sleep(0)  # a closed connection ends with the next turn
    left = psutil.Process().net_connections("tcp")
    assert [one for one in left if one.raddr and one.raddr.port == port] == []


async def test_a_fault_spoils_the_answer_before_or_after_the_write(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "One")
    comments = "/issues/1/comments"
    shop.hub.faults.add("POST", "comments$", status=502)
    assert (await shop.bot("POST", comments, {"body": "lost"})).status_code == 502
    shop.hub.faults.add("POST", "comments$", status=504, apply=True)
    assert (await shop.bot("POST", comments, {"body": "made"})).status_code == 504
    shop.hub.faults.add(
        "POST", "comments$", status=429, headers={"retry-after": "7"}, body={"message": "slow"}
    )
    limited = await shop.bot("POST", comments, {"body": "x"})
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert limited.json() == {"message": "slow"}
    listed = (await shop.bot("GET", comments)).json()
    assert [one["body"] for one in listed] == ["made"]


async def test_a_reset_breaks_the_connection_after_the_write(shop: Shop) -> None:
    shop.hub.faults.add("POST", "/issues$", reset=True, apply=True)
    with pytest.raises(httpx.TransportError):
        await shop.bot("POST", "/issues", {"title": "made"})
    assert [one.title for one in shop.repo.issues.values()] == ["made"]


async def test_a_slow_answer_is_slow_and_right(shop: Shop) -> None:
    shop.hub.faults.add("GET", "/repos/acme/shop$", status=0, delay_s=0.2)
    await shop.new_token()
    started = time.monotonic()
    assert (await shop.bot("GET", "")).status_code == 200
    assert time.monotonic() - started >= 0.2


async def test_what_is_fresh_cannot_be_read_yet(shop: Shop) -> None:
    shop.hub.faults.lag_s = 3600.0
    made = await shop.bot("POST", "/issues", {"title": "fresh"})
    assert made.status_code == 201
    assert (await shop.bot("GET", "/issues/1")).status_code == 404
    assert (await shop.bot("GET", "/issues")).json() == []
    shop.hub.faults.clear()
    assert (await shop.bot("GET", "/issues/1")).status_code == 200


async def test_every_call_is_counted_by_its_route(shop: Shop) -> None:
    await shop.bot("POST", "/issues", {"title": "x"})
    await shop.bot("GET", "/issues/1")
    await shop.bot("GET", "/issues/99")
    counts = shop.hub.calls.made_by("chimera[bot]").by_route()
    assert counts["POST /repos/{owner}/{repo}/issues"] == 1
    assert counts["GET /repos/{owner}/{repo}/issues/{issue_number}"] == 2
    assert shop.hub.calls[-1].status == 404
    assert shop.hub.calls[-3].body == {"title": "x"}
