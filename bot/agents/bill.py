"""What a run has used so far, by its own transcript: the bill of one that never came to a reply.

A provider that fails, a deadline or a person ends a run in the middle; what it had asked before
is paid for all the same.
"""

from collections.abc import Iterable
from dataclasses import replace

from bot.agents.agent import AgentEvent, Usage, UsageSource


def used_so_far(events: Iterable[AgentEvent]) -> Usage:
    """What every answer of a model in these events was billed for."""
    used = summed(event.used for event in events if event.used is not None)
    return replace(used, source=UsageSource.TRANSCRIPT) if used.requests else used


def summed(bills: Iterable[Usage]) -> Usage:
    """The sum; one without a price leaves the whole without one."""
    asked = [bill for bill in bills if bill.requests]
    if not asked:
        return Usage()
    prices = [bill.cost_usd for bill in asked if bill.cost_usd is not None]
    return Usage(
        requests=sum(bill.requests for bill in asked),
        input_tokens=sum(bill.input_tokens for bill in asked),
        output_tokens=sum(bill.output_tokens for bill in asked),
        cost_usd=sum(prices) if len(prices) == len(asked) else None,
        source=asked[-1].source,
    )


def over_usd(used: float, allowed: float) -> str:
    """What is said where the money is used up; of little money its cents are not enough."""
    return f"{_shown(used)} USD used of {_shown(allowed)}"


def _shown(usd: float) -> str:
    return f"{usd:.2f}" if usd >= 0.1 else f"{usd:.4f}"
