"""What the models have cost, by phase, and how it is said. A price that nobody knows is not 0."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain import JournalLine, Phase
from bot.facts import Spend
from bot.workflow.report.words import TITLES, WORKING_PHASES, money


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseCost:
    """What the steps of one phase have used, all rounds together."""

    phase: Phase
    spend: Spend
    complete: bool  #: every step that asked a model has a price


def costs(journal: Sequence[JournalLine]) -> list[PhaseCost]:
    """The phases that asked a model, in their order."""
    return [cost for phase in WORKING_PHASES if (cost := phase_cost(phase, journal)).spend.requests]


def phase_cost(phase: Phase, journal: Sequence[JournalLine]) -> PhaseCost:
    """What the steps of `phase` have used."""
    spent = [line.spend for line in journal if line.phase is phase and line.spend.requests]
    return PhaseCost(
        phase=phase,
        spend=sum(spent, Spend()),
        complete=all(spend.cost_usd is not None for spend in spent),
    )


def all_priced(journal: Sequence[JournalLine]) -> bool:
    """Whether the sum of the costs is all that was paid."""
    return all(cost.complete for cost in costs(journal))


def price(spend: Spend, *, complete: bool) -> str:
    """`$0.84`, `unknown`, or `at least $0.84`."""
    known = money(spend.cost_usd)
    return known if complete or spend.cost_usd is None else f"at least {known}"


def cost_table(journal: Sequence[JournalLine]) -> str:
    """The costs by phase as Markdown; empty where no model was asked."""
    lines = [
        f"| {TITLES[cost.phase]} | {cost.spend.requests:,} | {cost.spend.input_tokens:,} "
        f"| {cost.spend.output_tokens:,} | {price(cost.spend, complete=cost.complete)} |"
        for cost in costs(journal)
    ]
    head = ["| Phase | Requests | Tokens in | Tokens out | Cost |", "|-|-:|-:|-:|-:|"]
    return "\n".join([*head, *lines]) if lines else ""
