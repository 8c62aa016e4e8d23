"""Deliveries that come while others are being stored: one group, one commit, an answer each."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from bot.tasks.inbox import AT_ONCE
from bot.web.answer import Answer
from bot.web.arrivals import Arrivals, Arrived
from bot.web.receiver import Receiver
from tests.web.deliveries import body_of, headers_for, labeled, raw
from tests.web.house import House

WITHIN_S = 20.0
SLOW_S = 0.2  #: of a disk; half of it is left for those who come back
TURNS = 10

GOOD = body_of(labeled())


@dataclass
class _Disk:
    """Takes groups and keeps their sizes; each takes `seconds`, and the gate has to be open."""

    seconds: float = 0.0
    groups: list[int] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, arrived: Sequence[Arrived]) -> None:
        self.groups.append(len(arrived))
        await self.gate.wait()
        await asyncio.sleep(self.seconds)
        for one in arrived:
            one.reply(Answer.json(202, "{}"))


@dataclass
class _Senders:
    """They count their answers."""

    arrivals: Arrivals
    sent: int = 0
    answers: list[Answer] = field(default_factory=list)

    def send(self, count: int) -> None:
        self.sent += count
        for _ in range(count):
            self.arrivals.add(Arrived({}, b"", "", self.answers.append))

    async def answered(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            while len(self.answers) < self.sent:  # noqa: ASYNC110 - answers are plain calls
                await asyncio.sleep(0)


@pytest.fixture
def disk() -> _Disk:
    return _Disk()


@pytest.fixture
def senders(disk: _Disk) -> _Senders:
    return _Senders(Arrivals(disk.take))


async def turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def test_those_that_come_meanwhile_are_the_next_group(disk: _Disk, senders: _Senders) -> None:
    senders.send(1)
    await turns()
    senders.send(2)
    await turns()
    senders.send(3)
    disk.gate.set()
    await senders.answered()
    assert disk.groups == [1, 5]


async def test_no_group_is_larger_than_one_statement(disk: _Disk, senders: _Senders) -> None:
    disk.gate.set()
    senders.send(2 * AT_ONCE + 3)
    await senders.answered()
    assert disk.groups == [AT_ONCE, AT_ONCE, 3]


async def test_one_that_comes_alone_does_not_wait(disk: _Disk, senders: _Senders) -> None:
    disk.gate.set()
    for _ in range(3):
        senders.send(1)
        await turns()
        assert len(senders.answers) == senders.sent


async def test_the_senders_of_a_group_have_time_to_come_back(
    disk: _Disk, senders: _Senders
) -> None:
    disk.gate.set()
    disk.seconds = SLOW_S
    senders.send(2)
    await senders.answered()
    senders.send(1)
    await turns()
    senders.send(1)
    await senders.answered()
    assert disk.groups == [2, 2]


async def test_each_of_a_group_has_its_own_answer_and_one_commit(house: House) -> None:
    receiver = Receiver(house.queue, house.settings)
    answers: dict[str, int] = {}

    def take(name: str, **headers: str) -> None:
        def reply(answer: Answer) -> None:
            answers[name] = answer.status

        given = raw(headers_for(GOOD, x_github_delivery=name, **headers))
        receiver.take(given, GOOD, "", reply)

    take("first")
    take("unsigned", x_hub_signature_256="sha256=" + "0" * 64)
    take("not-ours", x_github_event="ping")
    take("second")
    async with asyncio.timeout(WITHIN_S):
        while len(answers) < 4:  # noqa: ASYNC110 - answers are plain calls
            await asyncio.sleep(0)
    assert answers == {"first": 202, "unsigned": 401, "not-ours": 202, "second": 202}
    assert [row.delivery_id for row in await house.queue.pending()] == ["first", "second"]
