"""Webhooks made from state: who hears of a change, and what the delivery holds.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from bot.localhub import shapes, shapes_actions, shapes_apps, shapes_checks, shapes_code
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account, App, Installation
from bot.localhub.state_issues import Comment, Issue, Pull, Review, ReviewComment, Thread
from bot.localhub.state_runs import CheckRun, CheckSuite, Deployment, DeploymentStatus, Job, Run
from bot.localhub.types import Json
from bot.localhub.world import World, node_id

#: Which permission lets an App subscribe to an event; any one of several is enough.
EVENT_PERMISSION: dict[str, tuple[str, ...]] = {
    "check_run": ("checks",),
    "check_suite": ("checks",),
    "create": ("contents",),
    "delete": ("contents",),
    "deployment": ("deployments",),
    "deployment_protection_rule": ("actions", "deployments"),
    "deployment_status": ("deployments",),
    "issue_comment": ("issues", "pull_requests"),
    "issue_dependencies": ("issues",),
    "issues": ("issues",),
    "merge_group": ("merge_queues",),
    "pull_request": ("pull_requests",),
    "pull_request_review": ("pull_requests",),
    "pull_request_review_comment": ("pull_requests",),
    "pull_request_review_thread": ("pull_requests",),
    "push": ("contents",),
    "repository": ("metadata",),
    "status": ("statuses",),
    "workflow_job": ("actions",),
    "workflow_run": ("actions",),
}


def tell(
    world: World,
    repo: Repository,
    sender: Account,
    event: str,
    *,
    payload: Json,
    only: App | None = None,
) -> None:
    """Deliver to every installation that covers the repository, subscribed and is permitted."""
    heard_by = [each for each in world.covering(repo, only) if hears(each, event)]
    if not heard_by:
        return
    common: Json = {
        "repository": shapes.repository(world, repo),
        "sender": shapes.user(world, sender),
    }
    if repo.owner.kind == "Organization":
        common["organization"] = shapes.organization(world, repo.owner)
    for installation in heard_by:
        brief = {"id": installation.id, "node_id": node_id("MDI", installation.id)}
        world.deliver(
            installation.app,
            event,
            payload | common | {"installation": brief},
            installation=installation,
            repo=repo,
        )


def hears(installation: Installation, event: str) -> bool:
    """Whether an installation is subscribed to an event that its permissions allow.

    Check events with buttons and requests go to Apps that write checks without a subscription.
    """
    implied = event in ("check_run", "check_suite") and (
        installation.permissions.get("checks") == "write"
    )
    if event not in installation.events and not implied:
        return False
    return any(key in installation.permissions for key in EVENT_PERMISSION[event])


def installation(
    world: World, one: Installation, sender: Account, event: str, action: str, extra: Json
) -> None:
    """installation and installation_repositories: every App hears of its own."""
    payload: Json = {
        "action": action,
        "installation": shapes_apps.installation(world, one),
        "sender": shapes.user(world, sender),
        "requester": None,
        **extra,
    }
    world.deliver(one.app, event, payload, installation=one)


def issues(
    world: World, repo: Repository, one: Issue, sender: Account, action: str, **extra: object
) -> None:
    """issues.*, or pull_request.* where the issue is a pull request."""
    if one.pull:
        pull_request(world, repo, one, sender, action, **extra)
        return
    payload = {"action": action, "issue": shapes.issue(world, repo, one), **extra}
    tell(world, repo, sender, "issues", payload=payload)


def dependency(
    world: World,
    blocked: tuple[Repository, Issue],
    blocking: tuple[Repository, Issue],
    sender: Account,
    how: str,
) -> None:
    """issue_dependencies: each of the two repositories is told in its own words."""
    payload: Json = {
        "blocked_issue_id": blocked[1].id,
        "blocked_issue": shapes.issue(world, *blocked),
        "blocking_issue_id": blocking[1].id,
        "blocking_issue": shapes.issue(world, *blocking),
    }
    there = {"blocking_issue_repo": shapes.repository(world, blocking[0])}
    told = payload | there | {"action": f"blocked_by_{how}"}
    tell(world, blocked[0], sender, "issue_dependencies", payload=told)
    here = {"blocked_issue_repo": shapes.repository(world, blocked[0])}
    told = payload | here | {"action": f"blocking_{how}"}
    tell(world, blocking[0], sender, "issue_dependencies", payload=told)


def issue_comment(
    world: World,
    repo: Repository,
    on: Issue,
    one: Comment,
    sender: Account,
    *,
    action: str,
    **extra: object,
) -> None:
    """issue_comment.created, edited, deleted."""
    payload = {
        "action": action,
        "issue": shapes.issue(world, repo, on),
        "comment": shapes.comment(world, repo, on, one),
        **extra,
    }
    tell(world, repo, sender, "issue_comment", payload=payload)


def pull_request(
    world: World, repo: Repository, one: Issue, sender: Account, action: str, **extra: object
) -> None:
    """pull_request.*"""
    payload = {
        "action": action,
        "number": one.number,
        "pull_request": shapes_code.full_pull(world, repo, one, part_of(one), "unknown"),
        **extra,
    }
    tell(world, repo, sender, "pull_request", payload=payload)


def part_of(one: Issue) -> Pull:
    """The pull request's part; events about pull requests come only from those."""
    assert one.pull is not None
    return one.pull


def review(
    world: World, repo: Repository, on: Issue, one: Review, sender: Account, *, action: str
) -> None:
    """pull_request_review.submitted, dismissed. The state is in lower case here."""
    shape = shapes_code.review(world, repo, on, one)
    payload = {
        "action": action,
        "review": shape | {"state": one.state.lower()},
        "pull_request": shapes_code.pull(world, repo, on, part_of(on)),
    }
    tell(world, repo, sender, "pull_request_review", payload=payload)


def review_comment(
    world: World, repo: Repository, on: Issue, one: ReviewComment, sender: Account, *, action: str
) -> None:
    """pull_request_review_comment.created, edited, deleted."""
    payload = {
        "action": action,
        "comment": shapes_code.review_comment(world, repo, on, one),
        "pull_request": shapes_code.pull(world, repo, on, part_of(on)),
    }
    tell(world, repo, sender, "pull_request_review_comment", payload=payload)


def review_thread(
    world: World, repo: Repository, on: Issue, one: Thread, sender: Account, *, action: str
) -> None:
    """pull_request_review_thread.resolved, unresolved."""
    payload = {
        "action": action,
        "thread": {
            "node_id": node_id("PRRT", one.id),
            "comments": [
                shapes_code.review_comment(world, repo, on, each) for each in one.comments
            ],
        },
        "pull_request": shapes_code.pull(world, repo, on, part_of(on)),
    }
    tell(world, repo, sender, "pull_request_review_thread", payload=payload)


def check_run(
    world: World,
    repo: Repository,
    one: CheckRun,
    sender: Account,
    action: str,
    *,
    button: str | None = None,
) -> None:
    """check_run.*; a button and a re-run are heard only by the App that made the check."""
    payload: Json = {
        "action": action,
        "check_run": shapes_checks.hooked_check_run(world, repo, one),
    }
    if button is not None:
        payload["requested_action"] = {"identifier": button}
    only = one.suite.app if action in ("requested_action", "rerequested") else None
    tell(world, repo, sender, "check_run", payload=payload, only=only)


def check_suite(
    world: World, repo: Repository, one: CheckSuite, sender: Account, action: str
) -> None:
    """check_suite.requested and rerequested to the suite's App, completed to all."""
    payload = {"action": action, "check_suite": shapes_checks.check_suite(world, repo, one)}
    only = None if action == "completed" else one.app
    tell(world, repo, sender, "check_suite", payload=payload, only=only)


def workflow_run(world: World, repo: Repository, one: Run, action: str) -> None:
    """workflow_run.requested, in_progress, completed."""
    payload = {
        "action": action,
        "workflow_run": shapes_actions.run(world, repo, one),
        "workflow": shapes_actions.workflow(world, repo, one.workflow),
    }
    tell(world, repo, one.actor, "workflow_run", payload=payload)


def workflow_job(world: World, repo: Repository, run: Run, one: Job, action: str) -> None:
    """workflow_job.queued, waiting, in_progress, completed."""
    payload: Json = {
        "action": action,
        "workflow_job": shapes_actions.job(world, repo, run, one),
    }
    if one.deployment is not None:
        payload["deployment"] = shapes_actions.deployment(world, repo, one.deployment)
    tell(world, repo, run.actor, "workflow_job", payload=payload)


def deployment(world: World, repo: Repository, one: Deployment, run: Run | None) -> None:
    """deployment.created"""
    payload: Json = {
        "action": "created",
        "deployment": shapes_actions.deployment(world, repo, one),
        **_run_of(world, repo, run),
    }
    tell(world, repo, one.creator, "deployment", payload=payload)


def deployment_status(
    world: World, repo: Repository, of: Deployment, one: DeploymentStatus, run: Run | None
) -> None:
    """deployment_status.created"""
    payload: Json = {
        "action": "created",
        "deployment": shapes_actions.deployment(world, repo, of),
        "deployment_status": shapes_actions.deployment_status(world, repo, of, one),
        "check_run": None,
        **_run_of(world, repo, run),
    }
    tell(world, repo, one.creator, "deployment_status", payload=payload)


def _run_of(world: World, repo: Repository, run: Run | None) -> Json:
    if run is None:
        return {"workflow": None, "workflow_run": None}
    return {
        "workflow": shapes_actions.workflow(world, repo, run.workflow),
        "workflow_run": shapes_actions.run(world, repo, run),
    }


def protection_rule(world: World, repo: Repository, run: Run, of: Deployment, app: App) -> None:
    """deployment_protection_rule.requested, to the App that has to answer."""
    callback = f"repos/{repo.full_name}/actions/runs/{run.id}/deployment_protection_rule"
    payload = {
        "action": "requested",
        "environment": of.environment,
        "event": run.event,
        "deployment_callback_url": f"{world.api}/{callback}",
        "deployment": shapes_actions.deployment(world, repo, of),
        "pull_requests": [],
    }
    tell(world, repo, run.actor, "deployment_protection_rule", payload=payload, only=app)


def merge_group(
    world: World, repo: Repository, one: Issue, *, head_sha: str, head_ref: str
) -> None:
    """merge_group.checks_requested"""
    part = part_of(one)
    payload = {
        "action": "checks_requested",
        "merge_group": {
            "head_sha": head_sha,
            "head_ref": f"refs/heads/{head_ref}",
            "base_sha": part.base_sha,
            "base_ref": f"refs/heads/{part.base_ref}",
            "head_commit": {
                "id": head_sha,
                "tree_id": head_sha,
                "message": one.title,
                "timestamp": "1970-01-01T00:00:00Z",
                "author": {"name": one.user.login, "email": shapes_code.noreply(one.user)},
                "committer": {"name": one.user.login, "email": shapes_code.noreply(one.user)},
            },
        },
    }
    tell(world, repo, one.user, "merge_group", payload=payload)
