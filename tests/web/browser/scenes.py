"""A factory in the middle of its day, for the pages to show."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, Status, Task, Wait, WaitFor
from bot.facts import Deployment, Facts, Finding, Proof, Spend
from bot.tasks.lasting import Breaker, BreakerState
from bot.tasks.trend import QUEUE_DEPTH
from bot.web.parts import HealthPart
from bot.workflow.purse import SCOPE
from tests.web.house import OTHER, START, House

HEAD = "9ec249018f74aa10c2b7d0f5e8d1c3b4a5968770"
HOUR = 3600.0

_RED = """\
FAILED tests/e2e/test_discount_codes.py::test_a_code_lowers_the_sum - AssertionError: no discount
FAILED tests/e2e/test_discount_codes.py::test_an_expired_code_is_refused - assert 404 == 200
4 failed, 2 passed in 3.61s
"""

Told = tuple[Phase, Outcome, float, float, str]
_WORK: Sequence[Told] = (
    (Phase.E2E_TEST_GENERATION, Outcome.PASS, 0, 130, "6 written, 4 fail on `main` as they must"),
    (Phase.CODE_IMPLEMENTATION, Outcome.AGAIN, 131, 190, "2 of 6 end-to-end tests still fail"),
    (Phase.CODE_IMPLEMENTATION, Outcome.PASS, 322, 240, "6 end-to-end tests pass, 27 others too"),
    (Phase.GUARDIAN_REVIEW, Outcome.BACK, 563, 64, "1 blocker: no test for an expired code"),
    (Phase.CODE_IMPLEMENTATION, Outcome.PASS, 628, 170, "7 end-to-end tests pass, 27 others too"),
    (Phase.GUARDIAN_REVIEW, Outcome.PASS, 799, 51, "Approved with 1 remark"),
    (Phase.STAGING_DEPLOYMENT, Outcome.WAIT, 851, 3, "dispatched deploy.yml for staging"),
    (Phase.STAGING_DEPLOYMENT, Outcome.PASS, 960, 2, "`9ec2490` is live on staging"),
    (Phase.E2E_VALIDATION, Outcome.PASS, 963, 38, "7 pass on https://staging.shop.example"),
)


def lines_of(task_id: str, work: Sequence[Told], began: float) -> list[JournalLine]:
    """Journal lines; from the first step back on, they are of round 2."""
    found: list[JournalLine] = []
    sent_back = False
    for phase, outcome, at, seconds, summary in work:
        found.append(
            JournalLine(
                task_id=task_id,
                n=0,
                phase=phase,
                cursor=Cursor(phase=phase, round=2 if sent_back else 1),
                outcome=outcome,
                summary=summary,
                cause=Cause.REVIEW if outcome is Outcome.BACK else None,
                started_at=began + at,
                seconds=seconds,
                spend=Spend(
                    requests=9, input_tokens=21_300, output_tokens=1_840, cost_usd=seconds / 1500
                ),
            )
        )
        sent_back = sent_back or outcome is Outcome.BACK
    return found


async def record(house: House, lines: Sequence[JournalLine]) -> None:
    """Add the lines to their tasks' journals, all in one commit."""
    queue = house.queue
    await asyncio.gather(*(queue.change(one.task_id, lambda t: t, line=one) for one in lines))


async def asks_for_approval(house: House, title: str = "Discount codes at checkout") -> Task:
    """A task at the gate of production, with everything that leads there."""
    task = await house.add(title, issue=41, requester="ada")
    began = START - HOUR
    await record(house, lines_of(task.id, _WORK, began))
    red = Proof(
        command="pytest -q tests/e2e",
        sha="4b191b63e23e0d1f",
        exit_code=1,
        passed=2,
        failed=4,
        log=_RED,
        at=began + 128,
    )
    green = replace(red, exit_code=0, passed=7, failed=0, log="7 passed in 4.02s", sha=HEAD)
    facts = Facts(
        branch="chimera/41-discount-codes-at-checkout",
        test_sha="77aa",
        head_sha=HEAD,
        pull=42,
        red=red,
        green=(green, replace(green, command="pytest -q", passed=34, log="34 passed in 9.8s")),
        findings=(
            Finding(
                path="shop/basket.py",
                line=88,
                severity="nit",
                body="The rate could be named: 0.19 is said in two places.",
            ),
        ),
        reviewed_sha=HEAD,
        staging=Deployment(
            name="staging/2.1",
            environment="staging",
            sha=HEAD,
            url="https://staging.shop.example",
            state="success",
        ),
        validated_sha=HEAD,
        validation=replace(green, log="7 passed in 38.20s"),
    )
    return await house.put(
        task,
        status=Status.WAITING,
        cursor=Cursor(phase=Phase.PRODUCTION_DEPLOYMENT, round=2),
        wait=Wait(
            on=WaitFor.APPROVAL,
            reason=f"Approve production of `{HEAD[:7]}`.",
            since=START - 240,
        ),
        facts=facts,
        spend=Spend(requests=64, input_tokens=191_000, output_tokens=16_600, cost_usd=0.59),
        budget_usd=5.0,
        started_at=began,
        created_at=began - 8,
    )


async def dead_one(house: House, title: str = "Export orders as CSV") -> Task:
    """A task whose step was begun too often."""
    task = await house.add(title, issue=38)
    return await house.put(
        task,
        status=Status.DEAD,
        cursor=Cursor(phase=Phase.STAGING_DEPLOYMENT),
        cause=Cause.TRANSIENT,
        summary="GitHub answered 502 to the dispatch of deploy.yml, three times in 40 s",
        facts=Facts(test_sha="aa", green=(Proof(command="t", sha=HEAD, exit_code=0),)),
    )


async def a_day(house: House) -> Task:
    """Something of every kind; the task that asks for approval."""
    await _past(house)
    dead = await dead_one(house)
    asking = await asks_for_approval(house)
    parked = await house.add("Nightly price import", issue=40, repo=OTHER)
    await house.put(
        parked,
        status=Status.WAITING,
        cursor=Cursor(phase=Phase.STAGING_DEPLOYMENT),
        wait=Wait(on=WaitFor.RUN, reason="Actions run #88 is in progress", until=START + 1700),
    )
    for number, (title, phase) in enumerate(
        (
            ("Remember the basket for thirty days", Phase.CODE_IMPLEMENTATION),
            ("Fix the rounding of VAT on mixed orders", Phase.GUARDIAN_REVIEW),
        ),
        start=50,
    ):
        running = await house.add(title, issue=number, priority=10)
        claimed = await house.queue.claim("a worker")
        assert claimed is not None
        cursor = Cursor(phase=phase)
        await record(house, lines_of(running.id, _WORK[:1], START - 400))
        await house.put(claimed, cursor=cursor, facts=Facts(test_sha="aa"))
    for number, title in enumerate(
        ("Gift wrapping as an option", "Search by article number", "Log out on every device"), 60
    ):
        await house.add(title, issue=number)
    await _around(house, asking)
    assert dead.id != asking.id
    return asking


async def _past(house: House) -> None:
    """What has ended in the weeks before."""
    ends = [Status.COMPLETED] * 7 + [Status.FAILED, Status.CANCELLED]
    causes = [Cause.NOT_GREEN, Cause.REVIEW, Cause.NOT_GREEN, Cause.VALIDATION]
    titles = ("Sort by price", "A page for returns", "Faster thumbnails", "Mail on dispatch")
    for n in range(24):
        house.clock.at = START - (27 - n * 1.1) * 24 * HOUR - (n * 37 % 11) * HOUR
        task = await house.add(f"{titles[n % 4]}", issue=100 + n, requester="ada")
        status = ends[n % len(ends)]
        if n % 13 == 12:
            status = Status.DEAD
        longer = 0.6 + n * 7 % 10 / 8
        lines = lines_of(task.id, _WORK, house.clock.at)
        await record(house, [replace(line, seconds=line.seconds * longer) for line in lines])
        await house.put(task, started_at=house.clock.at, facts=Facts(test_sha="aa"))
        house.clock.at += 1500
        bad = status is not Status.COMPLETED
        await house.put(
            task,
            status=status,
            cause=causes[n % 4] if bad else None,
            cursor=Cursor(phase=Phase.FAILED if bad else Phase.COMPLETE),
            summary="Ended: the tests stayed red" if bad else "`4b191b6` is live",
        )
        await house.lasting.spend(SCOPE, 0.4 + n * 13 % 7 / 4)
    house.clock.at = START


async def _scaling(house: House) -> None:
    """A pool that has followed its queue for a day."""
    house.pool.bounds = (3, 10)
    for ago_h, slots, used, why in (
        (23, 5, 1, "as at the start"),
        (21, 4, 2, "nothing waits"),
        (20, 3, 2, "nothing waits"),
        (12, 5, 5, "4 tasks wait and the machine has room"),
        (10, 7, 6, "6 tasks wait and the machine has room"),
        (7, 6, 6, "memory is 91% full, 5 tasks wait"),
        (3, 8, 8, "8 tasks wait and the machine has room"),
        (1, 7, 2, "nothing waits"),
    ):
        house.clock.at = START - ago_h * HOUR
        house.pool.resize(slots, why)
        await house.slots.look()
        await house.lasting.sample(f"slots in use of {house.pool.name}", used)


async def _around(house: House, asked: Task) -> None:
    """Deliveries, samples of the queue's depth, and a part that is not well."""
    events = (("issues", "labeled"), ("check_run", "completed"), ("workflow_run", "completed"))
    for n in range(9):
        house.clock.at = START - 60.0 * (9 - n)
        name, action = events[n % 3]
        await house.queue.accept(str(UUID(int=77_000 + n)), name, action, "{}")
    house.clock.at = START
    for row in (await house.queue.pending())[:7]:
        became = "no task waited for it" if row.id % 3 else f"task {asked.id}: approve by ada, done"
        await house.queue.inbox_done(row.id, became)
    [late, *_] = await house.queue.pending()
    await house.queue.inbox_failed(late.id, "GitHub answered 502", START + 5)
    for n in range(96):
        house.clock.at = START - 900.0 * (96 - n)
        await house.lasting.sample(QUEUE_DEPTH, float(max(0, n * 5 % 61 // 9 + n // 14 - 4)))
    await _scaling(house)
    house.clock.at = START
    await house.lasting.spend(SCOPE, 3.18)
    opened = Breaker(
        name="github:7", state=BreakerState.OPEN, failures=5, changed_at=START, reason="502"
    )
    await house.lasting.save_breaker(opened)
    house.health.append(
        HealthPart(
            name="breaker github:7",
            ok=False,
            detail="open after 5 failures: 502",
            fix="Tasks that need it wait and go on by themselves when it answers again.",
        )
    )
