"""The table of benches."""

from tests.bench import (
    cages,
    calls,
    claim,
    cluster,
    growth,
    ingest,
    memory,
    outgoing,
    pickup,
    queues,
    slots,
    startup,
    whole,
)
from tests.bench.model import Bench


def benches(*, quick: bool = False, million: bool = False) -> dict[str, Bench]:
    """Every bench by the name it is asked for; `quick` makes all of them tiny."""
    made = (
        ingest.bench(quick=quick),
        queues.bench(quick=quick),
        claim.bench(quick=quick, million=million),
        pickup.bench(quick=quick),
        slots.bench(),
        memory.bench(quick=quick),
        startup.bench(),
        cages.bench(quick=quick),
        calls.bench(),
        outgoing.bench(quick=quick),
        growth.bench(quick=quick),
        whole.bench(quick=quick),
        cluster.bench(quick=quick),
    )
    return {one.name: one for one in made}
