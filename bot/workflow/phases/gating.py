"""The machine gates as a phase asks them: with the repository's rules, and a person's leave."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.config.choices import DependencyRule
from bot.domain import Task
from bot.workflow.gates import Change, Gate, GateFinding, GateRules, blocks, check_change
from bot.workflow.phases.step import Ctx
from bot.workflow.weakening_allowed import weakening_allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """What the gates say of a change."""

    findings: Sequence[GateFinding]
    allowed_by: str = ""  #: who has allowed the weaker tests among them, and how

    @property
    def blocked(self) -> bool:
        return blocks(self.findings)


async def gated(task: Task, ctx: Ctx, changes: Sequence[Change]) -> Gated:
    """Every gate's word; whether somebody allows weaker tests is only asked where there are any."""
    rules = _rules(task, ctx)
    findings = check_change(changes, rules=rules)
    if not any(f.gate is Gate.WEAKENING and f.blocker for f in findings):
        return Gated(findings=findings)
    by = await weakening_allowed(task, ctx)
    if not by:
        return Gated(findings=findings)
    allowing = replace(rules, weakening_allowed_by=by)
    return Gated(findings=check_change(changes, rules=allowing), allowed_by=by)


def _rules(task: Task, ctx: Ctx) -> GateRules:
    """What this repository allows in a change."""
    config, protect = ctx.config, ctx.config.protect
    return GateRules(
        max_files=protect.max_files,
        max_patch_kb=protect.max_patch_kb,
        protected=protect.paths,
        frozen=task.facts.tests,
        test_commands=(config.e2e.test_command, config.checks_command),
        refuse_dependencies=protect.new_dependencies is DependencyRule.REFUSE,
    )
