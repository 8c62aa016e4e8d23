"""Asks an agent: the brief from what the task knows, the reply as data, the bill on the meter."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from bot.agents.agent import Agent, AgentEvent, Brief, Limits, Outcome, Reply
from bot.agents.bill import used_so_far
from bot.agents.dependency import agent_name, told
from bot.agents.roster import ROSTER
from bot.domain import Cause, Phase, Role, Task, WaitFor
from bot.errors import BadOutput, Deadline, Parked, SetupFailed, Transient
from bot.facts import Spend
from bot.log import masked
from bot.workflow import tracing
from bot.workflow.guides import guides_for
from bot.workflow.phases.step import Ctx
from bot.workflow.phases.watched import watched
from bot.workflow.transcripts import AgentRun, session_of
from bot.workflow.workspace import NOTHING

R = TypeVar("R", bound=BaseModel)


async def ask(
    task: Task,
    ctx: Ctx,
    role: Role,
    reply_type: type[R],
    checkout: Path,
    words: Mapping[str, object],
    *,
    protect: Sequence[str] = (),
    run: str = "",
    asking: str = "task",
) -> R:
    """One run of the role's agent on a checkout.

    `words` are the template's variables besides those of every role; `run` tells apart runs of a
    role within one round; `asking` names another task of the role than the usual one. Raises
    Parked where the budget is used up, BadOutput where no readable reply came, Deadline where it
    took too long, Transient where its program broke down, SetupFailed where no agent is configured.
    """
    agent = ctx.agents.get(role)
    if agent is None:
        raise SetupFailed(
            f"No agent is configured for {role}: set CHIMERA_MODEL and its key, or `agents` in "
            "the settings; `chimera doctor` shows what is missing"
        )
    await ctx.purse.check()
    left = budget_left(task, ctx)
    card = ROSTER[role]
    named = ctx.prompts.variables(role, task=asking)
    known = {**await _of_every_role(task, ctx, named), **words}
    said = ctx.prompts.words(
        role, {name: known[name] for name in known if name in named}, task=asking
    )
    limits = ctx.config.limits
    brief = Brief(
        run_id=f"{task.id}/{task.phase}/{run or _ordinal(task)}",
        role=role,
        workspace=checkout,
        cage=ctx.cage,
        instructions=said.instructions,
        prompt=said.prompt,
        reply_type=reply_type,
        limits=Limits(
            wall_s=limits.phase_minutes * 60,
            cost_usd=left,
            tokens=max(1, limits.tokens - task.spend.input_tokens - task.spend.output_tokens),
            memory_mb=ctx.config.cage.memory_mb,
            pids=ctx.config.cage.pids,
        ),
        protect=protect,
        read_only=card.read_only,
        breakers=ctx.breakers,
    )
    with tracing.agent(brief):
        reply = await _run(agent, brief, ctx)
    return _output(reply, reply_type, role)


async def _run(agent: Agent, brief: Brief, ctx: Ctx) -> Reply:
    """One run, unless the agent is known to be down; paid and kept however it ends."""
    name = agent_name(agent.name)
    await ctx.breakers.admit(name)
    events: list[AgentEvent] = []
    async with told(name, ctx.breakers):
        try:
            reply = await watched(agent, brief, ctx.purse, events)
        except (Exception, asyncio.CancelledError) as error:
            broken_off = _broken_off(error, events)
            if broken_off.usage.requests or not isinstance(error, Parked):
                await _settle(agent, brief, events, broken_off, ctx)
            raise
        await _settle(agent, brief, events, await _playable(brief, reply, ctx), ctx)
        match reply.outcome:
            case Outcome.TIMEOUT:
                raise Deadline(f"the {brief.role} took too long: {reply.error}")
            case Outcome.CRASHED:
                raise Transient(f"the {brief.role}'s program broke down: {reply.error}")
    return reply


async def _playable(brief: Brief, reply: Reply, ctx: Ctx) -> Reply:
    """A program tells nothing that could be played; what it left in the checkout can be."""
    if reply.session or reply.output is None:
        return reply
    taken = NOTHING if brief.read_only else await ctx.workspace.left(brief.workspace)
    return replace(reply, session=session_of(taken, reply.output))


async def _settle(
    agent: Agent, brief: Brief, events: Sequence[AgentEvent], reply: Reply, ctx: Ctx
) -> None:
    """The bill on the meter and in the day's accounts, the transcript in the store."""
    tracing.used(reply.usage)
    ctx.meter.add(_spend(reply))
    await ctx.purse.paid(brief.run_id, reply.usage.cost_usd)
    run = AgentRun(
        run_id=brief.run_id, role=brief.role, agent=agent.name, events=events, reply=reply
    )
    await ctx.transcribe(run)


def _broken_off(error: BaseException, events: Sequence[AgentEvent]) -> Reply:
    """What stands for the reply that never came: what was asked until then has to be paid."""
    outcome = Outcome.FAILED if isinstance(error, Exception) else Outcome.CANCELLED
    return Reply(
        outcome=outcome,
        error=str(error) or outcome.value,
        usage=used_so_far(events),
        duration_ms=events[-1].at_ms if events else 0,
    )


def budget_left(task: Task, ctx: Ctx) -> float:
    """Dollars that this task may still spend. Raises Parked where nothing is left."""
    limits, spend = ctx.config.limits, task.spend + ctx.meter.total
    allowed = task.budget_usd if task.budget_usd is not None else limits.cost_usd
    if spend.cost_usd is not None and spend.cost_usd >= allowed:
        raise Parked(
            WaitFor.BUDGET,
            f"${spend.cost_usd:.2f} of ${allowed:.2f} are spent",
            until=None,
        )
    if spend.input_tokens + spend.output_tokens >= limits.tokens:
        raise Parked(WaitFor.BUDGET, f"all {limits.tokens} tokens are used", until=None)
    return allowed - (spend.cost_usd or 0.0)


def _ordinal(task: Task) -> str:
    """Round, and the turn within it where it is not the first."""
    cursor = task.cursor
    rounds = cursor.round if task.phase is not Phase.E2E_TEST_GENERATION else 1
    return str(rounds) if cursor.turn == 1 else f"{rounds}.{cursor.turn}"


async def _of_every_role(task: Task, ctx: Ctx, named: Collection[str]) -> dict[str, object]:
    known: dict[str, object] = {"title": task.title}
    if "context" in named:
        paths = await _concerned(task, ctx)
        known["context"] = await guides_for(ctx.workspace, task.facts.base_sha, paths)
    return known


async def _concerned(task: Task, ctx: Ctx) -> list[str]:
    """Where the work is: the tests' folder, what was changed so far, what people remarked on."""
    facts = task.facts
    head = await ctx.workspace.known(facts.wip_sha) or facts.head_sha
    changed = (await ctx.workspace.diff(facts.base_sha, head)).files if head else []
    remarks = (*(one.path for one in facts.threads), *(one.path for one in facts.findings))
    return [ctx.config.e2e.path, *(one.path for one in changed), *remarks]


def _spend(reply: Reply) -> Spend:
    used = reply.usage
    return Spend(
        requests=used.requests,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost_usd=used.cost_usd,
    )


def _output(reply: Reply, reply_type: type[R], role: Role) -> R:
    match reply.outcome:
        case Outcome.COMPLETED if isinstance(reply.output, reply_type):
            # What it says is kept and repeated; should it know a secret of ours, it ends here.
            return reply_type.model_validate(masked(reply.output.model_dump(mode="json")))
        case Outcome.LIMIT:
            raise AgentLimit(f"the {role} was stopped: {reply.error}")
        case _:
            raise BadOutput(f"the {role} gave no usable answer: {reply.error}")


class AgentLimit(BadOutput):
    """An agent ran into one of its limits."""

    cause = Cause.BUDGET
