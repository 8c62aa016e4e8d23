"""Deliveries from a channel such as one of https://smee.io, for a server behind a firewall.

The channel is read as server-sent events and each delivery is posted to the local server with the
headers and the signature that GitHub gave it. A channel is public: what does not carry our
secret's signature is not passed on, and the reason is said in words.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from bot.setup.saved import POST_S, compact
from bot.setup.signature import why_not

MAX_EVENT = 60 * 1024 * 1024  #: characters; a payload of 25 MiB with its escapes
SILENCE_S = 120.0  #: smee.io pings every 30 s
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
_PASSED_ON = ("x-github-", "x-hub-", "content-type", "user-agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery of the channel."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Smee:
    """One channel, the server that it is read for, and who is told."""

    channel: str
    target: str
    secrets: Sequence[str]
    tell: Callable[[str], None]
    first_pause_s: float = FIRST_PAUSE_S

    async def run(self) -> None:
        """Until cancelled: read, pass on, and connect again where the line breaks."""
        pause_s = self.first_pause_s
        limits = httpx.Timeout(POST_S, read=SILENCE_S)
        async with httpx.AsyncClient(timeout=limits) as client:
            while True:
                try:
                    async for delivery in _deliveries(client, self.channel):
                        pause_s = self.first_pause_s
                        await self._pass_on(client, delivery)
                    self.tell("The channel has closed the line.")
                except httpx.HTTPError as error:
                    self.tell(f"The channel does not answer: {_named(error)}.")
                self.tell(f"Trying again in {pause_s:g} s.")
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _pass_on(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        name = delivery.headers.get("x-github-event", "?")
        what = f"{name} {delivery.headers.get('x-github-delivery', '')}".rstrip()
        reason = why_not(delivery.headers, delivery.body, self.secrets)
        if reason:
            self.tell(f"{what}: not passed on. {reason}")
            return
        try:
            answer = await client.post(
                self.target, content=delivery.body, headers=delivery.headers, timeout=POST_S
            )
        except httpx.HTTPError as error:
            why = f"{self.target} does not answer ({_named(error)})"
            self.tell(f"{what}: {why}. Is the server running?")
            return
        self.tell(f"{what}: {answer.status_code}")


async def _deliveries(client: httpx.AsyncClient, channel: str) -> AsyncIterator[Delivery]:
    headers = {"accept": "text/event-stream"}
    async with client.stream("GET", channel, headers=headers) as stream:
        stream.raise_for_status()
        async for data in _events(_lines(stream.aiter_text())):
            delivery = delivery_of(data)
            if delivery is not None:
                yield delivery


async def _lines(text: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines of an event stream. Only a line feed ends one: httpx would end it at U+2028, too,
    which JSON leaves as it is. Raises RemoteProtocolError for one without end.
    """
    held: list[str] = []
    async for chunk in text:
        *ended, rest = chunk.split("\n")
        for line in ended:
            yield "".join([*held, line]).removesuffix("\r")
            held.clear()
        held.append(rest)
        if sum(map(len, held)) > MAX_EVENT:
            raise httpx.RemoteProtocolError("a line without end")


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The data of each event; what is larger than any delivery is left out."""
    held: list[str] = []
    size = 0
    async for line in lines:
        if line.startswith("data:"):
            size += len(line)
            held = [*held, line[5:].removeprefix(" ")] if size <= MAX_EVENT else []
        elif not line:
            if held:
                yield "\n".join(held)
            held, size = [], 0


def delivery_of(data: str) -> Delivery | None:
    """What an event of the channel holds; None for a ping, a greeting or nonsense.

    The channel has parsed GitHub's JSON; written anew without spaces it is nearly always the same
    bytes, and where it is not, the signature says so.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or "body" not in found or "x-github-event" not in found:
        return None
    headers = {
        name.lower(): value
        for name, value in found.items()
        if isinstance(value, str) and name.lower().startswith(_PASSED_ON)
    }
    return Delivery(
        headers={"content-type": "application/json", **headers}, body=_bytes(found["body"])
    )


def _bytes(body: Any) -> bytes:
    return body.encode("utf-8", "replace") if isinstance(body, str) else compact(body)


def _named(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}{f': {error}' if str(error) else ''}"
