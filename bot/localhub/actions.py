"""Actions: from an event to a run that act really executes.

The life of a run is GitHub's: requested, queued, (waiting for an environment,) in_progress,
completed. Environments, approvals and ``concurrency`` are emulated for the run as a whole: a
protected environment holds the run before its first job.
"""

import asyncio
import contextlib
import os
import signal

from bot.localhub import act, deploying, events
from bot.localhub.running import execute
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account
from bot.localhub.state_runs import CheckRun, CheckSuite, Job, Run, Workflow
from bot.localhub.types import Json
from bot.localhub.workflow_file import JobPlan, concurrency, evaluate, files_at, jobs, starts_on
from bot.localhub.world import ACTIONS_APP_ID, World


async def trigger(
    world: World,
    repo: Repository,
    *,
    event: str,
    ref: str,
    sha: str,
    actor: Account,
    payload: Json,
) -> list[Run]:
    """Start every workflow of this commit that the event starts."""
    if not world.run_actions:
        return []
    started = []
    for path, source in (await files_at(repo.path, sha)).items():
        if starts_on(source, event, ref, payload.get("action")):
            workflow = know(world, repo, path, source)
            started.append(
                start(
                    world,
                    repo,
                    workflow,
                    source,
                    event=event,
                    ref=ref,
                    sha=sha,
                    actor=actor,
                    inputs={},
                    payload=payload,
                )
            )
    return started


def know(world: World, repo: Repository, path: str, source: Json) -> Workflow:
    """The row of a workflow file; made when the file is first seen."""
    found = repo.workflows.get(path)
    if found is None:
        found = Workflow(id=world.new_id(), path=path, name=path, created_at=world.now())
        repo.workflows[path] = found
    found.name = str(source.get("name") or path)
    return found


def start(
    world: World,
    repo: Repository,
    workflow: Workflow,
    source: Json,
    *,
    event: str,
    ref: str,
    sha: str,
    actor: Account,
    inputs: dict[str, str],
    payload: Json,
) -> Run:
    """A new run: written down, told, and on its way."""
    now = world.now()
    workflow.runs += 1
    branch = ref.split("/", 2)[2]
    context = {
        "inputs": inputs,
        "vars": repo.variables,
        "github": {"event": payload | {"inputs": inputs}, "ref": ref, "sha": sha}
        | {"ref_name": branch, "actor": actor.login, "workflow": workflow.name}
        | {"repository": repo.full_name, "event_name": event},
    }
    group, cancels = concurrency(source, context)
    title = source.get("run-name")
    run = Run(
        id=world.new_id(),
        number=workflow.runs,
        workflow=workflow,
        event=event,
        head_branch=branch,
        head_sha=sha,
        actor=actor,
        display_title=evaluate(str(title), context) if title else workflow.name,
        inputs=inputs,
        source=source,
        payload=payload | {"ref": ref},
        suite=_suite(world, repo, sha, branch),
        created_at=now,
        updated_at=now,
        group=group,
        cancel_in_progress=cancels,
    )
    run.suite.run_id = run.id
    repo.runs[run.id] = run
    run.jobs = [_job(world, repo, run, plan, context) for plan in jobs(source)]
    events.workflow_run(world, repo, run, "requested")
    for job in run.jobs:
        events.workflow_job(world, repo, run, job, "queued")
    deploying.open_gates(world, repo, run)
    task = asyncio.get_running_loop().create_task(_live(world, repo, run))
    world.tasks.add(task)
    task.add_done_callback(world.tasks.discard)
    return run


def _suite(world: World, repo: Repository, sha: str, branch: str) -> CheckSuite:
    suite = CheckSuite(
        id=world.new_id(),
        app=world.apps[ACTIONS_APP_ID],
        head_sha=sha,
        head_branch=branch,
        created_at=world.now(),
    )
    repo.suites.append(suite)
    return suite


def _job(world: World, repo: Repository, run: Run, plan: JobPlan, context: Json) -> Job:
    number = world.new_id()
    check = CheckRun(
        id=number,
        suite=run.suite,
        name=plan.name,
        status="queued",
        created_at=world.now(),
        started_at=world.now(),
    )
    repo.checks[check.id] = check
    return Job(
        id=number,
        key=plan.key,
        name=plan.name,
        environment=evaluate(plan.environment, context) if plan.environment else None,
        environment_url=plan.environment_url,
        check=check,
        created_at=world.now(),
        needs=list(plan.needs),
    )


async def _live(world: World, repo: Repository, run: Run) -> None:
    """Wait for gates and for the run's turn, then execute; the end is always told."""
    try:
        await _turn(world, repo, run)
        if not run.cancelled:
            await (world.carry_out or execute)(world, repo, run)
    except (OSError, act.ActMissing) as error:
        run.jobs[0].log.append(f"localhub could not start act: {error}")
        run.conclusion = "startup_failure"
    finally:
        _end(world, repo, run)


async def _turn(world: World, repo: Repository, run: Run) -> None:
    """Until the environments agree and no other run of the group is active."""
    while not run.cancelled:
        ahead = _ahead(repo, run)
        if run.cancel_in_progress:
            for other in ahead:
                await cancel(other)
        waits = any(gate.decision is None for gate in run.gates)
        if any(gate.decision == "rejected" for gate in run.gates):
            run.conclusion = "failure"
            run.cancelled = True
        elif not waits and not ahead:
            return
        run.status = "waiting" if waits else "pending" if ahead else run.status
        await asyncio.sleep(0.02)


def _ahead(repo: Repository, run: Run) -> list[Run]:
    return [
        other
        for other in repo.runs.values()
        if run.group is not None
        and other.group == run.group
        and other.id < run.id
        and other.status != "completed"
    ]


def _end(world: World, repo: Repository, run: Run) -> None:
    if run.conclusion is None:
        run.conclusion = _conclusion(run)
    leftover = "cancelled" if run.cancelled else "skipped"
    for job in run.jobs:
        if job.status != "completed":
            deploying.end_job(world, repo, run, job, leftover)
    run.status, run.updated_at = "completed", world.now()
    events.workflow_run(world, repo, run, "completed")
    events.check_suite(world, repo, run.suite, run.actor, "completed")


def _conclusion(run: Run) -> str:
    """From the jobs; a run of which act reported no job at all has failed if act has."""
    if run.cancelled:
        return "cancelled"
    if any(job.conclusion == "failure" or job.status == "in_progress" for job in run.jobs):
        return "failure"
    reported = any(job.conclusion is not None for job in run.jobs)
    return "success" if reported or run.exit_code == 0 else "failure"


def is_busy(world: World) -> bool:
    """Whether some run goes on by itself; one that waits for a person does not."""
    return any(
        run.status in ("queued", "in_progress")
        or (run.status == "waiting" and all(gate.decision for gate in run.gates))
        or (run.status == "pending" and all(o.status != "waiting" for o in _ahead(repo, run)))
        for repo in world.repositories.values()
        for run in repo.runs.values()
    )


async def cancel(run: Run) -> None:
    """Ask a run to end; act's process group is ended by whoever reads it."""
    run.cancelled = True
    if run.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGTERM)
