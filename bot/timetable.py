"""What a server does again and again beside its tasks, and how often."""

import asyncio
from collections.abc import Sequence

from bot.door import Opened
from bot.tasks.daemon import Sweep
from bot.tasks.lag import BEAT_S
from bot.tasks.scaler import LOOK_EVERY_S, Scaler
from bot.tasks.slots import Slots
from bot.tasks.tally import Tally
from bot.tasks.trend import QUEUE_DEPTH, SAMPLE_EVERY_S, Trends
from bot.workflow.context import Contexts, Tools
from bot.workflow.reconcile import Reconciler
from bot.workflow.sharing import SHARE_EVERY_S, Sharing, share_limits
from bot.workflow.tidying import Tidier

REDELIVER_EVERY_S = 300.0
COMPARE_EVERY_S = 900.0
FIRST_SWEEP_S = 60.0  #: after the start: what GitHub is about to deliver needs no look
LIMITS_EVERY_S = 3600.0  #: and whenever GitHub names one
PURGE_EVERY_S = 3600.0
TIDY_EVERY_S = 3600.0


def sweeps_of(
    tools: Tools, reconciler: Reconciler | None, compare_now: asyncio.Event
) -> Sequence[Sweep]:
    """Cleaning up, and looking for what no delivery has told; `compare_now` is a bell for that."""
    tidier = Tidier(queue=tools.queue, folder=tools.folder)
    sweeps = [
        Sweep(name="purge", every_s=PURGE_EVERY_S, run=tools.queue.purge),
        Sweep(name="tidy", every_s=TIDY_EVERY_S, last=True, everywhere=True, run=tidier.tidy),
    ]
    if reconciler is not None:
        sweeps += [
            Sweep(
                name="redeliver",
                every_s=REDELIVER_EVERY_S,
                first_s=FIRST_SWEEP_S,
                run=reconciler.redeliver,
            ),
            Sweep(
                name="compare",
                every_s=COMPARE_EVERY_S,
                first_s=FIRST_SWEEP_S,
                run=reconciler.compare,
                bell=compare_now,
            ),
        ]
    return sweeps


def sharing_of(opened: Opened, tools: Tools, contexts: Contexts) -> Sequence[Sweep]:
    """What other machines need to know, or who is started here next."""
    github = tools.github
    if github is None:
        return ()

    async def keep_limits() -> None:
        await share_limits(github, tools.lasting, tools.now)

    if not opened.company.shared:
        return (Sweep(name="limits", every_s=LIMITS_EVERY_S, run=keep_limits, bell=github.limited),)
    sharing = Sharing(
        github=github,
        ledger=tools.ledger,
        lasting=tools.lasting,
        breakers=contexts.breakers,
        now=tools.now,
    )
    return (Sweep(name="share", every_s=SHARE_EVERY_S, everywhere=True, run=sharing.look),)


def measures_of(
    tools: Tools, trends: Trends, tally: Tally, scaler: Scaler, slots: Slots
) -> Sequence[Sweep]:
    """Looks at the queue and at the machine."""

    async def sample() -> None:
        await trends.take(QUEUE_DEPTH, await tools.queue.depth())

    return (
        Sweep(name="sample", every_s=SAMPLE_EVERY_S, run=sample),
        Sweep(name="count", every_s=SAMPLE_EVERY_S, everywhere=True, run=tally.counted),
        Sweep(name="lag", every_s=BEAT_S, everywhere=True, run=scaler.lag.beat),
        Sweep(name="scale", every_s=LOOK_EVERY_S, everywhere=True, run=scaler.look),
        Sweep(name="slots", every_s=LOOK_EVERY_S, everywhere=True, run=slots.look),
    )
