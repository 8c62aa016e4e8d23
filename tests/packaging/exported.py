"""What `/metrics` exports: every family with its labels, from a house in which all has happened."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, Status, Task
from bot.facts import Spend
from bot.tasks.lasting import Breaker, BreakerState
from bot.web.metrics import page_of
from bot.web.parts import HealthPart, Money
from bot.web.statistics import Numbers
from tests.web.house import START, House, opened_house

SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


async def numbers(house: House) -> Numbers:
    """The numbers of a house with a task that has ended badly and a step that cost money."""
    await house.tally.counted()
    task = await house.add(issue=1)
    await house.queue.change(task.id, lambda t: t, line=step(task))
    await house.queue.change(task.id, lambda t: t, line=replace(step(task), outcome=Outcome.WAIT))
    await house.put(task, status=Status.FAILED, cause=Cause.GATE, started_at=START)
    done = await house.add(issue=2)
    await house.put(done, status=Status.COMPLETED, started_at=START)
    await house.lasting.save_breaker(
        Breaker(name="github:7", state=BreakerState.OPEN, failures=5, changed_at=START)
    )
    return Numbers(
        pool=await house.pool.get_metrics(),
        counts=await house.queue.counts(),
        history=await house.queue.history(),
        backlog=await house.queue.backlog(),
        trend=None,
        counted=await house.tally.counted(),
        breakers=await house.lasting.breakers(),
        health=[
            HealthPart(name="github", ok=True, detail="answers"),
            HealthPart(name="breaker github:7", ok=False, detail="open", fix="Wait."),
        ],
        money=Money(today_usd=0.5, limit_usd=10.0, days={}),
    )


def step(task: Task) -> JournalLine:
    return JournalLine(
        task_id=task.id,
        n=0,
        phase=Phase.CODE_IMPLEMENTATION,
        cursor=Cursor(),
        outcome=Outcome.PASS,
        summary="done",
        cause=Cause.TRANSIENT,
        started_at=START,
        seconds=7.0,
        spend=Spend(requests=1, input_tokens=100, output_tokens=20, cost_usd=0.5),
    )


async def exposition(folder: Path) -> str:
    """The page itself."""
    async with opened_house(folder) as house:
        return page_of(await numbers(house)).decode()


async def families(folder: Path) -> list[tuple[Metric, list[str]]]:
    """Every family of the page with the labels of its series (`le` apart)."""
    page = await exposition(folder)
    return [(family, _labels(family)) for family in text_string_to_metric_families(page)]


async def exported(folder: Path) -> dict[str, set[str]]:
    """Every name of a series with the labels that it has."""
    return {
        name: set(labels) for family, labels in await families(folder) for name in _names(family)
    }


def _labels(family: Metric) -> list[str]:
    found = {label: None for sample in family.samples for label in sample.labels}
    return [label for label in found if label != "le"]


def _names(family: Metric) -> Iterator[str]:
    for suffix in SUFFIXES.get(family.type, ("",)):
        yield family.name + suffix
