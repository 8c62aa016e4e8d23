"""The dashboard's lists: overview, dead letters, deliveries, statistics. No script is needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from bot.config.choices import Verb
from bot.domain import RepoRef, Status, Task
from bot.tasks.pool import PoolMetrics
from bot.tasks.statistics import History
from bot.tasks.trend import KEPT_S, QUEUE_DEPTH
from bot.tasks.views import Lane
from bot.web import hints, plots
from bot.web.acting import permitted
from bot.web.auth import Scope
from bot.web.bodies import DeadFilter, DeliveryFilter, read_query
from bot.web.call import Call
from bot.web.deliveries import require_all_repositories
from bot.web.estimates import left, starts_in
from bot.web.frame import frame
from bot.web.parts import HealthPart, Money
from bot.web.problem import Problem
from bot.web.queued import held_up
from bot.web.render import page
from bot.web.statistics import statistics
from bot.web.steps import Step, steps
from bot.workflow.commands import PHASE_WORDS

SHOWN = 60  #: tasks of one kind
PARKED = 300  #: of which those for people are picked out
RECENT = 8
DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A task as the lists show it."""

    task: Task
    steps: tuple[Step, ...]
    why: str = ""  #: what it waits for, or what came of it
    place: int = 0  #: in the queue, the next one being 1; 0: it is not queued
    eta: str = ""


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
    parked = await _tasks(call, Status.WAITING, limit=PARKED)
    asking = [t for t in parked if t.waits_for is not None and t.waits_for.on.needs_person]
    parked = [t for t in parked if t not in asking]
    pulse = await _pulse(call, history) if call.who.repos is None else None
    return page(
        "overview.html",
        **frame(call, hints=hints.address(call)),
        pulse=pulse,
        asking=[_card(t, _reason(t)) for t in asking],
        running=[
            _card(t, _reason(t), eta=left(t, history)) for t in await _tasks(call, Status.RUNNING)
        ],
        failed=[
            _card(t, t.summary)
            for t in await _tasks(call, Status.FAILED, Status.DEAD, limit=RECENT)
        ],
        queued=await _queue(call, history, pulse.slots if pulse is not None else 0),
        parked=[_card(t, _reason(t)) for t in parked[:SHOWN]],
        recent=[
            _card(t, t.summary)
            for t in await _tasks(call, Status.COMPLETED, Status.CANCELLED, limit=RECENT)
        ],
    )


async def dead_letters(call: Call) -> Response:
    """What broken machinery has stopped: requeue it, from any phase, or give it up."""
    wanted = read_query(call.request, PageOfDead)
    found = await call.parts.queue.page(
        status=[Status.DEAD],
        among=call.who.repos,
        limit=wanted.limit,
        cursor=wanted.cursor,
    )
    rights = {task.id: await permitted(call, task) for task in found.tasks}
    return page(
        "dead.html",
        **frame(call, hints=hints.address(call)),
        cards=[_card(task, task.summary) for task in found.tasks],
        next=found.cursor,
        may_retry={task_id for task_id, verbs in rights.items() if Verb.RETRY in verbs},
        may_discard={task_id for task_id, verbs in rights.items() if Verb.CANCEL in verbs},
        phase_words=PHASE_WORDS,
    )


async def deliveries_page(call: Call) -> Response:
    """What GitHub has delivered and what became of it; for whoever may see all repositories."""
    require_all_repositories(call)
    wanted = read_query(call.request, PageOfDeliveries)
    rows = await call.parts.queue.deliveries(
        state=wanted.state,
        limit=wanted.limit,
        before=int(wanted.cursor) if wanted.cursor is not None else None,
    )
    return page(
        "deliveries.html",
        **frame(call),
        rows=rows,
        state=wanted.state,
        next=str(rows[-1].id) if len(rows) == wanted.limit else None,
        may_act=call.who.may(Scope.WRITE) or bool(call.who.login),
    )


async def statistics_page(call: Call) -> Response:
    """The numbers of `/api/metrics`, for people; for whoever may see all repositories."""
    if call.who.repos is not None:
        raise Problem(403, "Statistics are for tokens of all repositories.")
    numbers, now = await statistics(call.parts), call.parts.now()
    days = plots.last_days(now, DAYS)
    depth = await call.parts.lasting.samples(QUEUE_DEPTH, now - KEPT_S)
    causes = sorted(_causes(numbers.history).items(), key=lambda row: -row[1])
    spent = numbers.money.days
    return page(
        "statistics.html",
        **frame(call),
        numbers=numbers,
        ended=plots.columns(days, plots.stacked(await call.parts.queue.ended_by_day(DAYS))),
        spent=plots.columns(days, {day: [("bar", usd)] for day, usd in spent.items()}, "$"),
        ranges=plots.ranges(numbers.history.phases),
        causes=plots.amounts(causes),
        depth=plots.curve(depth, now - KEPT_S, now) if len(depth) > 1 else None,
    )


class PageOfDead(DeadFilter):
    """What the address of the page of dead letters may say."""

    live: int | None = None


class PageOfDeliveries(DeliveryFilter):
    """What the address of the page of deliveries may say."""

    live: int | None = None


def _card(task: Task, why: str, *, place: int = 0, eta: str = "") -> Card:
    return Card(task=task, steps=steps(task), why=why, place=place, eta=eta)


def _reason(task: Task) -> str:
    if task.waits_for is not None:
        return task.waits_for.reason
    return f"to be cancelled, asked for by {task.cancel_by}" if task.cancel_by else ""


async def _queue(call: Call, history: History, slots: int) -> list[Card]:
    """The head of the queue in its order, as far as the client may see it."""
    front = await call.parts.queue.front(SHOWN)
    lanes: dict[RepoRef | None, Lane] = {}
    for task in front:
        if task.repo not in lanes:
            lanes[task.repo] = await call.parts.queue.lane(task.repo)
    return [
        _card(
            task,
            held_up(task, lanes[task.repo], call.parts.now()),
            place=place,
            eta=starts_in(place, slots, history),
        )
        for place, task in enumerate(front, start=1)
        if call.who.may_see(task)
    ]


async def _pulse(call: Call, history: History) -> Pulse:
    pool = await call.parts.pool_metrics()
    return Pulse(
        slots=pool["slots"],
        scaling=_scaling(pool),
        active=pool["active"],
        depth=pool["queue_depth"],
        money=await call.parts.money(),
        trouble=tuple(part for part in await call.parts.health() if not part.ok),
        success_rate=history.success_rate,
    )


def _scaling(pool: PoolMetrics) -> str:
    if pool["slots_min"] == pool["slots_max"]:
        return ""
    return f"{pool['slots_min']}–{pool['slots_max']}: {pool['scaling']}"


def _causes(history: History) -> dict[str, int]:
    found: dict[str, int] = {}
    for failure in history.failures:
        name = str(failure.cause or "none given").replace("_", " ")
        found[name] = found.get(name, 0) + failure.n
    return found


async def _tasks(call: Call, *status: Status, limit: int = SHOWN) -> Sequence[Task]:
    found = await call.parts.queue.page(status=status, among=call.who.repos, limit=limit)
    return found.tasks
