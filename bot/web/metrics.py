"""`/metrics`: the numbers in Prometheus' words.

Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for what only
grows, `_ratio` for parts of one. Every label's values come from a closed set of ours, so that no
title, name or number of anybody's can make a series.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from bot import __version__
from bot.tasks.backlog import Backlog, Pile
from bot.tasks.lasting import Breaker, BreakerState
from bot.tasks.pool import PoolMetrics
from bot.tasks.statistics import History, Spread
from bot.tasks.tally import BUCKETS_S, Counted
from bot.web.parts import HealthPart
from bot.web.statistics import ENDED, Numbers

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
DEPENDENCIES = (
    "github",
    "actions",
    "model",
    "agent",
    "other",
)  #: what stands before the colon in a breaker's name
Labels = tuple[str, ...]
_QUANTILES = {"0.5": "p50_s", "0.95": "p95_s", "0.99": "p99_s"}


def page_of(numbers: Numbers) -> bytes:
    """What a Prometheus server reads: the factory's numbers and those of its process."""
    registry = CollectorRegistry()
    registry.register(_Given(families(numbers)))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return generate_latest(registry)


def families(numbers: Numbers) -> list[Metric]:
    """Every metric of ours; each is there from the first scrape, if only as a 0 or as a heading."""
    return [
        InfoMetricFamily("chimera_build", "Which Chimera this is.", {"version": __version__}),
        *_pool(numbers.pool),
        *_tasks(numbers),
        *_waiting(numbers.backlog),
        *_durations(numbers.history),
        *_steps(numbers.counted),
        *_money(numbers),
        _breakers(numbers.breakers),
        _health(numbers.health),
    ]


class _Given(Collector):
    """A collector of what has been collected already: reading the store is asynchronous."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _pool(pool: PoolMetrics) -> Iterator[Metric]:
    yield _gauge("chimera_pool_slots", "How many workflows may run at once.", pool["slots"])
    yield _gauge("chimera_pool_slots_min", "The fewest slots there may be.", pool["slots_min"])
    yield _gauge("chimera_pool_slots_max", "The most slots there may be.", pool["slots_max"])
    yield _gauge("chimera_pool_active", "Slots in use.", pool["active"])
    yield _gauge(
        "chimera_pool_utilisation_ratio", "Slots in use by slots, at most 1.", pool["utilisation"]
    )
    yield _labelled(
        CounterMetricFamily(
            "chimera_workflows_processed",
            "Workflows that this process has brought to an end.",
            labels=["outcome"],
        ),
        {(outcome,): pool[outcome] for outcome in ENDED},
    )
    yield _counter("chimera_claims", "Claims that this process has made.", pool["claims"])
    yield _counter(
        "chimera_step_crashes", "Steps that ended with a mistake of ours.", pool["crashes"]
    )


def _tasks(numbers: Numbers) -> Iterator[Metric]:
    yield _labelled(
        GaugeMetricFamily("chimera_tasks", "Tasks in the store by status.", labels=["status"]),
        {(status.value,): n for status, n in numbers.counts.items()},
    )
    yield _labelled(
        GaugeMetricFamily(
            "chimera_tasks_ended_badly",
            "Tasks that failed, died or were cancelled, by phase and cause.",
            labels=["status", "phase", "cause"],
        ),
        {(f.status, f.phase, f.cause or "none"): f.n for f in numbers.history.failures},
    )
    rate = numbers.history.success_rate
    yield _gauge("chimera_success_ratio", "Completed by ended, those cancelled left out.", rate)


def _waiting(backlog: Backlog) -> Iterator[Metric]:
    yield _gauge("chimera_queue_depth", "Tasks that could run and have no slot.", backlog.queued.n)
    yield _gauge(
        "chimera_queue_oldest_seconds",
        "How long the first of them has been waiting.",
        backlog.queued.oldest_s,
    )
    yield from _piles(
        "chimera_tasks_waiting",
        "Parked tasks by what they wait for.",
        "wait",
        {what.value: pile for what, pile in backlog.waits.items()},
    )
    yield from _piles(
        "chimera_deliveries",
        "Stored deliveries that are not done.",
        "state",
        {state.value: pile for state, pile in backlog.deliveries.items()},
    )


def _durations(history: History) -> Iterator[Metric]:
    phases = Metric(
        "chimera_phase_duration_seconds",
        "Working time of a phase among the tasks that ended last.",
        "summary",
    )
    for phase, spread in history.phases.items():
        _add_quantiles(phases, spread, {"phase": phase.value})
    yield phases
    whole = Metric(
        "chimera_workflow_duration_seconds",
        "From first start to completion among the tasks that ended last.",
        "summary",
    )
    if history.whole is not None:
        _add_quantiles(whole, history.whole, {})
    yield whole


def _steps(counted: Counted) -> Iterator[Metric]:
    yield _labelled(
        CounterMetricFamily(
            "chimera_steps",
            "Steps recorded since this process began.",
            labels=["phase", "outcome", "cause"],
        ),
        {(k.phase, k.outcome, k.cause or "none"): n for k, n in counted.steps.items()},
    )
    yield _labelled(
        CounterMetricFamily(
            "chimera_step_retries",
            "Steps put off after a passing failure, to be tried again.",
            labels=["phase", "cause"],
        ),
        {(phase, cause): n for (phase, cause), n in counted.retries().items()},
    )
    seconds = HistogramMetricFamily(
        "chimera_step_duration_seconds", "How long a step worked.", labels=["phase"]
    )
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    for phase, durations in counted.seconds.items():
        grown = [sum(durations.counts[: i + 1]) for i in range(len(bounds))]
        buckets = list(zip(bounds, grown, strict=True))
        seconds.add_metric([phase.value], buckets, durations.sum_s)
    yield seconds


def _money(numbers: Numbers) -> Iterator[Metric]:
    spend = numbers.counted.spend
    yield _labelled(
        CounterMetricFamily(
            "chimera_cost_usd", "Dollars for models since this process began.", labels=["phase"]
        ),
        {(phase.value,): one.cost_usd or 0.0 for phase, one in spend.items()},
    )
    tokens: dict[Labels, float] = {}
    for phase, one in spend.items():
        tokens[phase.value, "input"] = one.input_tokens
        tokens[phase.value, "output"] = one.output_tokens
    yield _labelled(
        CounterMetricFamily(
            "chimera_tokens",
            "Tokens that models read and wrote since this process began.",
            labels=["phase", "direction"],
        ),
        tokens,
    )
    yield _gauge(
        "chimera_cost_today_usd", "Dollars for models, today (UTC).", numbers.money.today_usd
    )
    yield _gauge(
        "chimera_cost_daily_limit_usd",
        "What a day may cost; absent: no limit.",
        numbers.money.limit_usd,
    )


def _breakers(breakers: Iterable[Breaker]) -> Metric:
    """By kind and not by name: a name has the number of an installation in it, or a model."""
    found: dict[Labels, float] = {
        (kind, state.value): 0 for kind in DEPENDENCIES for state in BreakerState
    }
    for breaker in breakers:
        kind = breaker.name.partition(":")[0]
        found[kind if kind in DEPENDENCIES else "other", breaker.state.value] += 1
    family = GaugeMetricFamily(
        "chimera_breakers",
        "Dependencies that have ever failed, by kind and state of their breaker.",
        labels=["dependency", "state"],
    )
    return _labelled(family, found)


def _health(parts: Iterable[HealthPart]) -> Metric:
    """`/health` as numbers. Breakers have a metric of their own, and names without bound."""
    family = GaugeMetricFamily(
        "chimera_part_healthy", "Whether a part of /health is well.", labels=["part"]
    )
    wanted: dict[Labels, float] = {
        (part.name,): part.ok for part in parts if not part.name.startswith("breaker ")
    }
    return _labelled(family, wanted)


def _piles(name: str, text: str, label: str, piles: Mapping[str, Pile]) -> Iterator[Metric]:
    yield _labelled(
        GaugeMetricFamily(name, text, labels=[label]), {(k,): pile.n for k, pile in piles.items()}
    )
    yield _labelled(
        GaugeMetricFamily(
            f"{name}_oldest_seconds", "How long the first of them has been waiting.", labels=[label]
        ),
        {(k,): pile.oldest_s for k, pile in piles.items()},
    )


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily,
    values: Mapping[Labels, float],
) -> Metric:
    for labels, value in values.items():
        family.add_metric(list(labels), value)
    return family


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """One number; a heading alone where nobody knows it."""
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _add_quantiles(summary: Metric, spread: Spread, labels: Mapping[str, str]) -> None:
    """Of what ended last; without a sum and a count, which would have to grow for ever."""
    for quantile, member in _QUANTILES.items():
        summary.add_sample(summary.name, {**labels, "quantile": quantile}, getattr(spread, member))
