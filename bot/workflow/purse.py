"""What all tasks together may spend on models in a day (UTC), refused before it is asked for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bot.domain import WaitFor
from bot.errors import Parked
from bot.tasks.lasting import Lasting

SCOPE = "models_usd"


class Purse:
    """The day's money, one for all runs of a server; `daily_usd` None: only tasks' own limits hold.

    What runs at work have been billed for counts before they have ended, so that ten at once do not
    each take the day's last dollar. What other machines spend is known when a run begins or ends.
    """

    def __init__(
        self, *, lasting: Lasting, now: Callable[[], float], daily_usd: float | None = None
    ) -> None:
        self._lasting = lasting
        self._now = now
        self._daily_usd = daily_usd
        self._settled = 0.0  #: spent today by runs that have ended, when last heard
        self._at_work: dict[str, float] = {}

    async def check(self) -> None:
        """Raises Parked until midnight where the day's money is spent."""
        self._settled = await self._lasting.spent(SCOPE)
        if self.is_empty:
            raise self.parked()

    def heard(self, run: str, usd: float | None) -> None:
        """A run at work was billed for another answer."""
        self._at_work[run] = self._at_work.get(run, 0.0) + (usd or 0.0)

    async def paid(self, run: str, usd: float | None) -> None:
        """A run has ended and was paid; a price that nobody knows cannot be counted."""
        self._at_work.pop(run, None)
        if usd:
            self._settled = await self._lasting.spend(SCOPE, usd)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of the day's money."""
        return self._daily_usd is not None and self._spent >= self._daily_usd

    def parked(self) -> Parked:
        """Why nothing more is asked today."""
        text = f"${self._spent:.2f} of today's ${self._daily_usd:.2f} for all tasks are spent"
        return Parked(WaitFor.BUDGET, text, until=_midnight_after(self._now()))

    @property
    def _spent(self) -> float:
        return self._settled + sum(self._at_work.values())


def _midnight_after(at: float) -> float:
    day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=1)).timestamp()
