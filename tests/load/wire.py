"""A client of plain bytes on sockets, so cheap that what it measures is the server."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.bench import wire

LONGEST_S = 120.0  #: for any one answer; what takes longer is an error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status, 0 where the connection ended without one, and how long it took."""

    status: int
    seconds: float
    body: bytes = b""


class Line:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Line":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> Answer:
        """Send a request; its answer, or status 0 where the other side hangs up first."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST_S):
                self._writer.write(request)
                status, body = await self._answer()
        except (ConnectionError, asyncio.IncompleteReadError):
            status, body = 0, b""
        return Answer(status=status, seconds=time.monotonic() - began, body=body)

    async def until_closed(self, beginning: bytes) -> float:
        """Send the beginning of a request and nothing more; seconds until the other side ends."""
        began = time.monotonic()
        self._writer.write(beginning)
        async with asyncio.timeout(LONGEST_S):
            with contextlib.suppress(ConnectionError):
                await self._reader.read()
        return time.monotonic() - began

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _answer(self) -> tuple[int, bytes]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = (
            int(line.partition(":")[2])
            for line in head.split("\r\n")
            if line.lower().startswith("content-length:")
        )
        return int(head.split(" ", 2)[1]), await self._reader.readexactly(next(lengths, 0))


async def at_once(port: int, requests: Iterable[bytes]) -> list[Answer]:
    """Every request on a connection of its own; all are open before the first byte is sent."""
    asked = list(requests)
    lines = [await Line.open(port) for _ in asked]
    answers = await asyncio.gather(*(line.ask(one) for line, one in zip(lines, asked, strict=True)))
    await asyncio.gather(*(line.close() for line in lines))
    return answers


async def over(
    port: int, requests: Iterable[bytes], *, lines: int, per_s: float | None = None
) -> list[Answer]:
    """Every request over so many kept connections, at most `per_s` begun in a second.

    The answers are in the order of the requests.
    """
    queue, answers, began = enumerate(requests), dict[int, Answer](), time.monotonic()

    async def one() -> None:
        line = await Line.open(port)
        for number, request in queue:
            if per_s is not None:
                await asyncio.sleep(max(0.0, began + number / per_s - time.monotonic()))
            answer = await line.ask(request)
            answers[number] = answer
            if not answer.status:
                await line.close()
                line = await Line.open(port)
        await line.close()

    await asyncio.gather(*(one() for _ in range(lines)))
    return [answers[number] for number in sorted(answers)]


def runs_ended(port: int, count: int, *, first: int) -> Iterator[tuple[str, bytes]]:
    """GUIDs and requests of deliveries that say that an Actions run has ended."""
    for number in range(first, first + count):
        guid = f"load-{number}"
        body = wire.encode(wire.run_completed(number))
        yield guid, wire.request(port, "workflow_run", body, guid)
