"""Check suites, check runs and commit statuses as GitHub's JSON."""

from bot.localhub.moments import iso, stamp
from bot.localhub.shapes import app, user
from bot.localhub.shapes_code import pulls_at
from bot.localhub.state import Repository
from bot.localhub.state_runs import CheckRun, CheckSuite, CommitStatus
from bot.localhub.types import Json
from bot.localhub.world import World, node_id


def check_suite(world: World, repo: Repository, one: CheckSuite) -> Json:
    """A check suite; its state follows from its runs."""
    runs = [run for run in repo.checks.values() if run.suite is one]
    done = bool(runs) and all(run.status == "completed" for run in runs)
    bad = any(run.conclusion not in ("success", "neutral", "skipped") for run in runs)
    url = f"{world.api}/repos/{repo.full_name}/check-suites/{one.id}"
    return {
        "id": one.id,
        "node_id": node_id("CS", one.id),
        "head_branch": one.head_branch,
        "head_sha": one.head_sha,
        "status": "completed" if done else ("in_progress" if runs else "queued"),
        "conclusion": ("failure" if bad else "success") if done else None,
        "url": url,
        "before": None,
        "after": one.head_sha,
        "pull_requests": pulls_at(world, repo, one.head_sha),
        "app": app(world, one.app),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{url}/check-runs",
    }


def check_run(world: World, repo: Repository, one: CheckRun) -> Json:
    """A check run."""
    url = f"{world.api}/repos/{repo.full_name}/check-runs/{one.id}"
    html = f"{world.base_url}/{repo.full_name}/runs/{one.id}"
    return {
        "id": one.id,
        "name": one.name,
        "node_id": node_id("CR", one.id),
        "head_sha": one.head_sha,
        "external_id": one.external_id,
        "url": url,
        "html_url": html,
        "details_url": one.details_url or html,
        "status": one.status,
        "conclusion": one.conclusion,
        "started_at": iso(one.started_at),
        "completed_at": iso(one.completed_at),
        "output": {
            "title": one.title,
            "summary": one.summary,
            "text": one.text,
            "annotations_count": len(one.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": one.suite.id},
        "app": app(world, one.suite.app),
        "pull_requests": pulls_at(world, repo, one.head_sha),
    }


def hooked_check_run(world: World, repo: Repository, one: CheckRun) -> Json:
    """A check run as webhooks show it: with its whole suite and its buttons' count."""
    suite = check_suite(world, repo, one.suite)
    return check_run(world, repo, one) | {"check_suite": suite}


def simple_status(world: World, repo: Repository, one: CommitStatus) -> Json:
    """A commit status as the combined status shows it."""
    return {
        "url": f"{world.api}/repos/{repo.full_name}/statuses/{one.sha}",
        "avatar_url": f"{world.base_url}/avatars/{one.creator.id}",
        "id": one.id,
        "node_id": node_id("SC", one.id),
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
    }


def status(world: World, repo: Repository, one: CommitStatus) -> Json:
    """A commit status."""
    return simple_status(world, repo, one) | {"creator": user(world, one.creator)}
