"""CODE_IMPLEMENTATION: the change that makes the frozen tests pass, and nothing weaker."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from bot.agents.replies import WrittenCode
from bot.domain import Cause, Role, StepResult, Task
from bot.facts import Facts, Proof
from bot.workflow.answering import answer_threads
from bot.workflow.gates import Change, GateFinding, freeze
from bot.workflow.newest import on_newest_head
from bot.workflow.phases.gating import gated
from bot.workflow.phases.step import Ctx, again, failed, passed, tail, trial_at
from bot.workflow.phases.thinking import ask
from bot.workflow.publish import commit, publish, show_pull
from bot.workflow.sent_back import thread_note
from bot.workflow.taken_up import of_this_step
from bot.workflow.trial import Trial
from bot.workflow.weakening_allowed import weakening_allowed
from bot.workflow.workspace import feedback_of

STUCK = 3  #: times that the same failure may come before the work ends
IDLE = "You changed no file."
#: Causes of a way back that still hold where the coder answers with no change at all.
_STILL = frozenset(
    {Cause.GATE, Cause.REVIEW, Cause.CI, Cause.DEPLOY, Cause.VALIDATION, Cause.CONFLICT}
)
_NUMBERS = re.compile(r"\d+")  #: durations, ports and addresses differ from run to run


async def implement(task: Task, ctx: Ctx) -> StepResult:
    """One turn of the coder, and the tests."""
    known = task.facts.head_sha
    task = await on_newest_head(task, ctx)
    facts = task.facts
    if facts.head_sha != known and await of_this_step(task, ctx, facts.head_sha):
        await publish(task, ctx, facts.head_sha, expected=known)
        return await _judged(task, ctx, WrittenCode(summary="As pushed"), facts.head_sha)
    start = await ctx.workspace.known(facts.wip_sha) or facts.head_sha
    checkout = await ctx.workspace.lay("agent", start)
    frozen = [t.path for t in facts.tests]
    words = await _words(task, ctx, frozen)
    said = await ask(task, ctx, Role.CODER, WrittenCode, checkout, words, protect=frozen)
    taken = await ctx.workspace.take(checkout, facts.head_sha)
    if taken.odd:
        return _stuck_or_again(facts, "The change was refused", feedback_of(taken.odd))
    sha = await commit(task, ctx, facts.head_sha, taken)
    if sha == facts.head_sha and not said.answers:
        return _idle(task)
    return await _judged(task, ctx, said, sha)


async def _judged(task: Task, ctx: Ctx, said: WrittenCode, sha: str) -> StepResult:
    """What gates and tests say of a commit; a green one is published."""
    facts = task.facts
    changes = await _own_changes(task, ctx, sha)
    if not changes:
        return _idle(task)
    said_by_gates, tree = await gated(task, ctx, changes), await ctx.workspace.tree(sha)
    if said_by_gates.blocked:
        return _refused(facts, tree, said_by_gates.findings)
    checkout = await trial_at(ctx, sha)
    e2e = await ctx.bench.e2e(checkout, sha)
    if why := e2e.short_of_green(facts.red):
        return _not_green(replace(facts, wip_sha=sha), tree, e2e, f"The end-to-end tests {why}")
    checks = await ctx.bench.checks(checkout, sha)
    why = checks.short_of_green(_on_the_base(facts))
    if why and not (checks.proof.green and await weakening_allowed(task, ctx)):
        why = f"The repository's own tests {why}"
        return _not_green(replace(facts, wip_sha=sha), tree, checks, why)
    return await _green(task, ctx, said, sha, e2e, checks)


def _on_the_base(facts: Facts) -> Proof | None:
    """The run of the repository's own tests on the base that is in the head; a newer base may have
    other tests.
    """
    proof = facts.base_checks
    return proof if proof is not None and proof.sha == facts.base_sha else None


async def _own_changes(task: Task, ctx: Ctx, sha: str) -> list[Change]:
    """What the commit has beyond the base that it contains and the accepted tests."""
    accepted = set(task.facts.tests)
    return [
        change
        for change in await ctx.workspace.changes(task.facts.base_sha, sha)
        if change.new is None or freeze(change.path, change.new) not in accepted
    ]


async def _green(
    task: Task, ctx: Ctx, said: WrittenCode, sha: str, e2e: Trial, checks: Trial
) -> StepResult:
    facts = task.facts
    if sha != facts.head_sha:
        await publish(task, ctx, sha, expected=facts.head_sha)
    facts = replace(
        facts,
        head_sha=sha,
        head_tree=await ctx.workspace.tree(sha),
        green=(e2e.proof, checks.proof),
        feedback=(),
        wip_sha="",
        last_failure="",
        approval=None,
    )
    if ctx.repo is not None:
        facts = await show_pull(replace(task, facts=facts), ctx, ctx.repo, said.summary)
    if ctx.repo is not None and facts.threads:
        answered = replace(task, facts=facts)
        facts = await answer_threads(answered, ctx, ctx.repo, said.answers, sha)
    return passed(facts, _both_green(facts, e2e, checks))


def _both_green(facts: Facts, e2e: Trial, checks: Trial) -> str:
    """Both counts; a whole suite may contain the new tests, and only its old ones pass "still"."""
    new, before = e2e.counts.passed, facts.base_checks.passed if facts.base_checks else 0
    old = min(before, checks.counts.passed)
    said = "1 end-to-end test passes" if new == 1 else f"{new or 'the'} end-to-end tests pass"
    others = "1 other still passes" if old == 1 else f"{old or 'the'} others still pass"
    return f"{said}, {others}"


async def _words(task: Task, ctx: Ctx, frozen: Sequence[str]) -> dict[str, object]:
    config, facts = ctx.config, task.facts
    return {
        "request": task.feature,
        "test_commands": [config.e2e.test_command, config.checks_command],
        "frozen": frozen,
        "file_map": await ctx.workspace.file_map(facts.head_sha),
        "feedback": [*facts.feedback, *(thread_note(thread) for thread in facts.threads)],
        "stuck": facts.last_failure.endswith("x2"),
    }


def _idle(task: Task) -> StepResult:
    """No change: what the coder was told before still holds, and is what people have to hear."""
    told = [text for text in task.facts.feedback if text != IDLE]
    before = "\n".join(told).strip().partition("\n")[0].removesuffix(":")
    why = f"The coder changed nothing after: {before}" if before else "The coder changed nothing"
    cause = task.cause if task.cause in _STILL else Cause.NOT_GREEN
    return _stuck_or_again(task.facts, why, IDLE, cause, before=told)


def _refused(facts: Facts, tree: str, findings: Sequence[GateFinding]) -> StepResult:
    """What a machine gate refuses is not kept: the next turn starts from the last good commit."""
    said = [f"{f.path}:{f.line}: {f.gate}: {f.text}" for f in findings if f.blocker]
    why = f"The change was refused by a gate: {said[0]}"
    return _stuck_or_again(replace(facts, wip_sha=""), why, "\n".join(said), Cause.GATE, tree=tree)


def _not_green(facts: Facts, tree: str, trial: Trial, why: str) -> StepResult:
    return _stuck_or_again(facts, why, f"{why}:\n\n{tail(trial.proof.log)}", tree=tree)


def _stuck_or_again(
    facts: Facts,
    why: str,
    feedback: str,
    cause: Cause = Cause.NOT_GREEN,
    *,
    before: Sequence[str] = (),
    tree: str = "",
) -> StepResult:
    """Another turn; the same failure or the same work a second time asks for another way, a third
    time is the end.
    """
    seen = hashlib.sha256(_NUMBERS.sub("N", feedback).encode("utf-8", "replace")).hexdigest()[:16]
    last, _, times = facts.last_failure.partition("x")
    failure, _, work = last.partition(".")
    same = failure == seen or (bool(work) and work == tree)
    count = int(times or 1) + 1 if same else 1
    facts = replace(facts, last_failure=f"{seen}.{tree}x{count}")
    if count >= STUCK:
        return failed(facts, f"{why}, {STUCK} times in the same way", cause)
    return again(facts, why, cause, *before, feedback)
