"""A run of an agent under the eye of the day's purse: where that is empty, the run ends."""

import asyncio

from bot.agents.agent import Agent, AgentEvent, Brief, EventKind, Reply
from bot.workflow.purse import Purse


async def watched(agent: Agent, brief: Brief, purse: Purse, events: list[AgentEvent]) -> Reply:
    """The agent's reply; what it tells on its way is added to `events`.

    A run that was told to end before its next question, and does, raises Parked until midnight.
    One that had no further question has its reply. Raises what the agent raises.
    """
    ended = False

    def hear(event: AgentEvent) -> None:
        nonlocal ended
        events.append(event)
        if purse.is_empty and event.kind is not EventKind.FINISHED:
            ended = working.cancel()
        if event.used is not None:
            purse.heard(brief.run_id, event.used.cost_usd)

    working = asyncio.create_task(agent.run(brief, hear))
    try:
        return await working
    except asyncio.CancelledError:
        ours = asyncio.current_task()
        if not ended or (ours is not None and ours.cancelling()):
            raise  # a person's, or a shutdown's
        raise purse.parked() from None
