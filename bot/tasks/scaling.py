"""How many slots there should be: a pure decision from the queue and the machine.

Slots are added while tasks wait and the machine has room, one look at a time, and taken away when
nobody needs them or the machine is short of something. Nothing that runs is ever stopped: fewer
slots mean fewer starts. The bounds for taking away lie above those for adding, and after a change
some time passes before the opposite one, so that the number does not swing.
"""

from dataclasses import dataclass, replace

CPU_ROOM, CPU_SHORT = 0.75, 0.95  #: of all cores, in the last seconds
MEMORY_ROOM, MEMORY_SHORT = 0.75, 0.90  #: of the machine's, or of its limit for us, in use
LAG_ROOM_S, LAG_SHORT_S = 0.1, 0.5  #: how late the event loop is
DISK_SHORT_MB = 1024  #: free where checkouts are made
LONG_WAIT_S = 60.0  #: of the first in the queue; then slots are added two at a time
REST_S = 60.0  #: without need, or after slots were taken away, before the next change


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The fewest and the most slots that the pool may have."""

    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What the machine says."""

    cpu: float = 0.0  #: 0–1
    memory: float = 0.0  #: 0–1
    lag_s: float = 0.0
    disk_free_mb: float = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the queue says."""

    depth: int = 0  #: tasks that wait for a slot
    longest_wait_s: float = 0.0  #: of those
    active: int = 0  #: slots in use


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many slots there are from now on, and why, in words for people."""

    slots: int
    reason: str
    shrunk_at: float = 0.0  #: when the machine was short of something last
    idle_since: float | None = None  #: when there began to be more slots than anybody needs


def decide(
    last: Decision, allowed: Range, demand: Demand, pressure: Pressure, now: float
) -> Decision:
    """The next decision. `last` is the one before, `now` is Unix seconds."""
    if shortage := _shortage(pressure):
        return _fewer(last, allowed, demand, shortage, now)
    if demand.depth and demand.active >= last.slots:
        return _more(last, allowed, demand, pressure, now)
    return _as_needed(last, allowed, demand, now)


def _shortage(pressure: Pressure) -> str:
    """What the machine is short of; empty where it is of nothing."""
    if pressure.disk_free_mb < DISK_SHORT_MB:
        return f"{pressure.disk_free_mb:.0f} MB of disk are free"
    if pressure.memory >= MEMORY_SHORT:
        return f"memory is {pressure.memory:.0%} full"
    if pressure.lag_s >= LAG_SHORT_S:
        return f"the event loop is {pressure.lag_s:.1f} s late"
    if pressure.cpu >= CPU_SHORT:
        return f"the processors are {pressure.cpu:.0%} busy"
    return ""


def _fewer(last: Decision, allowed: Range, demand: Demand, shortage: str, now: float) -> Decision:
    """One slot less; below what is in use, that means only that no task starts."""
    slots = max(allowed.least, last.slots - 1)
    at_least = f"; {_slots(slots)} the fewest" if slots == last.slots else ""
    reason = f"{shortage}{_waiting(demand, ', ')}{at_least}"
    return Decision(slots=slots, reason=reason, shrunk_at=now)


def _more(
    last: Decision, allowed: Range, demand: Demand, pressure: Pressure, now: float
) -> Decision:
    waiting = _waiting(demand)
    busy = replace(last, idle_since=None)
    if last.slots >= allowed.most:
        return replace(busy, reason=f"{waiting}; {_slots(last.slots)} the most")
    if tight := _tightness(pressure):
        return replace(busy, reason=f"{waiting}, but {tight}")
    if now - last.shrunk_at < REST_S:
        return replace(busy, reason=f"{waiting}; the machine was short of something a moment ago")
    step = 2 if demand.longest_wait_s > LONG_WAIT_S else 1
    slots = min(allowed.most, last.slots + min(step, demand.depth))
    return replace(busy, slots=slots, reason=f"{waiting} and the machine has room")


def _as_needed(last: Decision, allowed: Range, demand: Demand, now: float) -> Decision:
    """A slot that nobody has needed for a while goes, down to the fewest."""
    if demand.active >= last.slots or last.slots <= allowed.least:
        return replace(last, idle_since=None, reason="as many as are needed")
    since = now if last.idle_since is None else last.idle_since
    if now - since < REST_S:
        return replace(last, idle_since=since, reason="more than are needed now")
    return replace(last, slots=last.slots - 1, idle_since=now, reason="nothing waits")


def _tightness(pressure: Pressure) -> str:
    """What leaves no room for another; empty where everything does."""
    if pressure.cpu > CPU_ROOM:
        return f"the processors are {pressure.cpu:.0%} busy"
    if pressure.memory > MEMORY_ROOM:
        return f"memory is {pressure.memory:.0%} full"
    if pressure.lag_s > LAG_ROOM_S:
        return f"the event loop is {pressure.lag_s:.1f} s late"
    return ""


def _slots(number: int) -> str:
    return f"{number} {'slot is' if number == 1 else 'slots are'}"


def _waiting(demand: Demand, before: str = "") -> str:
    if not demand.depth:
        return ""
    return f"{before}{demand.depth} {'task waits' if demand.depth == 1 else 'tasks wait'}"
