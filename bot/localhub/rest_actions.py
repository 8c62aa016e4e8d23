"""Workflows, dispatches, runs, jobs, and the environments that runs wait for."""

import io
import zipfile

from bot.localhub import actions, deploying, shapes_actions
from bot.localhub.errors import Refused, forbidden, not_found, unprocessable
from bot.localhub.gitrepo import ref_sha
from bot.localhub.moments import instant
from bot.localhub.state import Repository
from bot.localhub.state_runs import Gate, Job, Run, Workflow
from bot.localhub.wire import Answer, Call, one_of
from bot.localhub.workflow_file import dispatch_inputs, files_at


async def _known(call: Call) -> list[Workflow]:
    """The workflows of the default branch, made known where they are new."""
    repo = call.repo
    found = await files_at(repo.path, f"refs/heads/{repo.default_branch}")
    for path, source in found.items():
        actions.know(call.world, repo, path, source)
    return [repo.workflows[path] for path in sorted(found)]


async def workflows(call: Call) -> Answer:
    rows = await _known(call)
    return call.page_in(
        "workflows", rows, lambda one: shapes_actions.workflow(call.world, call.repo, one)
    )


async def _workflow(call: Call) -> Workflow:
    """By number or by file name."""
    wanted = call.params["workflow_id"]
    for one in [*await _known(call), *call.repo.workflows.values()]:
        if wanted in (str(one.id), one.path.rpartition("/")[2], one.path):
            return one
    raise not_found()


async def workflow(call: Call) -> Answer:
    return Answer(json=shapes_actions.workflow(call.world, call.repo, await _workflow(call)))


async def dispatch(call: Call) -> Answer:
    """Start a workflow with the file of a branch or tag; never of a SHA."""
    one = await _workflow(call)
    name = call.text("ref", "WorkflowDispatch")
    ref, sha = _ref(call.repo, name)
    source = (await files_at(call.repo.path, sha)).get(one.path)
    if source is None:
        raise unprocessable(
            f"Workflow does not exist or does not have a workflow_dispatch trigger in {name}"
        )
    if one.state != "active":
        raise unprocessable("Cannot trigger a 'workflow_dispatch' on a disabled workflow")
    inputs = dispatch_inputs(source, call.body.get("inputs") or {})
    run = actions.start(
        call.world,
        call.repo,
        one,
        source,
        event="workflow_dispatch",
        ref=ref,
        sha=sha,
        actor=call.who,
        inputs=inputs,
        payload={},
    )
    if not call.flag("return_run_details"):
        return Answer(status=204)
    shape = shapes_actions.run(call.world, call.repo, run)
    about = {"workflow_run_id": run.id, "run_url": shape["url"], "html_url": shape["html_url"]}
    return Answer(json=about)


def _ref(repo: Repository, name: str) -> tuple[str, str]:
    for ref in (f"refs/heads/{name}", f"refs/tags/{name}", name):
        sha = ref_sha(repo.path, ref) if ref.startswith("refs/") else None
        if sha:
            return ref, sha
    raise unprocessable(f"No ref found for: {name}")


async def runs(call: Call) -> Answer:
    """The runs of the repository or of one workflow, newest first."""
    rows = call.visible(reversed(call.repo.runs.values()))
    if "workflow_id" in call.params:
        wanted = await _workflow(call)
        rows = [one for one in rows if one.workflow is wanted]
    rows = [one for one in rows if _matches(call, one)]
    return call.page_in(
        "workflow_runs", rows, lambda one: shapes_actions.run(call.world, call.repo, one)
    )


def _matches(call: Call, one: Run) -> bool:
    query = call.query
    return (
        query.get("event", one.event) == one.event
        and query.get("head_sha", one.head_sha) == one.head_sha
        and query.get("branch", one.head_branch) == one.head_branch
        and query.get("actor", one.actor.login) == one.actor.login
        and query.get("status", one.status) in (one.status, one.conclusion)
        and query.get("check_suite_id", str(one.suite.id)) == str(one.suite.id)
        and _was_created(one.created_at, query.get("created", ""))
    )


def _was_created(at: float, rule: str) -> bool:
    """``created=``: ``>=T``, ``>T``, ``<=T``, ``<T``, ``A..B`` or one day."""
    if not rule:
        return True
    whole = int(at)
    if ".." in rule:
        start, _, end = rule.partition("..")
        return (start == "*" or whole >= instant(start)) and (end == "*" or whole <= instant(end))
    for sign in (">=", "<=", ">", "<"):
        if rule.startswith(sign):
            then = instant(rule.removeprefix(sign))
            return {">=": whole >= then, "<=": whole <= then, ">": whole > then, "<": whole < then}[
                sign
            ]
    return instant(rule) <= whole < instant(rule) + (86_400 if len(rule) == 10 else 1)


def _run(call: Call) -> Run:
    return call.seen(call.repo.runs.get(call.number("run_id")))


async def run(call: Call) -> Answer:
    return Answer(json=shapes_actions.run(call.world, call.repo, _run(call)))


async def cancel(call: Call) -> Answer:
    one = _run(call)
    if one.status == "completed":
        raise Refused(409, "Cannot cancel a workflow run that is completed.")
    await actions.cancel(one)
    return Answer(status=202, json={})


async def delete_run(call: Call) -> Answer:
    one = _run(call)
    if one.status != "completed":
        raise forbidden("Could not delete the workflow run")
    del call.repo.runs[one.id]
    return Answer(status=204)


async def jobs(call: Call) -> Answer:
    of = _run(call)
    return call.page_in(
        "jobs", of.jobs, lambda one: shapes_actions.job(call.world, call.repo, of, one)
    )


def _job(call: Call) -> tuple[Run, Job]:
    wanted = call.number("job_id")
    for of in call.repo.runs.values():
        for one in of.jobs:
            if one.id == wanted:
                return of, one
    raise not_found()


async def job(call: Call) -> Answer:
    of, one = _job(call)
    return Answer(json=shapes_actions.job(call.world, call.repo, of, one))


async def job_logs(call: Call) -> Answer:
    """GitHub redirects to a blob store; the hub gives the text itself."""
    _, one = _job(call)
    text = "\n".join(one.log).encode("utf-8", "replace")
    return Answer(raw=text, headers={"Content-Type": "text/plain; charset=utf-8"})


async def run_logs(call: Call) -> Answer:
    """A zip with a file for each job."""
    of = _run(call)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for index, one in enumerate(of.jobs):
            archive.writestr(f"{index}_{one.key}.txt", "\n".join(one.log))
    return Answer(raw=packed.getvalue(), headers={"Content-Type": "application/zip"})


async def approvals(call: Call) -> Answer:
    rows = [gate for gate in _run(call).gates if gate.decision]
    return call.page(rows, lambda one: shapes_actions.approval(call.world, call.repo, one))


def _may_review(call: Call, of: Run, gate: Gate) -> bool:
    itself = gate.environment.prevent_self_review and of.actor is call.actor.account
    return call.actor.account in gate.environment.reviewers and not itself


async def pending_deployments(call: Call) -> Answer:
    of = _run(call)
    rows = [gate for gate in of.gates if gate.decision is None]
    return call.page(
        rows,
        lambda one: shapes_actions.pending(call.world, call.repo, one, _may_review(call, of, one)),
    )


async def review_deployments(call: Call) -> Answer:
    """A required reviewer approves or rejects the environments a run waits for."""
    of = _run(call)
    state = one_of(call.text("state", "Review"), ("approved", "rejected"), "state")
    wanted = set(call.body.get("environment_ids") or ())
    found = [g for g in of.gates if g.environment.id in wanted and g.decision is None]
    if not found:
        raise unprocessable("There are no pending deployments for these environments")
    for gate in found:
        if not _may_review(call, of, gate):
            raise forbidden("You are not a required reviewer of this environment.")
        gate.comment, gate.by = call.optional("comment", "Review") or "", call.who
        gate.decision = state if state == "rejected" or not gate.awaits else None
    shapes = [shapes_actions.deployment(call.world, call.repo, g.deployment) for g in found]
    return Answer(json=shapes)


async def answer_protection(call: Call) -> Answer:
    """An App answers the protection rule that it was asked for."""
    of, app = _run(call), call.actor.app
    name = call.text("environment_name", "DeploymentProtectionRule")
    state = one_of(
        call.text("state", "DeploymentProtectionRule"), ("approved", "rejected"), "state"
    )
    gate = next((g for g in of.gates if g.environment.name == name and g.decision is None), None)
    if gate is None or app is None or app.slug not in gate.awaits:
        raise unprocessable("No pending deployment protection rule for this App")
    gate.comment = call.optional("comment", "DeploymentProtectionRule") or ""
    gate.awaits.discard(app.slug)
    if state == "rejected":
        gate.decision, gate.by = state, call.who
    elif not gate.awaits and (gate.by is not None or not gate.environment.reviewers):
        gate.decision, gate.by = state, gate.by or call.who
    return Answer(status=204)


async def environments(call: Call) -> Answer:
    rows = list(call.repo.environments.values())
    return call.page_in(
        "environments", rows, lambda one: shapes_actions.environment(call.world, call.repo, one)
    )


async def environment(call: Call) -> Answer:
    one = call.repo.environments.get(call.params["environment_name"])
    if one is None:
        raise not_found()
    return Answer(json=shapes_actions.environment(call.world, call.repo, one))


async def set_environment(call: Call) -> Answer:
    """Make an environment; its protection is set through the Python side of the hub."""
    one = deploying.environment(call.world, call.repo, call.params["environment_name"])
    return Answer(json=shapes_actions.environment(call.world, call.repo, one))
