"""The dashboard's first page: what a person wants to know first, first. No script is needed."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from bot.domain import RepoRef, Status, Task
from bot.tasks.pool import PoolMetrics
from bot.tasks.statistics import History
from bot.tasks.views import Lane, Page
from bot.web import hints
from bot.web.call import Call
from bot.web.card import Card, card_of
from bot.web.estimates import left, starts_in
from bot.web.frame import frame
from bot.web.parts import HealthPart, Money
from bot.web.queued import held_up
from bot.web.render import page
from bot.web.steps import steps

SHOWN = 60  #: tasks of one kind
PARKED = 300  #: of which those for people are picked out
RECENT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Tasks of one kind, as many as there is room for."""

    cards: list[Card]
    cut: bool = False  #: there are more of the kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How the factory is, for whoever may see all of it."""

    slots: int
    scaling: str  #: "3–10: why"; empty where the number is fixed
    active: int
    depth: int
    money: Money
    trouble: tuple[HealthPart, ...]  #: parts that are not well, open breakers among them
    success_rate: float | None


async def overview(call: Call) -> Response:
    """What a person wants to know first, first."""
    history = await call.history.get()
    pulse = await _pulse(call, history) if call.who.repos is None else None
    asking, parked = _parted(await _tasks(call, Status.WAITING, limit=PARKED))
    running = await _tasks(call, Status.RUNNING, limit=SHOWN)
    return page(
        "overview.html",
        **frame(call, hints=hints.address(call)),
        pulse=pulse,
        asking=asking,
        running=await _at_work(call, running),
        failed=_listed(await _tasks(call, Status.FAILED, Status.DEAD, limit=RECENT)),
        queued=await _queue(call, history, pulse.slots if pulse is not None else 0),
        parked=parked,
        recent=_listed(await _tasks(call, Status.COMPLETED, Status.CANCELLED, limit=RECENT)),
    )


async def _tasks(call: Call, *status: Status, limit: int) -> Page:
    return await call.parts.queue.page(status=status, among=call.who.repos, limit=limit)


def _listed(found: Page, card: Callable[[Task], Card] = card_of) -> Listed:
    return Listed(cards=[card(task) for task in found.tasks], cut=found.cursor is not None)


async def _at_work(call: Call, running: Page) -> Listed:
    repos = {task.repo for task in running.tasks}
    paces = {repo: await call.parts.queue.pace_of(repo) for repo in repos}
    return _listed(running, lambda task: card_of(task, eta=left(task, paces[task.repo])))


def _parted(waiting: Page) -> tuple[Listed, Listed]:
    """Those that wait for a person, and those that wait for anything else."""
    parts: tuple[list[Card], list[Card]] = [], []
    for task in waiting.tasks:
        for_person = task.waits_for is not None and task.waits_for.on.needs_person
        parts[not for_person].append(card_of(task))
    asking, parked = parts
    cut = waiting.cursor is not None
    return (
        Listed(cards=asking, cut=cut),
        Listed(cards=parked[:SHOWN], cut=cut or len(parked) > SHOWN),
    )


async def _queue(call: Call, history: History, slots: int) -> Listed:
    """The head of the queue in its order, as far as the client may see it."""
    front = await call.parts.queue.front(SHOWN + 1)
    lanes: dict[RepoRef | None, Lane] = {}
    cards = []
    for place, task in enumerate(front[:SHOWN], start=1):
        if not call.who.may_see(task):
            continue
        if task.repo not in lanes:
            lanes[task.repo] = await call.parts.queue.lane(task.repo)
        why = held_up(task, lanes[task.repo], call.parts.now())
        eta = starts_in(place, slots, history.phases)
        cards.append(Card(task=task, steps=steps(task), why=why, place=place, eta=eta))
    return Listed(cards=cards, cut=len(front) > SHOWN)


async def _pulse(call: Call, history: History) -> Pulse:
    pool = await call.parts.pool_metrics()
    return Pulse(
        slots=pool["slots"],
        scaling=_scaling(pool),
        active=pool["active"],
        depth=pool["queue_depth"],
        money=await call.parts.money(),
        trouble=tuple(part for part in await call.health.parts() if not part.ok),
        success_rate=history.success_rate,
    )


def _scaling(pool: PoolMetrics) -> str:
    if pool["slots_min"] == pool["slots_max"]:
        return ""
    above = "; what runs goes on" if pool["active"] > pool["slots"] else ""
    return f"{pool['slots_min']}–{pool['slots_max']}: {pool['scaling']}{above}"
