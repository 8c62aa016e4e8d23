"""The only way out of an external agent's cage: a model, through us.

The agent inside needs no key and no network. It talks to its own loopback; a unix socket leads
here. The gateway adds the key, lets through the paths and models of one provider, takes out what
would make that provider reach the network, counts tokens and money from the provider's own
answers, cuts an answer that goes over the budget while it is still being said, and records
everything.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
from opentelemetry.context import get_current

from bot.agents.agent import Limits, Usage
from bot.agents.cage_policy import WayOut
from bot.agents.cage_proxy import listening
from bot.agents.gateway_dialects import DIALECTS, Upstream, route_of
from bot.agents.gateway_http import BadRequest, Conversation
from bot.agents.gateway_meter import Meter
from bot.agents.gateway_passage import Outlet, Passage
from bot.agents.gateway_record import Record
from bot.agents.gateway_trouble import Trouble
from bot.log import mask

PORT = 4000  #: on the cage's own loopback
_CONNECT_S = 15.0


class Gateway:
    """One run's gateway; made by `opened`."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    @property
    def trouble(self) -> Trouble:
        """What ends the run from outside: the provider, or the budget."""
        return self._outlet.trouble

    def usage(self) -> Usage:
        """What all exchanges so far come to."""
        return self._outlet.meter.total()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one connection from inside the cage."""
        talk = Conversation(reader, writer)
        try:
            request = await talk.request()
        except BadRequest as problem:
            await talk.whole(400, "text/plain", str(problem).encode())
            return
        if request is None:
            return
        route = route_of(request.method, request.target)
        if route is None or route.dialect not in DIALECTS[self._outlet.upstream.family]:
            await talk.whole(404, "text/plain", b"the gateway does not know this path")
            return
        await Passage(self._outlet, talk, request, route).through()


@contextlib.asynccontextmanager
async def opened(
    upstream: Upstream, limits: Limits, record: Record
) -> AsyncIterator[tuple[Gateway, WayOut]]:
    """A gateway for one run and the way to it, for `Cage.run(network=…)`."""
    mask.learn(upstream.key)
    patience = httpx.Timeout(limits.idle_s, connect=min(_CONNECT_S, limits.idle_s))
    async with httpx.AsyncClient(timeout=patience, follow_redirects=False) as client:
        outlet = Outlet(
            upstream=upstream,
            client=client,
            meter=Meter(limits),
            record=record,
            trouble=Trouble(),
            span=get_current(),
        )
        gateway = Gateway(outlet)
        async with listening(gateway.serve) as socket:
            yield gateway, WayOut(port=PORT, socket=socket)
