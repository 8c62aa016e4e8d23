"""What the end of a program's run means, by whichever of its parts has ended first."""

import asyncio
from dataclasses import dataclass

from acp.exceptions import RequestError
from pydantic import BaseModel

from bot.agents.acp_answer import NoAnswer
from bot.agents.agent import Outcome, Reply
from bot.agents.cage_run import Ending, Ran
from bot.agents.gateway_trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A limit that ends the run from here."""

    outcome: Outcome
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a run consists of; one of them has ended, or the gateway is in trouble."""

    caged: asyncio.Task[Ran]  #: the program
    work: asyncio.Task[BaseModel]  #: the talk with it, to its answer
    watch: asyncio.Task[Over]


def judged(parts: Parts, trouble: Trouble, broken: str) -> Reply:
    """The reply; `broken` is why its line was cut. Raises StepError: provider, or cage."""
    work = parts.work
    if work.done() and work.exception() is None:
        return Reply(outcome=Outcome.COMPLETED, output=work.result())
    if trouble.limit:
        return Reply(outcome=Outcome.LIMIT, error=trouble.limit)
    if trouble.error is not None:
        raise trouble.error
    over = _why(parts, broken)
    if failure := trouble.last_failure(over.error):
        raise failure
    return Reply(outcome=over.outcome, error=over.error)


def _why(parts: Parts, broken: str) -> Over:
    if parts.watch.done():
        return parts.watch.result()
    if broken:
        return Over(outcome=Outcome.FAILED, error=broken)
    problem = parts.work.exception() if parts.work.done() else None
    match problem:
        case NoAnswer():
            error = f"no usable answer: {problem}"
            return Over(outcome=Outcome.FAILED, error=error)
        case RequestError():
            error = f"the agent reported an error: {problem} {problem.data or ''}"
            return Over(outcome=Outcome.FAILED, error=error)
        case None | OSError():
            if parts.caged.done():
                return _ended_early(parts.caged.result())
            return Over(outcome=Outcome.CRASHED, error="the agent hung up")
        case _:
            raise problem


def _ended_early(ran: Ran) -> Over:
    match ran.outcome:
        case Ending.EXITED | Ending.KILLED:
            code = f"exit code {ran.exit_code}" if ran.exit_code is not None else ran.outcome
            error = ran.after(f"the agent ended before its answer ({code})")
            return Over(outcome=Outcome.CRASHED, error=error)
        case Ending.TIMEOUT | Ending.IDLE:
            return Over(outcome=Outcome.TIMEOUT, error="the cage's wall time is over")
        case _:
            return Over(outcome=Outcome.LIMIT, error=f"the cage ended the agent: {ran.outcome}")
