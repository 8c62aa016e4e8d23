"""Executing a run: act's lines become jobs, steps, logs, annotations and deployments."""

import asyncio
import json
import shutil
import tempfile
from contextlib import aclosing
from pathlib import Path

from bot.localhub import act, deploying, events, shapes, workflow_file
from bot.localhub.auth import new_job_token
from bot.localhub.gitrepo import git
from bot.localhub.state import Repository
from bot.localhub.state_runs import Job, Run, Step
from bot.localhub.types import Json
from bot.localhub.world import ACTIONS_APP_ID, World

_LEVELS = {"notice": "notice", "warning": "warning", "error": "failure"}
LOG_LINES = 100_000  #: a job that prints more is cut


async def execute(world: World, repo: Repository, run: Run) -> None:
    """Run the workflow with act in a fresh checkout; returns when act has ended."""
    run.status, run.started_at = "in_progress", world.now()
    events.workflow_run(world, repo, run, "in_progress")
    scratch = Path(tempfile.mkdtemp(prefix=f"run-{run.id}-", dir=_runs_dir(world)))
    try:
        order = await _order(world, repo, run, scratch)
        limit_s = _minutes(run) * 60
        async with asyncio.timeout(limit_s):
            await _follow(world, repo, run, order)
    except TimeoutError:
        run.conclusion = "timed_out"
    finally:
        run.pid = None
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def _runs_dir(world: World) -> Path:
    path = world.root / "runs"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _minutes(run: Run) -> float:
    """The longest ``timeout-minutes`` of the jobs, six hours where none is set."""
    jobs = [job for job in run.source["jobs"].values() if isinstance(job, dict)]
    return max((float(job.get("timeout-minutes", 360)) for job in jobs), default=360.0)


async def _order(world: World, repo: Repository, run: Run, scratch: Path) -> act.Order:
    checkout = scratch / "checkout"
    await git(repo.path, "clone", "--quiet", "--shared", "--no-checkout", ".", str(checkout))
    await git(checkout, "checkout", "--quiet", "-B", run.head_branch, run.head_sha)
    await git(checkout, "remote", "set-url", "origin", f"https://github.com/{repo.full_name}.git")
    payload = event_payload(world, repo, run)
    (scratch / "event.json").write_text(json.dumps(payload))
    permissions = workflow_file.token_permissions(run.source)
    token = new_job_token(world, world.apps[ACTIONS_APP_ID], repo, permissions).token
    variables, secrets = dict(repo.variables), dict(repo.secrets)
    for job in run.jobs:
        held = repo.environments.get(job.environment or "")
        if held is not None:
            variables |= held.variables
            secrets |= held.secrets
    return act.Order(
        event=run.event,
        workflow=run.workflow.path,
        checkout=checkout,
        scratch=scratch,
        actor=run.actor.login,
        inputs=run.inputs,
        variables=variables,
        secrets=secrets | {"GITHUB_TOKEN": token},
        env=_env(world, repo, run),
    )


def _env(world: World, repo: Repository, run: Run) -> dict[str, str]:
    return {
        "GITHUB_RUN_ID": str(run.id),
        "GITHUB_RUN_NUMBER": str(run.number),
        "GITHUB_RUN_ATTEMPT": str(run.attempt),
        "GITHUB_SERVER_URL": world.base_url,
        "GITHUB_API_URL": world.api,
        "GITHUB_REPOSITORY": repo.full_name,
        "LOCALHUB_GIT": world.base_url,
        "LOCALHUB_REPOSITORY": repo.full_name,
        "LOCALHUB_SHA": run.head_sha,
    }


def event_payload(world: World, repo: Repository, run: Run) -> Json:
    """event.json: what ``github.event`` is inside the workflow."""
    common: Json = {
        "repository": shapes.repository(world, repo),
        "sender": shapes.user(world, run.actor),
    }
    if run.event == "workflow_dispatch":
        common |= {"inputs": run.inputs, "workflow": run.workflow.path}
    return run.payload | common


async def _follow(world: World, repo: Repository, run: Run, order: act.Order) -> None:
    execution = act.Execution(order)
    by_key = {job.key: job for job in run.jobs}
    async with aclosing(execution.lines()) as lines:
        async for line in lines:
            run.pid = execution.pid
            job = by_key.get(line.job)
            if job is not None:
                take(world, repo, run, job, line)
            elif not line.job and run.jobs:
                run.jobs[0].log.append(line.message)
    run.exit_code = execution.exit_code


def take(world: World, repo: Repository, run: Run, job: Job, line: act.Line) -> None:
    """One line of act's log, applied to the job that it is about."""
    if job.started_at is None:
        deploying.start_job(world, repo, run, job)
    if len(job.log) < LOG_LINES:
        job.log.append(line.message.rstrip("\n"))
    if line.stage == "Main" and len(line.step_ids) == 1:
        _step(world, job, line)
    if line.command == "set-output" and line.step_ids:
        job.outputs.setdefault(line.step_ids[-1], {})[line.name] = line.arg
    if line.command in _LEVELS:
        _annotate(job, line)
    if line.job_result:
        url = environment_url(repo, run, job)
        deploying.end_job(world, repo, run, job, line.job_result, url=url)


def _step(world: World, job: Job, line: act.Line) -> None:
    last = job.steps[-1] if job.steps else None
    if last is None or last.status == "completed":
        last = Step(
            number=len(job.steps) + 1,
            name=line.step,
            status="in_progress",
            started_at=world.now(),
        )
        if line.step_result or line.message.startswith("⭐"):
            job.steps.append(last)
    if line.step_result:
        last.status, last.conclusion = "completed", line.step_result
        last.completed_at = world.now()


def _annotate(job: Job, line: act.Line) -> None:
    """A ``::notice::`` and its kind, as an annotation of the job's check run."""
    start = _number(line.pairs.get("line"), 1)
    job.check.annotations.append(
        {
            "path": line.pairs.get("file", ".github"),
            "start_line": start,
            "end_line": _number(line.pairs.get("endLine"), start),
            "start_column": None,
            "end_column": None,
            "annotation_level": _LEVELS[line.command],
            "title": line.pairs.get("title", ""),
            "message": line.arg,
            "raw_details": "",
        }
    )


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default


def environment_url(repo: Repository, run: Run, job: Job) -> str:
    """``environment.url`` with the outputs of the job's steps; evaluated when the job ends."""
    if not job.environment_url:
        return ""
    context = {
        "inputs": run.inputs,
        "vars": repo.variables,
        "steps": {key: {"outputs": values} for key, values in job.outputs.items()},
        "github": {"sha": run.head_sha, "ref_name": run.head_branch, "run_id": run.id}
        | {"event": {"inputs": run.inputs}},
    }
    return workflow_file.evaluate(job.environment_url, context)
