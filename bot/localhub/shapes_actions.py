"""Workflows, runs, jobs, environments and deployments as GitHub's JSON."""

from bot.localhub.moments import iso, stamp
from bot.localhub.shapes import app, repository, user
from bot.localhub.shapes_code import pulls_at
from bot.localhub.state import Repository
from bot.localhub.state_runs import (
    Deployment,
    DeploymentStatus,
    Environment,
    Gate,
    Job,
    Run,
    Workflow,
)
from bot.localhub.types import Json
from bot.localhub.world import World, node_id


def _base(world: World, repo: Repository) -> str:
    return f"{world.api}/repos/{repo.full_name}"


def workflow(world: World, repo: Repository, one: Workflow) -> Json:
    """A workflow file."""
    html = f"{world.base_url}/{repo.full_name}"
    return {
        "id": one.id,
        "node_id": node_id("W", one.id),
        "name": one.name,
        "path": one.path,
        "state": one.state,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "url": f"{_base(world, repo)}/actions/workflows/{one.id}",
        "html_url": f"{html}/blob/{repo.default_branch}/{one.path}",
        "badge_url": f"{html}/workflows/{one.name}/badge.svg",
    }


def run(world: World, repo: Repository, one: Run) -> Json:
    """A run of a workflow."""
    base = _base(world, repo)
    url = f"{base}/actions/runs/{one.id}"
    actor = user(world, one.actor)
    return {
        "id": one.id,
        "name": one.workflow.name,
        "node_id": node_id("WFR", one.id),
        "head_branch": one.head_branch,
        "head_sha": one.head_sha,
        "path": one.workflow.path,
        "display_title": one.display_title,
        "run_number": one.number,
        "event": one.event,
        "status": one.status,
        "conclusion": one.conclusion,
        "workflow_id": one.workflow.id,
        "check_suite_id": one.suite.id,
        "check_suite_node_id": node_id("CS", one.suite.id),
        "url": url,
        "html_url": f"{world.base_url}/{repo.full_name}/actions/runs/{one.id}",
        "pull_requests": pulls_at(world, repo, one.head_sha),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "actor": actor,
        "triggering_actor": actor,
        "run_attempt": one.attempt,
        "referenced_workflows": [],
        "run_started_at": stamp(one.started_at or one.created_at),
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": f"{base}/check-suites/{one.suite.id}",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": None,
        "workflow_url": f"{base}/actions/workflows/{one.workflow.id}",
        "head_commit": {
            "id": one.head_sha,
            "tree_id": one.head_sha,
            "message": one.display_title,
            "timestamp": stamp(one.created_at),
            "author": {"name": one.actor.login, "email": f"{one.actor.login}@localhub.test"},
            "committer": {"name": one.actor.login, "email": f"{one.actor.login}@localhub.test"},
        },
        "repository": repository(world, repo),
        "head_repository": repository(world, repo),
    }


def job(world: World, repo: Repository, of: Run, one: Job) -> Json:
    """A job of a run."""
    base = _base(world, repo)
    started = stamp(one.started_at or one.created_at)
    return {
        "id": one.id,
        "run_id": of.id,
        "workflow_name": of.workflow.name,
        "head_branch": of.head_branch,
        "run_url": f"{base}/actions/runs/{of.id}",
        "run_attempt": of.attempt,
        "node_id": node_id("CR", one.id),
        "head_sha": of.head_sha,
        "url": f"{base}/actions/jobs/{one.id}",
        "html_url": f"{world.base_url}/{repo.full_name}/actions/runs/{of.id}/job/{one.id}",
        "status": one.status,
        "conclusion": one.conclusion,
        "created_at": stamp(one.created_at),
        "started_at": started,
        "completed_at": iso(one.completed_at),
        "name": one.name,
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "conclusion": step.conclusion,
                "number": step.number,
                "started_at": iso(step.started_at),
                "completed_at": iso(step.completed_at),
            }
            for step in one.steps
        ],
        "check_run_url": f"{base}/check-runs/{one.id}",
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "localhub act",
        "runner_group_id": 1,
        "runner_group_name": "Default",
    }


def deployment(world: World, repo: Repository, one: Deployment) -> Json:
    """A deployment."""
    url = f"{_base(world, repo)}/deployments/{one.id}"
    return {
        "url": url,
        "id": one.id,
        "node_id": node_id("DE", one.id),
        "sha": one.sha,
        "ref": one.ref,
        "task": one.task,
        "payload": one.payload,
        "original_environment": one.original_environment,
        "environment": one.environment,
        "description": one.description,
        "creator": user(world, one.creator),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "statuses_url": f"{url}/statuses",
        "repository_url": _base(world, repo),
        "transient_environment": one.transient,
        "production_environment": one.production,
        "performed_via_github_app": app(world, one.app) if one.app else None,
    }


def deployment_status(
    world: World, repo: Repository, of: Deployment, one: DeploymentStatus
) -> Json:
    """A state of a deployment."""
    url = f"{_base(world, repo)}/deployments/{of.id}"
    return {
        "url": f"{url}/statuses/{one.id}",
        "id": one.id,
        "node_id": node_id("DES", one.id),
        "state": one.state,
        "creator": user(world, one.creator),
        "description": one.description,
        "environment": of.environment,
        "target_url": one.log_url,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "deployment_url": url,
        "repository_url": _base(world, repo),
        "environment_url": one.environment_url,
        "log_url": one.log_url,
        "performed_via_github_app": app(world, one.app) if one.app else None,
    }


def environment(world: World, repo: Repository, one: Environment) -> Json:
    """An environment with its protection rules."""
    rules: list[Json] = []
    if one.reviewers:
        rules.append(
            {
                "id": one.id + 1,
                "node_id": node_id("GA", one.id + 1),
                "type": "required_reviewers",
                "prevent_self_review": one.prevent_self_review,
                "reviewers": _reviewers(world, one),
            }
        )
    return {
        **environment_brief(world, repo, one),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "protection_rules": rules,
        "deployment_branch_policy": None,
    }


def environment_brief(world: World, repo: Repository, one: Environment) -> Json:
    """An environment as it stands inside pending deployments and approvals."""
    return {
        "id": one.id,
        "node_id": node_id("EN", one.id),
        "name": one.name,
        "url": f"{_base(world, repo)}/environments/{one.name}",
        "html_url": f"{world.base_url}/{repo.full_name}/deployments/{one.name}",
    }


def _reviewers(world: World, one: Environment) -> list[Json]:
    return [{"type": "User", "reviewer": user(world, each)} for each in one.reviewers]


def pending(world: World, repo: Repository, one: Gate, may_approve: bool) -> Json:
    """A protected environment that a run waits for."""
    return {
        "environment": environment_brief(world, repo, one.environment),
        "wait_timer": 0,
        "wait_timer_started_at": stamp(one.since),
        "current_user_can_approve": may_approve,
        "reviewers": _reviewers(world, one.environment),
    }


def approval(world: World, repo: Repository, one: Gate) -> Json:
    """What a person said about a protected environment."""
    made = {"created_at": stamp(one.since), "updated_at": stamp(one.since)}
    return {
        "environments": [environment_brief(world, repo, one.environment) | made],
        "state": one.decision or "pending",
        "user": user(world, one.by) if one.by else None,
        "comment": one.comment,
    }
