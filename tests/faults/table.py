"""What many histories add up to, in words and as data."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.faults.cast import Mood
from tests.faults.many import Sum
from tests.faults.meddling import Act
from tests.faults.points import POINTS
from tests.faults.runs import Fate
from tests.faults.weather import Kind
from tests.faults.wire import API_TROUBLES, GIT_TROUBLES, OTHER_TROUBLES

LEAST_COMPLETED = 0.6
LEAST_RECOVERED = 0.95
ENOUGH = 300  #: histories, from which on every fault must have struck

ENDS = ("killed", "frozen", "SIGTERM")  #: how a process was stopped

#: What needs a person by its nature; everything else has to pass by itself.
NEEDS_A_PERSON = ("403 not accessible", Kind.REFUSED)
PASSING = tuple(
    kind
    for kind in (*API_TROUBLES, *OTHER_TROUBLES, *GIT_TROUBLES, *Kind, *ENDS)
    if kind not in NEEDS_A_PERSON
)
EXPECTED = (
    *API_TROUBLES,
    *OTHER_TROUBLES,
    *GIT_TROUBLES,
    *Kind,
    *(f"run: {fate}" for fate in Fate if fate is not Fate.SUCCEEDS),
    *(f"agent: {mood}" for mood in Mood if mood is not Mood.GOOD),
    *(f"people: {act}" for act in Act),
    "people: a task is tried again",
    "people: an approval takes eight hours",
    "people: nobody is asked before production",
    "two replicas on one store",
    "delivery: dropped",
    "delivery: all dropped for an hour",
    "delivery: repeated",
    "delivery: out of order",
    "delivery: late by minutes to hours",
    "delivery: new GUID",
    "delivery: garbled",
)


def verdict(total: Sum) -> list[str]:
    """What is wrong with the whole; empty where all is well."""
    found = [f"seed {told.plan.seed}: {told.problems[0]}" for told in total.failed]
    if total.histories < ENOUGH:
        return found
    found += [f"{kind!r} has never struck" for kind in EXPECTED if not total.hits[kind]]
    struck = {point for point, _ in total.points}
    found += [f"no process ever ended at {point}" for point in POINTS if point not in struck]
    if completed(total) < LEAST_COMPLETED:
        found.append(f"only {completed(total):.0%} of the tasks were completed")
    if recovered(total) < LEAST_RECOVERED:
        found.append(f"only {recovered(total):.1%} of the passing faults passed by themselves")
    return found


def completed(total: Sum) -> float:
    """The part of all tasks that reached COMPLETED."""
    return total.outcomes["COMPLETED"] / max(1, total.outcomes.total())


def recovered(total: Sum) -> float:
    """The part of passing faults after which work went on without a person."""
    good = sum(len(total.recovery_s.get(kind, ())) for kind in PASSING)
    bad = sum(total.stranded[kind] for kind in PASSING)
    return good / max(1, good + bad)


def data(total: Sum) -> dict[str, Any]:
    """Everything, for machines."""
    every = [second for seconds in total.recovery_s.values() for second in seconds]
    return {
        "histories": total.histories,
        "simulated_hours": round(total.simulated_s / 3600, 1),
        "cpu_seconds": round(total.cpu_s, 1),
        "outcomes": dict(total.outcomes.most_common()),
        "completed": round(completed(total), 4),
        "broken_invariants": len(total.failed),
        "tasks_lost": _mentions(total, "I2:"),
        "duplicated_effects": _mentions(total, "I3:"),
        "recovered": round(recovered(total), 4),
        "recovery_s": _spread(every),
        "by_cause": {k: _spread(v) for k, v in sorted(total.recovery_s.items())},
        "needed_a_person": dict(total.stranded.most_common()),
        "hits": dict(total.hits.most_common()),
        "crash_points": _by_point(total),
        "verdict": verdict(total),
    }


def lines(total: Sum) -> Iterator[str]:
    """The same for people, as Markdown."""
    made = data(total)
    yield f"{made['histories']} histories, {made['simulated_hours']} simulated hours"
    yield ""
    yield "| what | |"
    yield "|---|---|"
    for outcome, number in made["outcomes"].items():
        yield f"| tasks that ended {outcome} | {number} |"
    yield f"| tasks lost | {made['tasks_lost']} |"
    yield f"| effects duplicated | {made['duplicated_effects']} |"
    yield f"| histories with a broken invariant | {made['broken_invariants']} |"
    yield f"| passing faults that passed without a person | {made['recovered']:.1%} |"
    spread = made["recovery_s"]
    yield f"| seconds until work went on, p50 / p99 | {spread['p50']} / {spread['p99']} |"
    yield ""
    yield "| fault | struck | p50 s | p99 s | needed a person |"
    yield "|---|---|---|---|---|"
    for kind, number in made["hits"].items():
        one = made["by_cause"].get(kind, {"p50": "", "p99": ""})
        yield f"| {kind} | {number} | {one['p50']} | {one['p99']} | {total.stranded[kind]} |"
    yield ""
    yield "| process ended at | in | times |"
    yield "|---|---|---|"
    for point, phases in made["crash_points"].items():
        for phase, number in phases.items():
            yield f"| {point} | {phase} | {number} |"


def _by_point(total: Sum) -> Mapping[str, Mapping[str, int]]:
    return {
        point: {phase: n for (at, phase), n in sorted(total.points.items()) if at == point}
        for point in POINTS
    }


def _mentions(total: Sum, mark: str) -> int:
    return sum(problem.startswith(mark) for told in total.failed for problem in told.problems)


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    if not ordered:
        return {"n": 0, "p50": 0.0, "p99": 0.0}
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99))
    return {"n": len(ordered), "p50": round(p50, 1), "p99": round(p99, 1)}
