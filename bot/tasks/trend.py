"""How the queue has moved: a sample now and then, kept for a day."""

from dataclasses import dataclass
from statistics import fmean, linear_regression

from bot.tasks.base import Clock
from bot.tasks.lasting import Lasting

SAMPLE_EVERY_S = 300.0
KEPT_S = 86_400.0
LOOK_BACK_S = 3_600.0
QUEUE_DEPTH = "queue_depth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What the samples of the last hour say."""

    samples: int
    mean: float
    peak: float
    per_hour: float  #: slope of the straight line through them; above 0 it grows


class Trends:
    """The samples of one server's numbers."""

    def __init__(self, lasting: Lasting, now: Clock) -> None:
        self._lasting = lasting
        self._now = now

    async def take(self, name: str, value: float) -> None:
        """Keep a number as it is now, and forget what is older than a day."""
        await self._lasting.sample(name, value)
        await self._lasting.forget_samples(self._now() - KEPT_S)

    async def of(self, name: str) -> Trend | None:
        """The last hour of a number; None while there are fewer than two samples of it."""
        points = await self._lasting.samples(name, self._now() - LOOK_BACK_S)
        if len(points) < 2:
            return None
        hours = [(at - points[0][0]) / 3600.0 for at, _ in points]
        values = [value for _, value in points]
        return Trend(
            samples=len(points),
            mean=fmean(values),
            peak=max(values),
            per_hour=linear_regression(hours, values).slope,
        )
