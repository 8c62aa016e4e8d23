"""Dispatches a deployment and finds out what became of it; staging and production share it.

A dispatch takes a branch or a tag, never a commit, and the workflow file comes from that ref:
so it goes to the default branch with the exact SHA as an input, and what was deployed is proven
by the application's own version address or by the job's notice, never read off the run's SHA.
https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from bot.agents.replies import DeployPlan
from bot.domain import Role, Task, WaitFor
from bot.effects import EffectKind
from bot.errors import ConfigError, Refused, StepError, Uncertain
from bot.facts import Deployment
from bot.github.repo import Repo
from bot.log import get
from bot.workflow.effects import Remote
from bot.workflow.phases.step import Ctx, repo_of
from bot.workflow.phases.thinking import ask
from bot.workflow.report.words import duration

log = get("workflow")

NOTICE = "chimera-deployed"  #: title of the notice by which a job says what it deployed
CLOCK_SKEW_S = 3 * 3600.0  #: between us and GitHub, when runs are looked up by time
NO_INPUT = 422  #: GitHub's answer where the workflow takes no dispatch, or not these inputs
HELD = "waiting"  #: a run's status while the reviewers of its environment have not decided
RULES_S = 15.0  #: in which protection rules that are programs have answered
LOOK_EVERY_S = 300.0  #: where no delivery comes, the run is looked at this often


class Standing(StrEnum):
    """What became of a deployment."""

    RUNNING = "running"
    LIVE = "live"  #: the run succeeded, and it proved that this commit is what answers
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where a deployment stands, and what to wait for where it runs."""

    state: Standing
    deployment: Deployment
    text: str
    key: str = ""
    look_at: float = 0.0
    on: WaitFor = WaitFor.RUN  #: what a running one waits for


async def plan(task: Task, ctx: Ctx, kind: str, workflow: str, sha: str) -> DeployPlan:
    """What the deployment agent has to say; it plans, and the phase acts."""
    changed = (await ctx.workspace.diff(task.facts.base_sha, sha)).files
    words = {
        "environment": kind,
        "workflow": workflow,
        "sha": sha,
        "rollback_sha": task.facts.rollback_sha,
        "changes": "\n".join(f"{one.status} {one.path}" for one in changed),
    }
    checkout = await ctx.workspace.lay("agent", sha)
    run = f"{kind}-{task.cursor.round}"
    return await ask(task, ctx, Role.DEPLOYMENT, DeployPlan, checkout, words, run=run)


async def deploy(
    task: Task, ctx: Ctx, repo: Repo, workflow: str, environment: str, sha: str, name: str
) -> Deployment:
    """Has one run dispatched for this name, which is unique within the task.

    Raises ConfigError where the workflow cannot be dispatched by anybody.
    """
    key = f"{task.id}/{name}"
    since = ctx.now()
    inputs = {"environment": environment, "sha": sha, "key": key}

    async def call() -> Remote:
        run = await repo.dispatch(workflow, ref=repo_of(task).default_branch, inputs=inputs)
        if run is None:  # an older server; the run's title echoes the key
            found = await look_up(since)
            if found is None:
                raise Uncertain(f"{workflow} was dispatched; its run is not to be seen yet")
            return found
        return Remote(id=str(run), url=f"{ctx.links.hub}/{repo.repo.full_name}/actions/runs/{run}")

    async def look_up(at: float) -> Remote | None:
        day = iso(at - CLOCK_SKEW_S)
        for run in await repo.runs(since=day, event="workflow_dispatch", workflow=workflow):
            if key in run.title:
                return Remote(id=str(run.id), url=run.html_url)
        return None

    dependency = f"actions:{repo.repo.full_name}"
    await ctx.breakers.admit(dependency)
    try:
        made = await ctx.effects.ensure(
            EffectKind.DISPATCH, name, {"workflow": workflow, **inputs}, call, look_up
        )
    except StepError as error:
        error.dependency = dependency
        why = await _undispatchable(repo, workflow, error) if isinstance(error, Refused) else ""
        if why:
            raise ConfigError(f"`{workflow}` cannot deploy to `{environment}`: {why}") from error
        raise
    await ctx.breakers.succeeded(dependency)
    return Deployment(
        name=name,
        environment=environment,
        sha=sha,
        run_id=int(made.id or 0),
        run_url=made.url,
        at=ctx.now(),
    )


async def _undispatchable(repo: Repo, workflow: str, refusal: Refused) -> str:
    """What is wrong with the workflow itself, where that is why GitHub does not start it."""
    if refusal.status == NO_INPUT:
        return f"GitHub says {str(refusal).partition(': ')[2]}"
    if not refusal.missing:
        return ""
    there = [one.path.rpartition("/")[2] for one in await repo.workflows()]
    if workflow.rpartition("/")[2] in there:
        return ""
    return (
        f"`.github/workflows` of `{repo.repo.default_branch}` has no such file; add it, or name "
        "another one in chimera.yml and start anew, for a task keeps the file it began with"
    )


async def stand(ctx: Ctx, repo: Repo, made: Deployment, *, configured_url: str) -> Found:
    """Where a dispatched deployment stands now: deliveries first, GitHub where they are silent."""
    if made.state == "success":
        return Found(state=Standing.LIVE, deployment=made, text="live")
    key = run_key(repo.repo.id, made.run_id)
    heard = await ctx.heard(key)
    conclusion, status = heard.get("conclusion", ""), ""
    held_at, begun_at = (float(heard.get(word) or 0.0) for word in ("held_at", "let_go_at"))
    if not conclusion:
        conclusion, status = await _ask(ctx, repo, made, held_at)
    overdue = ctx.now() > max(made.at, begun_at) + ctx.config.limits.phase_minutes * 60
    if not conclusion and (not overdue or status == HELD):
        found = _running(ctx, made, key, status)
        unsure = bool(held_at) and not status
        return replace(found, look_at=held_at + RULES_S) if unsure else found
    if not conclusion:
        await _cancel(ctx, repo, made)
        return _failed(made, "it took too long, and was cancelled")
    if conclusion != "success":
        return _failed(made, f"the run ended with {conclusion}")
    url = heard.get("url") or configured_url or await _environment_url(repo, made)
    return await _proven(ctx, repo, replace(made, url=url))


async def _ask(ctx: Ctx, repo: Repo, made: Deployment, held_at: float) -> tuple[str, str]:
    """The run's conclusion and status, asked once a delivery may have been lost, or once a run
    that is held up is not let go on by a rule that answers by itself, ours among them.
    """
    due = held_at + RULES_S if held_at else made.at + LOOK_EVERY_S - 1
    if ctx.now() < due:
        return "", ""
    try:
        run = await repo.run(made.run_id)
    except Refused as error:
        if not error.missing:
            raise
        return "its deletion", ""
    return run.conclusion, run.status


def _running(ctx: Ctx, made: Deployment, key: str, status: str) -> Found:
    """A run that goes on, and what it says of itself."""
    said = {"": "is under way", "queued": "has been queued for", HELD: "waits for its reviewers"}
    doing = said.get(status, "has been running for")
    since = f" {duration(ctx.now() - made.at)}" if doing.endswith(" for") else ""
    return Found(
        state=Standing.RUNNING,
        deployment=made,
        text=f"Actions run {made.run_id} ({made.environment}) {doing}{since}",
        key=key,
        look_at=ctx.now() + LOOK_EVERY_S,
        on=WaitFor.ENVIRONMENT if status == HELD else WaitFor.RUN,
    )


async def _cancel(ctx: Ctx, repo: Repo, made: Deployment) -> None:
    """End a run that we wait for no longer: it might deploy after the next one has."""

    async def call() -> Remote:
        await repo.cancel_run(made.run_id)
        return Remote(id=str(made.run_id))

    try:
        await ctx.effects.ensure(EffectKind.RUN_CANCEL, str(made.run_id), {}, call)
    except Refused as error:
        log.warning("run_not_cancelled", run=made.run_id, error=str(error))


async def _proven(ctx: Ctx, repo: Repo, made: Deployment) -> Found:
    """Success is what answers with the commit, not what a run says of itself."""
    said = await version_at(ctx, made.url)
    if said is None:
        said = await _notices(repo, made.run_id)
    if made.sha in said:
        live = replace(made, state="success")
        return Found(state=Standing.LIVE, deployment=live, text="live")
    shown = f"`{said.strip()[:40]}`" if said.strip() else "nothing"
    return _failed(made, f"{shown} answers instead of `{made.sha[:7]}`")


async def version_at(ctx: Ctx, base_url: str) -> str | None:
    """What the version address answers; None where none is configured for this place."""
    version_url = ctx.config.e2e.version_url
    if version_url.startswith("http"):
        return await ctx.probe(version_url) or ""
    if version_url and base_url:
        return await ctx.probe(base_url.rstrip("/") + version_url) or ""
    return None


async def _notices(repo: Repo, run_id: int) -> str:
    """What the run's jobs said in notices with our title."""
    said = []
    for job in await repo.jobs(run_id):
        said += [one.message for one in await repo.annotations(job.id) if one.title == NOTICE]
    return " ".join(said)


async def _environment_url(repo: Repo, made: Deployment) -> str:
    """The address that the environment's newest deployment gives."""
    for deployment in (await repo.deployments(environment=made.environment))[:3]:
        for status in await repo.deployment_statuses(deployment.id):
            if str(made.run_id) in status.log_url and status.environment_url:
                return status.environment_url
    return ""


async def last_deployed(repo: Repo, environment: str, *, after: float = 0.0) -> str:
    """The commit of the newest deployment to an environment that succeeded; empty: none did.

    Only of those that were made after an instant (Unix seconds).
    """
    for deployment in (await repo.deployments(environment=environment))[:10]:
        if deployment.created_at <= iso(after):
            break
        statuses = await repo.deployment_statuses(deployment.id)
        if any(status.state == "success" for status in statuses):
            return deployment.sha
    return ""


def run_key(repo_id: int, run_id: int) -> str:
    """What a task that waits for this run is woken by."""
    return f"run:{repo_id}/{run_id}"


def iso(at: float) -> str:
    """An instant as GitHub writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _failed(made: Deployment, text: str) -> Found:
    return Found(state=Standing.FAILED, deployment=replace(made, state="failure"), text=text)
