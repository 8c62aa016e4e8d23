"""STAGING_DEPLOYMENT: the exact commit, deployed where the tests can try it."""

from dataclasses import replace

from bot.agents.replies import DeployPlan
from bot.domain import Cause, StepResult, Task, WaitFor
from bot.facts import Deployment, Facts
from bot.github.repo import Repo
from bot.workflow.deploying import Standing, deploy, plan, stand
from bot.workflow.phases.step import Ctx, back, passed, skipped, tail, trial_at, waiting


async def stage(task: Task, ctx: Ctx) -> StepResult:
    """Dispatch and wait, or serve once where nothing is configured."""
    staging = ctx.config.deploy.staging
    if ctx.repo is not None and staging.workflow:
        return await _dispatched(task, ctx, ctx.repo)
    if ctx.config.e2e.serve:
        return await _ephemeral(task, ctx)
    if task.target_url or ctx.config.e2e.target_url:
        return skipped(task, task.facts, "no staging workflow; the target URL is tested instead")
    hub = "no staging workflow is configured" if ctx.repo is not None else "there is no hub"
    return skipped(task, task.facts, f"{hub}, and nothing can be served")


async def _dispatched(task: Task, ctx: Ctx, repo: Repo) -> StepResult:
    facts, wanted = task.facts, ctx.config.deploy.staging
    current = facts.staging
    name = f"{wanted.environment}/{task.cursor.round}.{task.cursor.attempt}"
    if current is None or current.name != name:
        await ctx.take(task, wanted.environment)
        advice = await plan(task, ctx, "staging", wanted.workflow, facts.head_sha)
        facts = replace(facts, plan=advice.summary)
        if not advice.proceed:
            return _advised_against(facts, advice)
        current = await deploy(
            task, ctx, repo, wanted.workflow, wanted.environment, facts.head_sha, name
        )
    found = await stand(ctx, repo, current, configured_url=wanted.url)
    facts = replace(facts, staging=found.deployment)
    match found.state:
        case Standing.RUNNING:
            return waiting(facts, found.on, found.text, key=found.key, until=found.look_at)
        case Standing.LIVE:
            return passed(facts, f"`{facts.head_sha[:7]}` is live on {wanted.environment}")
        case Standing.FAILED:
            return _sent_back(replace(task, facts=facts), found.text)


def _advised_against(facts: Facts, advice: DeployPlan) -> StepResult:
    said = f"The deployment agent advises against it ({advice.risk} risk): {advice.summary}"
    return waiting(facts, WaitFor.DECISION, said)


def _sent_back(task: Task, text: str) -> StepResult:
    """A deployment that fails is the change's fault until the rounds are used up."""
    why = f"The staging deployment failed: {text}"
    run = task.facts.staging.run_url if task.facts.staging is not None else ""
    return back(task.facts, why, Cause.DEPLOY, f"{why}. Its run: {run}")


async def _ephemeral(task: Task, ctx: Ctx) -> StepResult:
    """Builds and probes the served application once; nothing outlives the phase."""
    facts = task.facts
    trial = await ctx.bench.probe(await trial_at(ctx, facts.head_sha), facts.head_sha)
    if trial.ready is not True:
        log = tail(trial.proof.log)
        return back(facts, "The application does not start", Cause.DEPLOY, log)
    made = Deployment(
        name=f"ephemeral/{task.cursor.round}.{task.cursor.attempt}",
        environment="ephemeral",
        sha=facts.head_sha,
        state="success",
        at=ctx.now(),
    )
    return passed(replace(facts, staging=made), "Ephemeral staging: it starts and answers")
