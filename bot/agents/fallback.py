"""An agent behind another: where the first one's provider is down or refuses us, or its program
breaks down, the next goes on.

It goes on with the checkout as it is, as a person would; tests and gates judge what comes of it.
"""

from dataclasses import replace

from bot.agents.agent import Agent, AgentEvent, Brief, Emit, EventKind, Outcome, Reply
from bot.agents.bill import summed, used_so_far
from bot.agents.dependency import OUTSIDE, agent_name, soonest, told
from bot.errors import MachineFailed, Parked, StepError, Transient


class FallbackAgent:
    """Two agents in one place; the bill is that of both."""

    def __init__(self, first: Agent, second: Agent) -> None:
        self._first = first
        self._second = second

    @property
    def name(self) -> str:
        return f"{self._first.name}, else {self._second.name}"

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """See `Agent.run`; raises what the second one raises."""
        heard: list[AgentEvent] = []

        def listening(event: AgentEvent) -> None:
            heard.append(event)
            emit(event)

        try:
            return await self._ahead(brief, listening)
        except MachineFailed:
            raise
        except OUTSIDE as trouble:
            text = f"{self._first.name} failed ({trouble}); {self._second.name} goes on"
            at_ms = heard[-1].at_ms if heard else 0
            emit(AgentEvent(at_ms=at_ms, kind=EventKind.WARNING, text=text))
            reply = await self._behind(brief, emit, trouble)
        before = used_so_far(heard)
        if not before.requests:
            return reply
        # what the first one did is not in the second one's session, so that plays nothing again
        return replace(reply, usage=summed([before, reply.usage]), session="")

    async def _ahead(self, brief: Brief, emit: Emit) -> Reply:
        """The first one's run; raises Transient where its program breaks down."""
        name = agent_name(self._first.name)
        await brief.breakers.admit(name)
        async with told(name, brief.breakers):
            reply = await self._first.run(brief, emit)
            if reply.outcome is Outcome.CRASHED:
                raise Transient(reply.error)
        return reply

    async def _behind(self, brief: Brief, emit: Emit, trouble: StepError) -> Reply:
        """The second one's run; where both are left alone, Parked until the first is tried."""
        try:
            return await self._second.run(brief, emit)
        except Parked as also:
            raise soonest([also, *([trouble] if isinstance(trouble, Parked) else [])]) from trouble
