"""The numbers of the factory: read once, shown as JSON, to Prometheus and to people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bot.domain import Status
from bot.facts import Spend
from bot.tasks.backlog import Backlog, Pile
from bot.tasks.lasting import Breaker
from bot.tasks.pool import PoolMetrics
from bot.tasks.statistics import History, Spread
from bot.tasks.tally import Counted
from bot.tasks.trend import QUEUE_DEPTH, Trend
from bot.web.parts import HealthPart, Money, WebParts

ENDED: tuple[Literal["succeeded", "failed", "cancelled", "dead"], ...] = (
    "succeeded",
    "failed",
    "cancelled",
    "dead",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What the store, the pool and the parts say at one moment."""

    pool: PoolMetrics
    counts: Mapping[Status, int]
    history: History
    backlog: Backlog
    trend: Trend | None  #: of the queue's depth; None while nobody can tell
    counted: Counted  #: since this process began
    breakers: Sequence[Breaker]
    health: Sequence[HealthPart]
    money: Money


async def statistics(parts: WebParts) -> Numbers:
    """The present numbers. Raises StoreError."""
    return Numbers(
        pool=await parts.pool_metrics(),
        counts=await parts.queue.counts(),
        history=await parts.queue.history(),
        backlog=await parts.queue.backlog(),
        trend=await parts.trends.of(QUEUE_DEPTH),
        counted=await parts.tally.counted(),
        breakers=await parts.lasting.breakers(),
        health=await parts.health(),
        money=await parts.money(),
    )


def as_json(numbers: Numbers) -> dict[str, Any]:
    """The document of `GET /api/metrics`: the pool's members on top, the store's below."""
    history, backlog, counted = numbers.history, numbers.backlog, numbers.counted
    return {
        **numbers.pool,
        "tasks": {status.value: n for status, n in numbers.counts.items()},
        "success_rate": history.success_rate,
        "workflow_seconds": _spread(history.whole),
        "phase_seconds": {phase.value: _spread(s) for phase, s in history.phases.items()},
        "dead_letters": numbers.counts[Status.DEAD],
        "failures": [
            {"status": f.status, "phase": f.phase, "cause": f.cause, "count": f.n}
            for f in history.failures
        ],
        "queue_oldest_seconds": round(backlog.queued.oldest_s, 3),
        "queue_trend": asdict(numbers.trend) if numbers.trend is not None else None,
        "waits": {what.value: _pile(pile) for what, pile in backlog.waits.items() if pile.n},
        "deliveries": {state.value: _pile(pile) for state, pile in backlog.deliveries.items()},
        "retries": [
            {"phase": phase, "cause": cause, "count": n}
            for (phase, cause), n in counted.retries().items()
        ],
        "breakers": [asdict(breaker) for breaker in numbers.breakers],
        "cost": {
            "today_usd": numbers.money.today_usd,
            "daily_limit_usd": numbers.money.limit_usd,
            "phases": {phase.value: _spend(one) for phase, one in counted.spend.items()},
        },
    }


def _spread(spread: Spread | None) -> dict[str, float] | None:
    return asdict(spread) if spread is not None else None


def _pile(pile: Pile) -> dict[str, float]:
    return {"count": pile.n, "oldest_seconds": round(pile.oldest_s, 3)}


def _spend(spend: Spend) -> dict[str, float | None]:
    return {
        "cost_usd": spend.cost_usd,
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
    }
