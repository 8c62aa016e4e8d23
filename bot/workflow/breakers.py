"""Circuit breakers: a dependency that is down is left alone, and its tasks wait instead of failing.

Closed until `OPENS_AFTER` failures in a row; then open, and tasks that need it are parked; then
half-open, with one task as the probe. Persisted, so that a restart does not begin by hammering.
"""

from collections.abc import Callable
from dataclasses import replace

from bot.domain import Cause, Task, WaitFor
from bot.errors import MachineFailed, Parked, StepError
from bot.log import get
from bot.tasks.lasting import Breaker, BreakerState, Lasting

log = get("workflow")

OPENS_AFTER = 3  #: failures in a row, of any tasks: as many as one task has tries
FIRST_S = 30.0  #: open for so long; doubled with every failed probe
LONGEST_S = 900.0
PROBE_S = 60.0  #: how long the others wait for the probe's result

#: Failures that say something about the dependency and not about the request.
COUNTED = frozenset({Cause.TRANSIENT, Cause.AUTH, Cause.TIMEOUT})


class Breakers:
    """One for each thing that Chimera depends on: an installation, a provider, an agent."""

    def __init__(self, lasting: Lasting, now: Callable[[], float]) -> None:
        self._lasting = lasting
        self._now = now
        self._failing: set[str] | None = None  #: names that are not simply well; None: not read yet

    async def admit(self, name: str) -> None:
        """Let a call through. Raises Parked while the dependency is left alone."""
        if name not in await self._known():
            return
        breaker = await self._lasting.breaker(name)
        if breaker is None or breaker.state is BreakerState.CLOSED:
            return
        if await self._lasting.take_probe(name, stale_s=PROBE_S):
            return
        reason = f"{name} is down ({breaker.reason}); resumes by itself"
        raise Parked(WaitFor.BREAKER, reason, until=self._look_at(breaker))

    async def open_until(self, name: str) -> float | None:
        """When to ask again for a dependency that is left alone; None: it is not."""
        breaker = await self._lasting.breaker(name) if name in await self._known() else None
        closed = breaker is None or breaker.state is BreakerState.CLOSED
        return None if closed or breaker is None else self._look_at(breaker)

    def _look_at(self, breaker: Breaker) -> float:
        due = breaker.probe_at or 0.0
        if breaker.state is BreakerState.HALF_OPEN:
            due = breaker.changed_at + PROBE_S
        return max(due, self._now() + 1.0)

    async def succeeded(self, name: str) -> None:
        """The dependency answered."""
        if name in await self._known():
            await self._lasting.save_breaker(
                Breaker(name=name, state=BreakerState.CLOSED, failures=0, changed_at=self._now())
            )
            self._failing = (self._failing or set()) - {name}
            log.info("breaker_closed", dependency=name)

    async def failed(self, name: str, error: StepError) -> None:
        """The dependency did not answer, or refused everybody."""
        if error.cause not in COUNTED:
            return
        now = self._now()
        known = await self._lasting.breaker(name)
        old = known or Breaker(name=name, state=BreakerState.CLOSED, failures=0, changed_at=now)
        failures = old.failures + 1
        new = replace(old, failures=failures, reason=str(error)[:200])
        if failures >= OPENS_AFTER:
            pause = min(LONGEST_S, FIRST_S * 2.0 ** min(failures - OPENS_AFTER, 10))
            new = replace(new, state=BreakerState.OPEN, changed_at=now, probe_at=now + pause)
            log.warning("breaker_opened", dependency=name, failures=failures, pause_s=pause)
        await self._lasting.save_breaker(new)
        self._failing = await self._known() | {name}

    def look_again(self) -> None:
        """Ask the store anew: another machine may have found something down."""
        self._failing = None

    async def _known(self) -> set[str]:
        """The names that have failed since they last succeeded, from the store at first."""
        if self._failing is None:
            stored = await self._lasting.breakers()
            self._failing = {b.name for b in stored if b.failures or b.state != "closed"}
        return self._failing


def hub_of(task: Task) -> str:
    """The name of the hub that a task depends on; empty for a local run."""
    return f"github:{task.repo.installation_id}" if task.repo is not None else ""


def dependency_of(task: Task, error: StepError) -> str:
    """What an error of a step is about: what it names itself, else the hub; empty: this machine."""
    return "" if isinstance(error, MachineFailed) else error.dependency or hub_of(task)
