"""GUARDIAN_REVIEW: machine gates first, then a read-only agent; one review says what was found."""

from collections.abc import Sequence
from dataclasses import replace

from bot.agents.replies import Decision, Review, checked_review
from bot.domain import Cause, Role, StepResult, Task
from bot.effects import EffectKind
from bot.facts import Facts, Finding
from bot.github.repo import Repo
from bot.github.types import LineComment
from bot.workflow.effects import Remote
from bot.workflow.gates import GateFinding
from bot.workflow.newest import on_newest_head
from bot.workflow.phases.gating import gated
from bot.workflow.phases.step import Ctx, back, passed, tail, trial_at
from bot.workflow.phases.thinking import ask
from bot.workflow.report.marker import signed
from bot.workflow.report.pull import line_comment, review_body
from bot.workflow.report.words import counted
from bot.workflow.shown import shown_lines
from bot.workflow.weakening import how_compared

MAX_DIFF = 200_000  #: characters of a patch in a prompt


async def review(task: Task, ctx: Ctx) -> StepResult:
    """The gates' word, then the guardian's."""
    task = await on_newest_head(task, ctx)
    if (red := await _red_at_head(task, ctx)) is not None:
        return red
    changes = await ctx.workspace.changes(task.facts.base_sha, task.facts.head_sha)
    gates = await gated(task, ctx, changes)
    compared = how_compared(change.path for change in changes)
    facts = replace(task.facts, tests_compared=compared, weaker_tests_by=gates.allowed_by)
    task = replace(task, facts=facts)
    if gates.blocked:
        return await _gate_refused(task, ctx, gates.findings)
    diff = await ctx.workspace.diff(facts.base_sha, facts.head_sha)
    said = await ask(
        task,
        ctx,
        Role.GUARDIAN,
        Review,
        await ctx.workspace.lay("agent", facts.head_sha),
        {"request": task.feature, "diff": _readable(diff.patch), "evidence": _evidence(facts)},
    )
    if said.comments:
        said = await _confirmed(task, ctx, said, diff.patch)
    verdict = checked_review(said, shown_lines(diff.patch))
    facts = _with_findings(facts, verdict.summary, [*_shown(gates.findings), *_findings(verdict)])
    task = replace(task, facts=facts)
    if ctx.repo is not None:
        await _post(task, ctx, ctx.repo)
    if verdict.decision is Decision.REQUEST_CHANGES:
        return back(facts, _asks(facts), Cause.REVIEW, *_feedback(facts))
    if ctx.repo is not None:
        await _ready(task, ctx, ctx.repo)
    return passed(replace(facts, reviewed_sha=facts.head_sha), _passes(facts))


async def _red_at_head(task: Task, ctx: Ctx) -> StepResult | None:
    """Commits that people pushed are tested before anybody reviews them."""
    facts = task.facts
    if any(proof.sha == facts.head_sha for proof in facts.green):
        return None
    checkout = await trial_at(ctx, facts.head_sha)
    e2e = await ctx.bench.e2e(checkout, facts.head_sha)
    checks = await ctx.bench.checks(checkout, facts.head_sha)
    for trial in (e2e, checks):
        if not trial.proof.green:
            said = f"`{facts.head_sha[:7]}` was pushed and the tests fail on it"
            return back(facts, said, Cause.NOT_GREEN, f"{said}:\n\n{tail(trial.proof.log)}")
    return None


async def _gate_refused(task: Task, ctx: Ctx, findings: Sequence[GateFinding]) -> StepResult:
    facts = _with_findings(task.facts, "A machine gate refused the change.", _shown(findings))
    if ctx.repo is not None:
        await _post(replace(task, facts=facts), ctx, ctx.repo)
    return back(facts, "A machine gate refused the change", Cause.GATE, *_feedback(facts))


async def _post(task: Task, ctx: Ctx, repo: Repo) -> None:
    """One review per head and round; line comments only where GitHub can place them."""
    facts, name = task.facts, f"{task.facts.head_sha}/{task.cursor.round}"
    mark = signed(ctx.hmac_key, task.id, of="review", head=facts.head_sha, round=task.cursor.round)
    body = review_body(facts.review_summary, facts.findings, mark)
    comments = [
        LineComment(path=f.path, line=f.line, body=line_comment(f))
        for f in facts.findings
        if f.line > 0
    ]

    async def call() -> Remote:
        made = await repo.create_review(
            facts.pull, sha=facts.head_sha, body=body, comments=comments
        )
        return Remote(id=str(made.id), url=made.url)

    async def look_up(_since: float) -> Remote | None:
        for found in await repo.reviews(facts.pull):
            if mark in found.body:
                return Remote(id=str(found.id), url=found.html_url)
        return None

    await ctx.effects.ensure(EffectKind.REVIEW, name, {"body": body}, call, look_up)


async def _ready(task: Task, ctx: Ctx, repo: Repo) -> None:
    """The draft becomes a pull request that people are asked to look at."""

    async def call() -> Remote:
        await repo.mark_ready(task.facts.pull_node)
        return Remote(id=str(task.facts.pull))

    if ctx.config.pull.draft:
        await ctx.effects.ensure(EffectKind.PULL_READY, str(task.facts.pull), {}, call)


async def _confirmed(task: Task, ctx: Ctx, first: Review, patch: str) -> Review:
    """The remarks that stand after a second look whose task is to prove them wrong."""
    remarks = "\n".join(
        f"{c.path}:{c.line} ({c.side}) [{c.severity}] {c.body}" for c in first.comments
    )
    second = await ask(
        task,
        ctx,
        Role.GUARDIAN,
        Review,
        await ctx.workspace.lay("agent", task.facts.head_sha),
        {"remarks": remarks, "diff": _readable(patch)},
        run=f"confirm-{task.cursor.round}",
        asking="confirm",
    )
    places = {(c.path, c.line) for c in first.comments}
    stand = [c for c in second.comments if (c.path, c.line) in places]
    decision = second.decision if stand else Decision.APPROVE  # nothing is left to ask for
    confirmed = {"comments": stand, "summary": first.summary, "decision": decision}
    return second.model_copy(update=confirmed)


def _readable(patch: str) -> str:
    """As much of a patch as leaves a prompt room; the files are there to be read."""
    if len(patch) <= MAX_DIFF:
        return patch
    return f"{patch[:MAX_DIFF]}\n… and {len(patch) - MAX_DIFF} characters more: read the files"


def _evidence(facts: Facts) -> str:
    lines = [f"{p.command}: exit {p.exit_code}, {p.passed} passed" for p in facts.green]
    red = facts.red
    if red is not None:
        lines.insert(0, f"on the base, {red.command}: exit {red.exit_code}, {red.failed} failed")
    return "\n".join(lines)


def _with_findings(facts: Facts, summary: str, findings: Sequence[Finding]) -> Facts:
    return replace(facts, review_summary=summary, findings=tuple(findings))


def _shown(findings: Sequence[GateFinding]) -> list[Finding]:
    return [
        Finding(
            path=f.path,
            line=f.line,
            severity="blocker" if f.blocker else "warning",
            body=f"{f.gate}: {f.text}",
        )
        for f in findings
    ]


def _findings(verdict: Review) -> list[Finding]:
    return [
        Finding(path=c.path, line=c.line, severity=str(c.severity), body=c.body)
        for c in verdict.comments
    ]


def _feedback(facts: Facts) -> list[str]:
    lines = [f"{f.path}:{f.line}: [{f.severity}] {f.body}" for f in facts.findings]
    return [facts.review_summary, *lines]


def _asks(facts: Facts) -> str:
    blockers = sum(f.severity == "blocker" for f in facts.findings)
    return f"Changes requested: {blockers or len(facts.findings)} to mend"


def _passes(facts: Facts) -> str:
    said = counted(len(facts.findings), "remark")
    return f"Approved with {said}" if facts.findings else "Approved"
