"""Deployments that jobs make by naming an environment, and the gates before them."""

from bot.localhub import events
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account, App
from bot.localhub.state_runs import Deployment, DeploymentStatus, Environment, Gate, Job, Run
from bot.localhub.world import ACTIONS_APP_ID, World


def environment(world: World, repo: Repository, name: str) -> Environment:
    """The environment of that name; made when something first deploys to it, as on GitHub."""
    found = repo.environments.get(name)
    if found is None:
        found = Environment(id=world.new_id(), name=name, created_at=world.now())
        repo.environments[name] = found
    return found


def make(
    world: World,
    repo: Repository,
    *,
    sha: str,
    ref: str,
    environment_name: str,
    creator: Account,
    app: App | None,
    task: str = "deploy",
    payload: object = None,
    description: str | None = None,
    run: Run | None = None,
    production: bool = False,
    transient: bool = False,
) -> Deployment:
    """A deployment row, told to those who listen."""
    environment(world, repo, environment_name)
    now = world.now()
    one = Deployment(
        id=world.new_id(),
        sha=sha,
        ref=ref,
        task=task,
        environment=environment_name,
        original_environment=environment_name,
        payload={} if payload is None else payload,
        description=description,
        creator=creator,
        created_at=now,
        updated_at=now,
        app=app,
        run_id=run.id if run else None,
        production=production,
        transient=transient,
    )
    repo.deployments[one.id] = one
    events.deployment(world, repo, one, run)
    return one


def say(
    world: World,
    repo: Repository,
    one: Deployment,
    state: str,
    creator: Account,
    *,
    app: App | None = None,
    run: Run | None = None,
    environment_url: str = "",
    log_url: str = "",
    description: str = "",
) -> DeploymentStatus:
    """A new state of a deployment, told to those who listen."""
    status = DeploymentStatus(
        id=world.new_id(),
        state=state,
        creator=creator,
        created_at=world.now(),
        description=description,
        environment_url=environment_url,
        log_url=log_url,
        app=app,
    )
    one.statuses.append(status)
    one.updated_at = world.now()
    events.deployment_status(world, repo, one, status, run)
    return status


def for_job(world: World, repo: Repository, run: Run, job: Job) -> Deployment:
    """The deployment of a job with an environment; made once."""
    if job.deployment is None:
        app = world.apps[ACTIONS_APP_ID]
        job.deployment = make(
            world,
            repo,
            sha=run.head_sha,
            ref=run.head_branch,
            environment_name=job.environment or "",
            creator=app.bot,
            app=app,
            run=run,
            production=job.environment == "production",
        )
    return job.deployment


def job_says(
    world: World, repo: Repository, run: Run, job: Job, state: str, *, environment_url: str = ""
) -> None:
    """The state of a job as a state of its deployment."""
    app = world.apps[ACTIONS_APP_ID]
    page = f"{world.base_url}/{repo.full_name}/actions/runs/{run.id}/job/{job.id}"
    say(
        world,
        repo,
        for_job(world, repo, run, job),
        state,
        app.bot,
        app=app,
        run=run,
        environment_url=environment_url,
        log_url=page,
    )


def open_gates(world: World, repo: Repository, run: Run) -> None:
    """Hold the run before environments that are protected, and ask who has to agree."""
    for job in run.jobs:
        held = repo.environments.get(job.environment or "")
        if held is None or not (held.reviewers or held.protection_apps):
            continue
        deployment = for_job(world, repo, run, job)
        job.status = run.status = "waiting"
        job_says(world, repo, run, job, "waiting")
        run.gates.append(
            Gate(
                environment=held,
                deployment=deployment,
                since=world.now(),
                awaits=set(held.protection_apps),
            )
        )
        events.workflow_job(world, repo, run, job, "waiting")
        for app in world.apps.values():
            if app.slug in held.protection_apps:
                events.protection_rule(world, repo, run, deployment, app)


def start_job(world: World, repo: Repository, run: Run, job: Job) -> None:
    """A job has begun."""
    job.status, job.started_at = "in_progress", world.now()
    job.check.status = "in_progress"
    if job.environment:
        job_says(world, repo, run, job, "in_progress")
    events.workflow_job(world, repo, run, job, "in_progress")


def end_job(
    world: World, repo: Repository, run: Run, job: Job, conclusion: str, *, url: str = ""
) -> None:
    """A job is over: its check, its deployment and its listeners hear of it."""
    job.status, job.conclusion, job.completed_at = "completed", conclusion, world.now()
    check = job.check
    check.status, check.conclusion, check.completed_at = "completed", conclusion, world.now()
    check.title = f"{job.name}: {conclusion}"
    if job.environment and (job.deployment is not None or conclusion != "skipped"):
        state = {"success": "success", "skipped": "inactive"}.get(conclusion, "failure")
        if state == "success":
            _retire(world, repo, run, job)
        job_says(world, repo, run, job, state, environment_url=url)
    events.workflow_job(world, repo, run, job, "completed")
    events.check_run(world, repo, check, run.actor, "completed")


def _retire(world: World, repo: Repository, run: Run, job: Job) -> None:
    """A success makes earlier successes in the same environment inactive."""
    for other in repo.deployments.values():
        live = other.statuses and other.statuses[-1].state == "success"
        if live and other is not job.deployment and other.environment == job.environment:
            say(world, repo, other, "inactive", other.creator, run=run)
