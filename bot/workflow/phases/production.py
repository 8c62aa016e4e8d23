"""PRODUCTION_DEPLOYMENT: the gate, the merge, the deployment, and the way back.

Each station is known by a fact that is already there or not, so that the phase can be entered
again at any time and goes on where it was.
"""

from dataclasses import replace

from bot.config.choices import ApprovalMode, DeployOrder, RollbackMode
from bot.domain import Cause, Outcome, StepResult, Task, WaitFor
from bot.facts import Facts
from bot.github.repo import Repo
from bot.workflow.deploying import Standing, deploy, last_deployed, plan, stand, version_at
from bot.workflow.merging import (
    Merge,
    approval_key,
    closed_unmerged,
    in_merge_queue,
    merge,
    merge_begun,
    merged_by_a_person,
    pull_key,
    update_with_base,
)
from bot.workflow.phases.step import (
    Ctx,
    failed,
    passed,
    repo_of,
    restage,
    skipped,
    waiting,
)
from bot.workflow.phases.validation import how_red, run_at
from bot.workflow.reverting import open_revert

NOTHING_BEFORE = "none"
LOOK_AGAIN_S = 120.0
LOOK_FOR_PEOPLE_S = 1800.0  #: where their answer was never delivered; a refused call is a call


async def produce(task: Task, ctx: Ctx) -> StepResult:
    """One station after the other until something has to be waited for."""
    if ctx.repo is None:
        return skipped(task, task.facts, "there is no hub to merge and deploy on")
    if task.facts.production_trouble:
        return await _rolled_back(task, ctx, ctx.repo, "")
    if ctx.config.deploy.production.order is DeployOrder.DEPLOY_FIRST:
        return await _deploy_first(task, ctx, ctx.repo)
    return await _merge_first(task, ctx, ctx.repo)


async def _merge_first(task: Task, ctx: Ctx, repo: Repo) -> StepResult:
    """Gate, merge, deploy the merge commit, validate."""
    if not task.facts.merge_sha:
        begun = await merge_begun(task, ctx)
        if not begun and (stop := await _gate(task, ctx, repo)) is not None:
            return stop
        task = await _with_rollback_target(task, ctx, repo)
        done = await _merged(task, ctx, repo)
        if not done.sha:
            return await _waits_for_merge(task, ctx, done)
        task = replace(task, facts=replace(task.facts, merge_sha=done.sha))
    if (changed := await _another_tree(task, ctx)) is not None:
        return changed
    if not ctx.config.deploy.production.workflow:
        return passed(task.facts, "Merged; no production workflow is configured")
    return await _deployed(task, ctx, repo, task.facts.merge_sha)


async def _deploy_first(task: Task, ctx: Ctx, repo: Repo) -> StepResult:
    """Gate, deploy the head, validate, merge."""
    if not task.facts.merge_sha and task.facts.production is None:
        if (stop := await _gate(task, ctx, repo)) is not None:
            return stop
        task = await _with_rollback_target(task, ctx, repo)
    result = await _deployed(task, ctx, repo, task.facts.head_sha)
    if result.verdict.outcome is not Outcome.PASS:
        return result
    task = replace(task, facts=result.facts)
    done = await _merged(task, ctx, repo)
    if not done.sha:
        return await _waits_for_merge(task, ctx, done)
    return passed(replace(task.facts, merge_sha=done.sha), f"{result.verdict.summary}, and merged")


async def _gate(task: Task, ctx: Ctx, repo: Repo) -> StepResult | None:
    """What stands between a validated change and production; None where nothing does."""
    if (moved := await update_with_base(task, ctx, repo)) is not None:
        return moved
    if (closed := await closed_unmerged(task, repo)) is not None:
        return closed
    production, facts = ctx.config.deploy.production, task.facts
    if production.approval is ApprovalMode.ON_MERGE:
        return None
    if production.approval is ApprovalMode.REQUIRED and not _approved(facts):
        if not production.workflow and await merged_by_a_person(task, ctx):
            return None  # the merge was all that is left to approve
        return waiting(
            facts,
            WaitFor.APPROVAL,
            f"approve production of `{facts.head_sha[:7]}`",
            key=approval_key(task),
        )
    if production.workflow:
        await ctx.take(task, production.environment)
    return None


def _approved(facts: Facts) -> bool:
    return facts.approval is not None and facts.approval.sha == facts.head_sha


async def _with_rollback_target(task: Task, ctx: Ctx, repo: Repo) -> Task:
    """The task with what is live now written down, before anything replaces it."""
    if task.facts.rollback_sha:
        return task
    live = await _live_before(ctx, repo)
    return replace(task, facts=replace(task.facts, rollback_sha=live))


async def _merged(task: Task, ctx: Ctx, repo: Repo) -> Merge:
    """The merge, by us or by a person."""
    if ctx.config.deploy.production.approval is not ApprovalMode.ON_MERGE:
        return await merge(task, ctx, repo)
    pull = await repo.pull(task.facts.pull)
    return Merge(sha=pull.merge_sha if pull.merged else "")


async def _waits_for_merge(task: Task, ctx: Ctx, done: Merge) -> StepResult:
    facts, key = task.facts, pull_key(repo_of(task).id, task.facts.pull)
    queued = await in_merge_queue(task, ctx)
    if ctx.config.deploy.production.approval is ApprovalMode.ON_MERGE:
        return waiting(facts, WaitFor.APPROVAL, f"merge #{facts.pull} to deploy it", key=key)
    if queued:
        return waiting(
            facts,
            WaitFor.MERGE_QUEUE,
            f"#{facts.pull} is in the merge queue",
            key=key,
            until=ctx.now() + LOOK_AGAIN_S,
        )
    if done.needs_people:
        return waiting(
            facts,
            WaitFor.DECISION,
            f"#{facts.pull} needs a person's review on GitHub before it can be merged "
            f"({done.refusal}); it goes on by itself then",
            key=key,
            until=ctx.now() + LOOK_FOR_PEOPLE_S,
        )
    return waiting(
        facts,
        WaitFor.CI,
        f"GitHub does not let #{facts.pull} be merged yet: {done.refusal}",
        key=f"ci:{facts.head_sha}",
        until=ctx.now() + LOOK_AGAIN_S,
    )


async def _live_before(ctx: Ctx, repo: Repo) -> str:
    """The commit that answers in production now: where a rollback leads."""
    production = ctx.config.deploy.production
    if not production.workflow:
        return NOTHING_BEFORE
    if production.url:
        said = (await version_at(ctx, production.url) or "").strip()
        if len(said) == 40 and all(c in "0123456789abcdef" for c in said):
            return said
    ours = await ctx.heard(live_key(repo.repo.id, production.environment))
    # Somebody else may have deployed since; what GitHub says of a run of ours is not its commit.
    since = float(ours.get("at") or (ctx.now() if ours else 0.0))
    theirs = await last_deployed(repo, production.environment, after=since)
    return theirs or ours.get("sha") or NOTHING_BEFORE


async def _another_tree(task: Task, ctx: Ctx) -> StepResult | None:
    """A merge that brought another tree than the validated one is staged once more."""
    facts = task.facts
    tree = await ctx.workspace.tree(facts.merge_sha)
    if tree == facts.validated_tree:
        return None
    return restage(
        replace(
            facts,
            head_sha=facts.merge_sha,
            head_tree=tree,
            reviewed_sha=facts.merge_sha,
            staging=None,
        ),
        "The merge brought another tree than the one validated; it is staged again",
        Cause.CONFLICT,
    )


async def _deployed(task: Task, ctx: Ctx, repo: Repo, sha: str) -> StepResult:
    facts, wanted = task.facts, ctx.config.deploy.production
    name = f"{wanted.environment}/{task.cursor.round}.{task.cursor.attempt}"
    current = facts.production
    if current is None or current.name != name:
        await ctx.take(task, wanted.environment)
        advice = await plan(task, ctx, "production", wanted.workflow, sha)
        facts = replace(facts, plan=advice.summary)
        current = await deploy(task, ctx, repo, wanted.workflow, wanted.environment, sha, name)
    found = await stand(ctx, repo, current, configured_url=wanted.url)
    task = replace(task, facts=replace(facts, production=found.deployment))
    match found.state:
        case Standing.RUNNING:
            return waiting(task.facts, found.on, found.text, key=found.key, until=found.look_at)
        case Standing.FAILED:
            return await _rolled_back(task, ctx, repo, found.text)
        case Standing.LIVE:
            return await _validated(task, ctx, repo, sha)


def live_key(repo_id: int, environment: str) -> str:
    """Under which we remember what we brought live."""
    return f"live:{repo_id}/{environment}"


async def _validated(task: Task, ctx: Ctx, repo: Repo, sha: str) -> StepResult:
    facts = task.facts
    url = facts.production.url if facts.production is not None else ""
    if not ctx.config.deploy.production.revalidate or not url:
        await _remember_live(ctx, repo, sha)
        return passed(facts, f"`{sha[:7]}` is live")
    proof = await run_at(replace(task, facts=replace(facts, head_sha=sha)), ctx, url)
    facts = replace(facts, production_validation=proof)
    if not proof.green:
        return await _rolled_back(
            replace(task, facts=facts), ctx, repo, f"the end-to-end tests {how_red(proof)} on {url}"
        )
    await _remember_live(ctx, repo, sha)
    return passed(facts, f"`{sha[:7]}` is live at {url}")


async def _remember_live(ctx: Ctx, repo: Repo, sha: str) -> None:
    environment = ctx.config.deploy.production.environment
    await ctx.note(live_key(repo.repo.id, environment), {"sha": sha, "at": f"{ctx.now():.0f}"})


async def _reverted(task: Task, ctx: Ctx, repo: Repo) -> str:
    """A sentence about the pull request that takes the change back, where one is asked for."""
    if not ctx.config.deploy.production.revert or not task.facts.merge_sha:
        return ""
    url = await open_revert(task, ctx, repo)
    return f" The revert is {url}." if url else " Revert it by hand: its files have changed since."


async def _rolled_back(task: Task, ctx: Ctx, repo: Repo, why: str) -> StepResult:
    """Puts back what was live before, and checks that it is; the task fails in any case."""
    facts, wanted = task.facts, ctx.config.deploy.production
    why = why or facts.production_trouble
    facts = replace(facts, production_trouble=why)
    asked = wanted.rollback is RollbackMode.AUTOMATIC or facts.rollback_by
    if not asked or facts.rollback_sha == NOTHING_BEFORE:
        said = "nothing was live before" if facts.rollback_sha == NOTHING_BEFORE else "by hand"
        return failed(facts, f"Production failed: {why}. Not rolled back ({said}).", Cause.DEPLOY)
    name = f"{wanted.environment}/rollback-{task.cursor.attempt}"
    current = facts.rollback
    if current is None or current.name != name:
        current = await deploy(
            task, ctx, repo, wanted.workflow, wanted.environment, facts.rollback_sha, name
        )
    found = await stand(ctx, repo, current, configured_url=wanted.url)
    facts = replace(facts, rollback=found.deployment)
    short = facts.rollback_sha[:7]
    match found.state:
        case Standing.RUNNING:
            return waiting(
                facts, found.on, f"Rolling back to `{short}`", key=found.key, until=found.look_at
            )
        case Standing.LIVE:
            await _remember_live(ctx, repo, facts.rollback_sha)
            reverted = await _reverted(replace(task, facts=facts), ctx, repo)
            return failed(
                facts, f"Production failed: {why}. `{short}` is live again.{reverted}", Cause.DEPLOY
            )
        case Standing.FAILED:
            return failed(
                facts,
                f"Production failed: {why}. The rollback to `{short}` failed, too: {found.text}.",
                Cause.DEPLOY,
            )
