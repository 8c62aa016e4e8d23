"""One wish is one task, in whatever order GitHub tells of it, and once it was taken back, none.

An issue is labelled and then moved to another repository, closed, or unlabelled. Every order of
the deliveries is tried, with each of them repeated under a new GUID, and with each of them lost; of
three deliveries every fifth case, unless FAULTS=all.
"""

import itertools
import logging
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import structlog

from bot.domain import Status, Task, Wait, WaitFor
from bot.localhub.state import Repository
from bot.localhub.state_apps import Delivery
from bot.localhub.webhooks import headers_for
from bot.workflow.comparing import IDLE_EVERY
from tests.conversation.desk import Desk, open_desk

SWEEP_S = 900.0
TRIGGER = "chimera"
STRIDE = 1 if os.environ.get("FAULTS") == "all" else 5  #: through the cases of three deliveries

#: What becomes of an issue that has a label, and where it is afterwards.
Act = Callable[[Desk, int], Awaitable[tuple[Repository, int] | None]]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without the bot's log, which would be most of a failure's text."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def transferred(desk: Desk, issue: int) -> tuple[Repository, int]:
    """To a repository that has the label as well."""
    other = place(desk)
    desk.hub.world.label(other, TRIGGER)
    return other, desk.hub.transfer_issue(desk.repository, issue, other).number


async def transferred_and_labelled_there(desk: Desk, issue: int) -> tuple[Repository, int]:
    """To one that has not; somebody makes it."""
    other = place(desk)
    other.labels.pop(TRIGGER, None)
    number = desk.hub.transfer_issue(desk.repository, issue, other).number
    await desk.owner.label(other, number, TRIGGER)
    return other, number


def place(desk: Desk) -> Repository:
    return next(one for one in desk.hub.world.repositories.values() if one.name == "other")


async def closed(desk: Desk, issue: int) -> None:
    await desk.owner.close(desk.repository, issue)


async def unlabelled(desk: Desk, issue: int) -> None:
    await desk.owner.unlabel(desk.repository, issue, TRIGGER)


async def unheard(_desk: Desk, _issue: int) -> None:
    return


async def queued(desk: Desk, issue: int) -> None:
    await heard(desk, issue)


async def running(desk: Desk, issue: int) -> None:
    task = await heard(desk, issue)
    claimed = await desk.house.queue.claim("a test")
    assert claimed is not None
    assert claimed.id == task.id


async def parked(desk: Desk, issue: int) -> None:
    task = await heard(desk, issue)
    wait = Wait(on=WaitFor.DECISION, reason="Which of the two?")
    await desk.house.queue.change(
        task.id, lambda now: replace(now, status=Status.WAITING, wait=wait)
    )


async def heard(desk: Desk, issue: int) -> Task:
    """The task of a label that was told of at once."""
    [told] = [one for one in news(desk) if f'"number":{issue},' in one.body.decode()]
    await tell(desk, [replace(told, guid=str(uuid.uuid4()))])
    task = await desk.latest(issue)
    assert task is not None
    return task


# ── the orders ───────────────────────────────────────────────────────────────────────────────


def orders(told: Sequence[Delivery]) -> Iterator[tuple[list[Delivery], bool]]:
    """Every order; with one of them once more, under a new GUID; and with one that is lost."""
    for order in itertools.permutations(told):
        yield [*order], False
        for again in told:
            yield [*order, replace(again, guid=str(uuid.uuid4()))], False
    for lost in told:
        for order in itertools.permutations([one for one in told if one is not lost]):
            yield [*order], True


@pytest.mark.parametrize("before", [unheard, queued, running, parked])
@pytest.mark.parametrize("act", [transferred, transferred_and_labelled_there, closed, unlabelled])
async def test_a_wish_is_one_task_however_its_deliveries_come(
    desk: Desk, act: Act, before: Callable[[Desk, int], Awaitable[None]]
) -> None:
    other = desk.hub.create_repository("ada", "other", {"a.txt": "a\n"})
    desk.hub.set_installed_repositories(desk.installation, [desk.repository, other])
    await desk.read()
    desk.hub.webhooks.drop = 1.0  # what the hub says is carried by the test
    for number in itertools.count():
        issue = await labelled(desk)
        await before(desk, issue)
        desk.clock.at += 5
        there = await act(desk, issue)
        told = news(desk)
        cases = list(orders(told))[:: STRIDE if len(told) > 2 else 1]
        if number == len(cases):
            return
        order, lost = cases[number]
        await tell(desk, order)
        if lost:
            await sweep(desk)
        said = [one.action for one in order]
        wanted = [] if before is unheard else [Status.CANCELLED]
        assert await statuses(desk, desk.repository, issue) == wanted, said
        if there is not None:
            assert await begun_there(desk, *there), said


async def begun_there(desk: Desk, repository: Repository, issue: int) -> bool:
    """Whether the sweep sees to it that the issue is at work in the other repository; it is closed
    then, for the next one.
    """
    await sweep(desk)
    await sweep(desk)
    found = await statuses(desk, repository, issue)
    await desk.owner.close(repository, issue)
    await tell(desk, news(desk)[-1:])
    return len(found) == 1 and not found[0].ended


async def test_a_label_that_github_does_not_show_yet_is_one_wish_all_the_same(desk: Desk) -> None:
    desk.hub.webhooks.drop, desk.hub.faults.lag_s = 1.0, 8.0
    issue = await labelled(desk)
    began = desk.clock.at
    await tell(desk, news(desk))
    [status] = await statuses(desk, desk.repository, issue)
    assert status is Status.QUEUED
    task = await desk.latest(issue)
    assert task is not None
    assert task.created_at - began == 5.0 + 10.0, "read again twice"
    await desk.house.queue.change(task.id, lambda now: replace(now, status=Status.FAILED))
    for _ in range(IDLE_EVERY):
        await sweep(desk)
    assert await statuses(desk, desk.repository, issue) == [Status.FAILED], "and not begun anew"


async def labelled(desk: Desk) -> int:
    """An issue with the label, of which nobody was told."""
    desk.hub.webhooks.log.clear()
    made = await desk.owner.open_issue(desk.repository, "A wish", "Please.")
    desk.hub.webhooks.log.clear()
    await desk.owner.label(desk.repository, made["number"], TRIGGER)
    return int(made["number"])


def news(desk: Desk) -> list[Delivery]:
    """What the hub has to say of issues that anybody listens to."""
    heard = {"labeled", "unlabeled", "closed", "transferred"}
    return [one for one in desk.hub.webhooks.log if one.event == "issues" and one.action in heard]


async def tell(desk: Desk, deliveries: Sequence[Delivery]) -> None:
    """Deliver them one after the other; each is read before the next comes, and tried again."""
    for one in deliveries:
        transport = httpx.ASGITransport(desk.house.web)
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.post(one.app.hook_url, content=one.body, headers=headers_for(one))
        assert answer.is_success
        await read(desk)
    while (at := await desk.house.queue.next_delivery()) is not None:
        desk.clock.at = max(desk.clock.at, at)
        await read(desk)


async def read(desk: Desk) -> None:
    """As the daemon does, which tries later what it could not read."""
    for row in await desk.house.queue.pending():
        await desk.house.daemon._read(row)


async def sweep(desk: Desk) -> None:
    desk.clock.at += SWEEP_S
    assert desk.house.reconciler is not None
    await desk.house.reconciler.compare()


async def statuses(desk: Desk, repository: Repository, issue: int) -> list[Status]:
    """How the tasks of an issue are when every step that was told to end has ended."""
    desk.clock.at += desk.house.queue.limits.lease_s
    await desk.house.queue.requeue_lost()
    sql = "SELECT status FROM task WHERE repo_id = :repo AND issue = :issue"
    params = {"repo": repository.id, "issue": issue}
    rows = await desk.house.queue._store.read(lambda tx: tx.all(sql, params))
    return [Status(row["status"]) for row in rows]
