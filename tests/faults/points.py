"""The crash points by name: each is counted, and at one of them the process ends or freezes."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.boot import Boot

POINTS = (
    "before_accept",
    "after_accept",
    "before_claim",
    "after_claim",
    "before_effect",
    "after_effect_before_record",
    "after_record_before_advance",
    "before_advance",
    "after_advance",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What happens when the n-th point is reached (counted from 1 over the whole history).

    Or, `times` over, when a point is reached whose "point phase what" begins with `place`.
    """

    at: int = 0
    place: str = ""
    times: int = 1
    freeze_s: float = 0.0  #: 0: killed; else frozen for so long while another boot goes on
    hold_s: float = 0.0  #: nothing ends; only this one coroutine is held up for so long
    terms: bool = False  #: SIGTERM: the process drains and ends by itself
    down_s: float = 5.0  #: until the next boot
    new_disk: bool = False  #: the next boot is on another machine: mirrors and checkouts are gone


@dataclass(slots=True)
class Script:
    """The points of one history, over all its boots."""

    stops: list[Stop] = field(default_factory=list)
    reached: list[tuple[str, str, str]] = field(default_factory=list)  #: point, phase, what
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)  #: stops, by point and phase
    asked: list[tuple[Boot, Stop]] = field(default_factory=list)  #: stops that are to be done
    done: Counter[Stop] = field(default_factory=Counter)

    def stop_here(self) -> Stop | None:
        """The stop at the point that was reached last, if there is one."""
        number, here = len(self.reached), " ".join(self.reached[-1])
        for stop in self.stops:
            named = bool(stop.place) and here.startswith(stop.place)
            if (stop.at == number or named) and self.done[stop] < stop.times:
                self.done[stop] += 1
                return stop
        return None


@dataclass(frozen=True, slots=True)
class Points:
    """The points as one boot reaches them."""

    script: Script
    boot: Boot

    async def reach(self, point: str, phase: str, what: str) -> None:
        """Go on, unless the script stops the process here."""
        await self.boot.alive()
        script = self.script
        script.reached.append((point, str(phase), str(what)))
        stop = script.stop_here()
        if stop is None:
            return
        script.hits[point, str(phase)] += 1
        if stop.hold_s:
            await asyncio.sleep(stop.hold_s)
            return
        script.asked.append((self.boot, stop))
        if stop.terms:
            return
        if stop.freeze_s:
            self.boot.going.clear()
            await self.boot.alive()
        else:
            await self.boot.never()
