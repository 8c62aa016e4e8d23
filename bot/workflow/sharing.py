"""What machines, and the processes of one, tell each other through the store to keep one pace.

Creating calls are counted from the ledger, where every machine's are. A limit that GitHub named to
one is kept by all, and by whoever is started next. Breakers are rows already; only what is
remembered of them has to be renewed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from bot.github.client import GitHub
from bot.tasks.lasting import Lasting
from bot.tasks.ledger import Ledger
from bot.workflow.breakers import Breakers

SHARE_EVERY_S = 5.0
HOUR_S = 3600.0
LIMITS = "limits"  #: Unix seconds by installation, as JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """One machine's part of the pace."""

    github: GitHub
    ledger: Ledger
    lasting: Lasting
    breakers: Breakers
    now: Callable[[], float]

    async def look(self) -> None:
        """Hear what the others did and were told, and tell them what we were."""
        self.breakers.look_again()
        self.github.recount(await self.ledger.made_since(self.now() - HOUR_S))
        await share_limits(self.github, self.lasting, self.now)


async def share_limits(github: GitHub, lasting: Lasting, now: Callable[[], float]) -> None:
    """Keep the limits that the store knows of, and store those that GitHub has named to us."""
    stored = await lasting.value(LIMITS) or ""
    theirs = {int(number): until for number, until in json.loads(stored or "{}").items()}
    ours = github.limits()
    for installation_id, until in theirs.items():
        if until > max(now(), ours.get(installation_id, 0.0)):
            github.hold_back(installation_id, until)
    latest = {n: max(theirs.get(n, 0.0), ours.get(n, 0.0)) for n in {*theirs, *ours}}
    kept = {number: until for number, until in latest.items() if until > now()}
    if kept != theirs:  # lost to another machine's, it is told at the next look
        await lasting.take(LIMITS, json.dumps(kept), instead_of=stored)
