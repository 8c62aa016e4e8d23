"""What all tasks together may spend on models in a day (UTC), refused before it is spent."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.domain import WaitFor
from bot.errors import Parked
from bot.tasks.lasting import Lasting

SCOPE = "models_usd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """The day's money; `daily_usd` None: only each task's own limit holds."""

    lasting: Lasting
    now: Callable[[], float]
    daily_usd: float | None = None

    async def check(self) -> None:
        """Raises Parked until midnight where the day's money is spent."""
        if self.daily_usd is None:
            return
        spent = await self.lasting.spent(SCOPE)
        if spent >= self.daily_usd:
            raise Parked(
                WaitFor.BUDGET,
                f"${spent:.2f} of today's ${self.daily_usd:.2f} for all tasks are spent",
                until=_midnight_after(self.now()),
            )

    async def paid(self, usd: float | None) -> None:
        """A run was paid; a price that nobody knows cannot be counted."""
        if usd:
            await self.lasting.spend(SCOPE, usd)


def _midnight_after(at: float) -> float:
    day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=1)).timestamp()
