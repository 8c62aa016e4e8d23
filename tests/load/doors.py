"""What comes to the webhook's door: too much at once, too often, too large, too slow."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from tests.bench import wire
from tests.load.figures import Figure, loosened, percentile
from tests.load.server import Stand
from tests.load.wire import Answer, Line, at_once, over, runs_ended

SLOWEST_S = 2.0  #: of a burst; GitHub gives up after ten
BODY = 25 * 1024 * 1024  #: GitHub's own limit
CLOSED_S = 15.0
HELD_MIB = 400.0  #: above what an idle server has
HALF_A_HEAD = b"POST /webhook HTTP/1.1\r\nhost: x\r\n"
HALF_A_BODY = HALF_A_HEAD + b"content-length: 100\r\n\r\nhalf"


async def burst(stand: Stand, count: int) -> list[Figure]:
    """So many deliveries in one moment, each on a connection of its own: all are accepted."""
    name = f"{count:,} deliveries at once"
    made = list(runs_ended(stand.port, count, first=1_000_000))
    requests = [request for _, request in made]
    anchor = max(one.seconds for one in await at_once(stand.anchor_port, requests))
    answers = await at_once(stand.port, requests)
    times = [one.seconds for one in answers]
    return [
        *_kept(stand, name, [guid for guid, _ in made], answers),
        Figure(load=name, name="answered 202", value=_said(answers)[202], exactly=count),
        Figure(load=name, name="median", value=percentile(times, 0.5), unit="s"),
        Figure(
            load=name,
            name="slowest",
            value=max(times),
            unit="s",
            at_most=loosened(SLOWEST_S, anchor, 5),
        ),
        Figure(load=name, name="slowest of the anchor", value=anchor, unit="s"),
    ]


async def flood(stand: Stand, count: int, *, within_s: float) -> list[Figure]:
    """More than anybody sends: taken or refused with 503, and what was taken is there."""
    name = f"{count:,} deliveries in {within_s:g} s"
    made = list(runs_ended(stand.port, count, first=2_000_000))
    answers = await over(
        stand.port, [request for _, request in made], lines=50, per_s=count / within_s
    )
    said = _said(answers)
    times = [one.seconds for one in answers]
    return [
        *_kept(stand, name, [guid for guid, _ in made], answers),
        Figure(load=name, name="answered 202", value=said[202]),
        Figure(load=name, name="answered 503", value=said[503]),
        Figure(load=name, name="p99", value=percentile(times, 0.99), unit="s"),
    ]


async def bodies(stand: Stand, count: int) -> list[Figure]:
    """The largest bodies there are, all at once: memory stays within bounds."""
    name = f"{count} bodies of 25 MiB at once"
    made = [_large(stand.port, number) for number in range(1, count + 1)]
    idle = stand.rss_mib()
    stand.forget_peak()
    answers = await at_once(stand.port, [request for _, request in made])
    return [
        *_kept(stand, name, [guid for guid, _ in made], answers),
        Figure(load=name, name="answered 202", value=_said(answers)[202]),
        Figure(load=name, name="answered 503", value=_said(answers)[503]),
        Figure(
            load=name,
            name="memory above idle",
            value=stand.rss_mib("VmHWM") - idle,
            unit="MiB",
            at_most=HELD_MIB,
        ),
    ]


async def slow(stand: Stand, count: int) -> list[Figure]:
    """Clients that never finish are closed; everybody else is served meanwhile."""
    name = f"{count} connections that never finish"
    halves = [HALF_A_HEAD if number % 2 else HALF_A_BODY for number in range(count)]
    lines = [await Line.open(stand.port) for _ in halves]
    closing = asyncio.gather(
        *(line.until_closed(half) for line, half in zip(lines, halves, strict=True))
    )
    others, served = runs_ended(stand.port, 10_000, first=3_000_000), list[Answer]()
    while not closing.done():
        _, request = next(others)
        served += await over(stand.port, [request], lines=1)
        await asyncio.wait({closing}, timeout=0.25)
    closed = await closing
    for line in lines:
        await line.close()
    slack_s = loosened(2.0, max(one.seconds for one in served), 2)
    return [
        Figure(
            load=name,
            name="last one closed after",
            value=max(closed),
            unit="s",
            at_most=CLOSED_S + slack_s,
        ),
        Figure(load=name, name="others served", value=_said(served)[202], exactly=len(served)),
        Figure(
            load=name,
            name="slowest of the others",
            value=max(one.seconds for one in served),
            unit="s",
        ),
    ]


def _kept(stand: Stand, name: str, guids: Sequence[str], answers: Sequence[Answer]) -> list[Figure]:
    """Nothing was answered but 202 and 503, and everything with 202 is in the store."""
    stored = stand.stored()
    taken = [guid for guid, one in zip(guids, answers, strict=True) if one.status == 202]
    others = [one.status for one in answers if one.status not in (202, 503)]
    return [
        Figure(load=name, name="taken and lost", value=len(set(taken) - stored), exactly=0),
        Figure(load=name, name="answered otherwise", value=len(others), exactly=0),
    ]


def _said(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(one.status for one in answers)


def _large(port: int, number: int) -> tuple[str, bytes]:
    payload = wire.run_completed(number)
    padding = BODY - len(wire.encode({**payload, "padding": ""}))
    guid = f"large-{number}"
    body = wire.encode({**payload, "padding": "x" * padding})
    return guid, wire.request(port, "workflow_run", body, guid)
