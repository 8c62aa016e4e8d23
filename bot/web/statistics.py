"""The numbers of the factory: read once, shown as JSON, to Prometheus and to people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bot.domain import Status
from bot.tasks.pool import PoolMetrics
from bot.tasks.statistics import History, Spread
from bot.web.exposition import Metric, Sample
from bot.web.parts import WebParts

_ENDED: tuple[Literal["succeeded", "failed", "cancelled", "dead"], ...] = (
    "succeeded",
    "failed",
    "cancelled",
    "dead",
)
_QUANTILES = {"0.5": "p50_s", "0.95": "p95_s", "0.99": "p99_s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What the store and the pool say at one moment."""

    pool: PoolMetrics
    counts: Mapping[Status, int]
    history: History


async def statistics(parts: WebParts) -> Numbers:
    """The present numbers. Raises StoreError."""
    return Numbers(
        pool=await parts.pool_metrics(),
        counts=await parts.queue.counts(),
        history=await parts.queue.history(),
    )


def as_json(numbers: Numbers) -> dict[str, Any]:
    """The document of `GET /api/metrics`: the pool's members on top, the store's below."""
    history = numbers.history
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
    }


def as_metrics(numbers: Numbers) -> list[Metric]:
    """The same for Prometheus; every label comes from one of our enums."""
    history = numbers.history
    phases = [
        Sample(value=getattr(s, member), labels={"phase": phase, "quantile": quantile})
        for phase, s in history.phases.items()
        for quantile, member in _QUANTILES.items()
    ]
    return [
        *_pool_metrics(numbers.pool),
        Metric(
            name="chimera_tasks",
            help="Tasks in the store by status.",
            kind="gauge",
            samples=[Sample(value=n, labels={"status": s}) for s, n in numbers.counts.items()],
        ),
        Metric(
            name="chimera_phase_seconds",
            help="Working time of a phase among the tasks that ended last.",
            kind="gauge",
            samples=phases,
        ),
        Metric(
            name="chimera_workflow_seconds",
            help="From first start to completion among the tasks that ended last.",
            kind="gauge",
            samples=_quantiles(history.whole),
        ),
        Metric(
            name="chimera_tasks_ended_badly",
            help="Tasks that failed, died or were cancelled, by phase and cause.",
            kind="gauge",
            samples=[
                Sample(
                    value=f.n,
                    labels={"status": f.status, "phase": f.phase, "cause": f.cause or "none"},
                )
                for f in history.failures
            ],
        ),
    ]


def _pool_metrics(pool: PoolMetrics) -> list[Metric]:
    ended = {outcome: pool[outcome] for outcome in _ENDED}
    return [
        _gauge("chimera_pool_slots", "How many workflows may run at once.", pool["slots"]),
        _gauge("chimera_pool_active", "Slots in use.", pool["active"]),
        _gauge("chimera_pool_utilisation_ratio", "Slots in use by slots.", pool["utilisation"]),
        _gauge("chimera_queue_depth", "Tasks that wait for a slot.", pool["queue_depth"]),
        Metric(
            name="chimera_workflows_processed_total",
            help="Workflows that this process has brought to an end.",
            kind="counter",
            samples=[Sample(value=n, labels={"outcome": name}) for name, n in ended.items()],
        ),
        _counter("chimera_steps_total", "Steps that this process has recorded.", pool["steps"]),
        _counter("chimera_claims_total", "Claims that this process has made.", pool["claims"]),
        _counter(
            "chimera_step_crashes_total",
            "Steps that ended with a mistake of ours.",
            pool["crashes"],
        ),
    ]


def _counter(name: str, text: str, value: float) -> Metric:
    return Metric(name=name, help=text, kind="counter", samples=[Sample(value=value)])


def _gauge(name: str, text: str, value: float) -> Metric:
    return Metric(name=name, help=text, kind="gauge", samples=[Sample(value=value)])


def _quantiles(spread: Spread | None) -> list[Sample]:
    if spread is None:
        return []
    return [
        Sample(value=getattr(spread, member), labels={"quantile": quantile})
        for quantile, member in _QUANTILES.items()
    ]


def _spread(spread: Spread | None) -> dict[str, float] | None:
    return asdict(spread) if spread is not None else None
