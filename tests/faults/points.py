"""The crash points by name: each is counted, and at one of them the process ends or freezes."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.boot import Boot

POINTS = (
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
    """What happens when the n-th point is reached (counted from 1 over the whole history)."""

    at: int
    freeze_s: float = 0.0  #: 0: killed; else frozen for so long while another boot goes on
    hold_s: float = 0.0  #: nothing ends; only this one coroutine is held up for so long
    down_s: float = 5.0  #: until the next boot
    new_disk: bool = False  #: the next boot is on another machine: mirrors and checkouts are gone


@dataclass(slots=True)
class Script:
    """The points of one history, over all its boots."""

    stops: list[Stop] = field(default_factory=list)
    reached: list[tuple[str, str, str]] = field(default_factory=list)  #: point, phase, what
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)  #: stops, by point and phase
    asked: list[tuple[Boot, Stop]] = field(default_factory=list)  #: stops that are to be done


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
        stop = next((one for one in script.stops if one.at == len(script.reached)), None)
        if stop is None:
            return
        script.hits[point, str(phase)] += 1
        if stop.hold_s:
            await asyncio.sleep(stop.hold_s)
            return
        script.asked.append((self.boot, stop))
        if stop.freeze_s:
            self.boot.going.clear()
            await self.boot.alive()
        else:
            await self.boot.never()
