"""Deployments that somebody makes by API, and their states."""

from bot.localhub import deploying, pulling, shapes_actions
from bot.localhub.errors import Refused, not_found, unprocessable
from bot.localhub.gitrepo import resolve
from bot.localhub.state_runs import Deployment
from bot.localhub.wire import EMPTY, Answer, Call, created, one_of

STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")
DESCRIPTION_LIMIT = 140


async def create(call: Call) -> Answer:
    """A deployment; 409 where the checks that it asks for are not green."""
    ref = call.text("ref", "Deployment")
    sha = await resolve(call.repo.path, ref)
    if sha is None:
        raise unprocessable(f"No ref found for: {ref}")
    _check_contexts(call, sha)
    name = call.optional("environment", "Deployment") or "production"
    one = deploying.make(
        call.world,
        call.repo,
        sha=sha,
        ref=ref,
        environment_name=name,
        creator=call.who,
        app=call.actor.app,
        task=call.optional("task", "Deployment") or "deploy",
        payload=call.body.get("payload"),
        description=call.optional("description", "Deployment", limit=DESCRIPTION_LIMIT),
        production=call.flag("production_environment", name == "production"),
        transient=call.flag("transient_environment"),
    )
    return created(shapes_actions.deployment(call.world, call.repo, one))


def _check_contexts(call: Call, sha: str) -> None:
    """Without ``required_contexts`` everything on the commit must be green."""
    checks = pulling.latest_checks(call.repo, sha)
    green = {one.name for one in checks if one.conclusion in pulling.GREEN}
    wanted = call.body.get("required_contexts")
    missing = {one.name for one in checks} - green if wanted is None else set(wanted) - green
    if missing:
        raise Refused(409, f"Conflict: Commit status checks failed for {sha[:7]}.")


def _find(call: Call) -> Deployment:
    return call.seen(call.repo.deployments.get(call.number("deployment_id")))


async def get(call: Call) -> Answer:
    return Answer(json=shapes_actions.deployment(call.world, call.repo, _find(call)))


async def listing(call: Call) -> Answer:
    """Newest first; by sha, ref, task, environment."""
    rows = call.visible(reversed(call.repo.deployments.values()))
    for field in ("sha", "ref", "task", "environment"):
        if field in call.query:
            rows = [one for one in rows if getattr(one, field) == call.query[field]]
    return call.page(rows, lambda one: shapes_actions.deployment(call.world, call.repo, one))


async def delete(call: Call) -> Answer:
    one = _find(call)
    if one.statuses and one.statuses[-1].state not in ("inactive", "failure", "error"):
        raise unprocessable("We cannot delete an active deployment unless it is the only one")
    del call.repo.deployments[one.id]
    return EMPTY


async def create_status(call: Call) -> Answer:
    one = _find(call)
    state = one_of(call.text("state", "DeploymentStatus"), STATES, "state")
    status = deploying.say(
        call.world,
        call.repo,
        one,
        state,
        call.who,
        app=call.actor.app,
        environment_url=call.optional("environment_url", "DeploymentStatus") or "",
        log_url=call.optional("log_url", "DeploymentStatus") or "",
        description=call.optional("description", "DeploymentStatus", limit=DESCRIPTION_LIMIT) or "",
    )
    return created(shapes_actions.deployment_status(call.world, call.repo, one, status))


async def statuses(call: Call) -> Answer:
    """Newest first."""
    of = _find(call)
    rows = list(reversed(of.statuses))
    return call.page(
        rows, lambda one: shapes_actions.deployment_status(call.world, call.repo, of, one)
    )


async def status(call: Call) -> Answer:
    of = _find(call)
    for one in of.statuses:
        if one.id == call.number("status_id"):
            return Answer(json=shapes_actions.deployment_status(call.world, call.repo, of, one))
    raise not_found()
