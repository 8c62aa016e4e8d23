"""E2E_TEST_GENERATION: end-to-end tests that fail on the base, for the right reason."""

from collections.abc import Sequence
from dataclasses import replace

from bot.agents.replies import WrittenTests
from bot.domain import Cause, Role, StepResult, Task, WaitFor
from bot.facts import Facts, Proof
from bot.workflow.blocked import not_before_blockers
from bot.workflow.gates import Change, freeze, only_under
from bot.workflow.phases.step import Ctx, again, passed, tail, trial_at, waiting
from bot.workflow.phases.thinking import ask
from bot.workflow.phases.validation import check_target_url
from bot.workflow.publish import branch_name, commit, publish
from bot.workflow.reviewers import not_too_many_at_once
from bot.workflow.runners import why_not_red
from bot.workflow.taken_up import own_head, pushed_tests
from bot.workflow.trial import Trial
from bot.workflow.weakening import is_a_real_test

#: https://docs.pytest.org/en/stable/reference/exit-codes.html; unittest's since Python 3.12.
NO_TESTS = 5


async def generate_tests(task: Task, ctx: Ctx) -> StepResult:
    """One turn of the e2e-tester, and the red proof."""
    facts = await _on_base(task, ctx)
    if facts.base_checks is not None and not facts.base_checks.green:
        return _base_is_red(facts, facts.base_checks)
    task = replace(task, facts=facts)
    pushed = await own_head(task, ctx)
    if await pushed_tests(task, ctx, pushed):
        files = await ctx.workspace.changes(facts.base_sha, pushed)
        return await _judged(task, ctx, pushed, files, replaces="")
    checkout = await ctx.workspace.lay("agent", facts.base_sha)
    await ask(task, ctx, Role.E2E_TESTER, WrittenTests, checkout, await _words(task, ctx))
    taken = await ctx.workspace.take(checkout, facts.base_sha)
    if why := _why_refused(taken.files, taken.odd, ctx.config.e2e.path):
        return _refused(facts, why)
    if all(change.new is None for change in taken.files):
        return _none_written(facts, ctx.config.e2e.path)
    sha = await commit(task, ctx, facts.base_sha, taken)
    return await _judged(task, ctx, sha, taken.files, replaces=pushed)


async def _judged(
    task: Task, ctx: Ctx, sha: str, files: Sequence[Change], *, replaces: str
) -> StepResult:
    """Whether these tests prove anything; those that do are pushed, instead of `replaces` of ours,
    and frozen.
    """
    facts = task.facts
    trial = await ctx.bench.e2e(await trial_at(ctx, sha), sha)
    facts = replace(facts, red=trial.proof)
    if trial.proof.green:
        return _green_at_once(facts)
    if why := _no_proof(trial, import_red=_import_may_be_red(ctx)):
        feedback = f"{why}\n\n{tail(trial.proof.log)}"
        return again(facts, f"Not yet a proof: {why}", Cause.NOT_RED, feedback)
    await publish(task, ctx, sha, expected=replaces)
    return _accepted(facts, files, sha, trial)


async def _on_base(task: Task, ctx: Ctx) -> Facts:
    """The facts with base, branch and the state of the base's own tests; read once, then kept."""
    facts = task.facts
    if facts.base_checks is not None:
        return facts
    await not_too_many_at_once(task, ctx)  # first: it asks GitHub nothing
    if ctx.repo is not None:
        await not_before_blockers(task, ctx.repo, ctx.now())
    check_target_url(task, ctx)
    ref, sha = await ctx.workspace.base()
    proof = (await ctx.bench.checks(await trial_at(ctx, sha), sha)).proof
    branch = await _free_branch(task, ctx)
    return replace(
        facts, base_ref=ref, base_sha=sha, config_sha=sha, branch=branch, base_checks=proof
    )


async def _free_branch(task: Task, ctx: Ctx) -> str:
    """The task's branch; of another name where an earlier task of the issue has left one behind."""
    name = branch_name(task, ctx.config.pull.branch)
    there = await ctx.workspace.at(name)
    named = replace(task, facts=replace(task.facts, branch=name))
    if not there or await own_head(named, ctx) == there:
        return name
    return f"{name}-{task.id[-6:].lower()}"


async def _words(task: Task, ctx: Ctx) -> dict[str, object]:
    e2e = ctx.config.e2e
    return {
        "request": task.feature,
        "e2e_path": e2e.path,
        "test_command": e2e.test_command,
        "serve_command": e2e.serve,
        "file_map": await ctx.workspace.file_map(task.facts.base_sha),
        "feedback": list(task.facts.feedback),
    }


def _why_refused(changes: Sequence[Change], odd: Sequence[str], path: str) -> list[str]:
    """Why what the tester wrote is not taken; empty where it is."""
    said = list(odd) + [f"{f.path}: {f.text}" for f in only_under(changes, path) if f.blocker]
    for change in (c for c in changes if c.new is not None):
        new, old = ((side or b"").decode("utf-8", "replace") for side in (change.new, change.old))
        if why := is_a_real_test(change.path, new, old):
            said.append(why)
    return said


def _refused(facts: Facts, why: Sequence[str]) -> StepResult:
    return again(facts, f"The tests were refused: {why[0]}", Cause.GATE, "\n".join(why))


def _none_written(facts: Facts, path: str) -> StepResult:
    """What was said before still holds: to the agent, and to people."""
    said = f"No test was written under {path}."
    told = [text for text in facts.feedback if text != said]
    why = f"The tests were refused: {said}"
    if told:
        why = f"The e2e-tester wrote no test after: {told[0].splitlines()[0]}"
    return again(facts, why, Cause.GATE, *told, said)


def _import_may_be_red(ctx: Ctx) -> bool:
    """As configured; else only on a local run of what is imported rather than served.

    A library's tests import the new name in their first lines, so that on the base pytest cannot
    even collect them. Where an application is served, a missing import is a broken test.
    """
    e2e = ctx.config.e2e
    return e2e.import_red if e2e.import_red is not None else ctx.repo is None and not e2e.serve


def _no_proof(trial: Trial, *, import_red: bool) -> str | None:
    """Why a red run proves nothing, or None for an honest red."""
    if trial.ready is False:
        return "the application did not start on the base"
    if why := why_not_red(trial.counts, allow_import_red=import_red):
        return why
    if trial.connections == 0:
        return "the tests never asked the application anything"
    return None


def _accepted(facts: Facts, changes: Sequence[Change], sha: str, trial: Trial) -> StepResult:
    frozen = tuple(freeze(c.path, c.new) for c in changes if c.new is not None)
    counts = trial.counts
    written = counts.collected or len(frozen)
    facts = replace(
        facts, tests=frozen, test_sha=sha, head_sha=sha, feedback=(), wip_sha="", last_failure=""
    )
    red = counts.failed or "they"
    fail = "fails on `{}` as it must" if red == 1 else "fail on `{}` as they must"
    return passed(facts, f"{written} written, {red} {fail.format(facts.base_ref)}")


def _green_at_once(facts: Facts) -> StepResult:
    return waiting(
        facts,
        WaitFor.DECISION,
        f"The new tests pass on the unchanged `{facts.base_ref}`: there may be nothing to do; or "
        "say more in the issue, then `/chimera cancel` and `/chimera start`",
    )


def _base_is_red(facts: Facts, proof: Proof) -> StepResult:
    """A person has to mend what is there, before anything can be proved with it."""
    command, base = f"`{proof.command}`", f"`{facts.base_ref}`"
    tell = "or say in `checks.test` how the repository is tested"
    if proof.exit_code == NO_TESTS and "no tests ran" in proof.log.lower():
        why = f"{command} finds no tests on {base}: commit a first one, {tell}"
    elif proof.exit_code == 0:
        why = f"{command} skips every test on {base}: let one run, {tell}"
    else:
        why = (
            f"The repository's own tests ({command}) fail on the unchanged {base} "
            f"with exit code {proof.exit_code}; mend them, or `checks.test`"
        )
    return waiting(replace(facts, base_checks=None), WaitFor.CONFIGURATION, why)
