"""`python -m tests.bench.senders PORT COUNT CALLERS`: delivers webhooks as fast as it is answered.

A process of its own, so that the server's processor time is the server's alone. Every tenth
delivery is sent twice, as GitHub does. Prints the number of answers by status, as JSON.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator

from tests.bench import wire

REPEATED = 10  #: one in so many deliveries comes twice


async def send_all(port: int, count: int, callers: int) -> Counter[int]:
    """Answers by status to `count` deliveries and to those that are sent again."""
    requests = list(_requests(port, count))
    queue = iter(requests)
    answers: Counter[int] = Counter()
    await asyncio.gather(*(_caller(port, queue, answers) for _ in range(callers)))
    return answers


async def delivered(port: int, count: int, callers: int) -> int:
    """How many were sent, by a process of their own, and answered with a 2xx each."""
    sender = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.senders", str(port), str(count), str(callers),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await sender.communicate()
    answers = json.loads(said)
    total = count + repeats(count)
    assert sum(answers.values()) == total, answers
    assert all(status.startswith("2") for status in answers), answers
    return total


def repeats(count: int) -> int:
    """How many of so many deliveries are sent again."""
    return count // REPEATED


def _requests(port: int, count: int) -> Iterator[bytes]:
    for number in range(count):
        body = wire.encode(wire.labeled(number + 1))
        request = wire.request(port, "issues", body)
        yield request
        if number % REPEATED == REPEATED - 1:
            yield request


async def _caller(port: int, requests: Iterator[bytes], answers: Counter[int]) -> None:
    """One connection, kept alive; a request a time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        answers[await answered(reader)] += 1
    writer.close()
    await writer.wait_closed()


async def answered(reader: asyncio.StreamReader) -> int:
    """The status of the next answer on a connection, whose body is read past."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    await reader.readexactly(_length(head))
    return int(head.split(" ", 2)[1])


def _length(head: str) -> int:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send_all(*map(int, sys.argv[1:])))))
