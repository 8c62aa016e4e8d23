"""Check runs, check suites and commit statuses."""

from bot.localhub import events, merging, pulling, shapes_checks
from bot.localhub.errors import forbidden, invalid, not_found, unprocessable
from bot.localhub.gitrepo import resolve
from bot.localhub.moments import instant
from bot.localhub.state_apps import App
from bot.localhub.state_runs import CheckRun, CheckSuite, CommitStatus
from bot.localhub.types import Json
from bot.localhub.wire import EMPTY, Answer, Call, created, limited, one_of

OUTPUT_LIMIT = 65_535
MAX_ANNOTATIONS = 50  #: a request
MAX_ACTIONS = 3
ACTION_LIMITS = {"label": 20, "description": 40, "identifier": 20}
STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
CONCLUSIONS = (
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "stale",
    "timed_out",
)


async def create(call: Call) -> Answer:
    """A check run of the calling App on a commit."""
    app = call.actor.app
    if app is None:
        raise forbidden("You must authenticate via a GitHub App.")
    name, head = call.text("name", "CheckRun"), call.text("head_sha", "CheckRun")
    sha = await resolve(call.repo.path, head)
    if sha is None:
        raise unprocessable(f"No commit found for SHA: {head}")
    checked = _checked(call)
    one = CheckRun(
        id=call.world.new_id(),
        suite=_suite(call, app, sha),
        name=name,
        status="queued",
        created_at=call.world.now(),
        started_at=call.world.now(),
    )
    call.repo.checks[one.id] = one
    _apply(call, one, checked)
    events.check_run(call.world, call.repo, one, call.who, "created")
    await _completed(call, one, was_completed=False)
    return created(shapes_checks.check_run(call.world, call.repo, one))


def _suite(call: Call, app: App, sha: str) -> CheckSuite:
    for suite in call.repo.suites:
        if suite.app is app and suite.head_sha == sha:
            return suite
    branch = next(
        (
            one.pull.head_ref
            for one in call.repo.issues.values()
            if one.pull and one.pull.head_sha == sha
        ),
        None,
    )
    suite = CheckSuite(
        id=call.world.new_id(),
        app=app,
        head_sha=sha,
        head_branch=branch,
        created_at=call.world.now(),
    )
    call.repo.suites.append(suite)
    return suite


def _checked(call: Call) -> Json:
    """The body's fields, within GitHub's limits. Raises 422."""
    body = call.body
    if "status" in body:
        one_of(str(body["status"]), STATUSES, "status")
    if body.get("conclusion") is not None:
        one_of(str(body["conclusion"]), CONCLUSIONS, "conclusion")
    if body.get("status") == "completed" and body.get("conclusion") is None:
        raise unprocessable('Invalid request.\n\n"conclusion" wasn\'t supplied.')
    output = body.get("output") or {}
    if output:
        _check_output(output)
    actions = body.get("actions") or []
    _at_most(MAX_ACTIONS, actions)
    for action in actions:
        for field, limit in ACTION_LIMITS.items():
            if not action.get(field):
                raise invalid("CheckRun", f"actions.{field}", "missing_field")
            limited(str(action[field]), f"actions.{field}", "CheckRun", limit)
    return body


def _check_output(output: Json) -> None:
    for field in ("summary",):
        if not isinstance(output.get(field), str):
            raise invalid("CheckRun", f"output.{field}", "missing_field")
    for field in ("summary", "text"):
        limited(str(output.get(field) or ""), field, "CheckRun", OUTPUT_LIMIT)
    annotations = output.get("annotations") or []
    _at_most(MAX_ANNOTATIONS, annotations)
    for each in annotations:
        for field in ("path", "start_line", "end_line", "annotation_level", "message"):
            if each.get(field) is None:
                raise invalid("CheckRun", f"annotations.{field}", "missing_field")
        one_of(str(each["annotation_level"]), ("notice", "warning", "failure"), "annotation_level")


def _at_most(limit: int, items: list[Json]) -> None:
    if len(items) > limit:
        raise unprocessable(
            f"Invalid request.\n\nNo more than {limit} items are allowed; "
            f"{len(items)} were supplied."
        )


def _apply(call: Call, one: CheckRun, body: Json) -> None:
    one.name = body.get("name") or one.name
    one.details_url = body.get("details_url") or one.details_url
    one.external_id = body.get("external_id") or one.external_id
    if body.get("started_at"):
        one.started_at = instant(str(body["started_at"]))
    _apply_state(call, one, body)
    output = body.get("output") or {}
    for field in ("title", "summary", "text"):
        if field in output:
            setattr(one, field, output[field])
    one.annotations += [_annotation(each) for each in output.get("annotations") or []]
    if "actions" in body:
        one.actions = list(body["actions"])


def _apply_state(call: Call, one: CheckRun, body: Json) -> None:
    if body.get("conclusion"):
        one.status, one.conclusion = "completed", body["conclusion"]
        at = body.get("completed_at")
        one.completed_at = instant(str(at)) if at else call.world.now()
    elif body.get("status"):
        one.status, one.conclusion, one.completed_at = body["status"], None, None


def _annotation(given: Json) -> Json:
    return {
        "path": given["path"],
        "start_line": given["start_line"],
        "end_line": given["end_line"],
        "start_column": given.get("start_column"),
        "end_column": given.get("end_column"),
        "annotation_level": given["annotation_level"],
        "title": given.get("title"),
        "message": given["message"],
        "raw_details": given.get("raw_details"),
    }


async def _completed(call: Call, one: CheckRun, *, was_completed: bool) -> None:
    if one.status != "completed" or was_completed:
        return
    events.check_run(call.world, call.repo, one, call.who, "completed")
    runs = [run for run in call.repo.checks.values() if run.suite is one.suite]
    if all(run.status == "completed" for run in runs):
        events.check_suite(call.world, call.repo, one.suite, call.who, "completed")
    await merging.try_queue(call.world, call.repo)


def _find(call: Call) -> CheckRun:
    return call.seen(call.repo.checks.get(call.number("check_run_id")))


async def get(call: Call) -> Answer:
    return Answer(json=shapes_checks.check_run(call.world, call.repo, _find(call)))


async def update(call: Call) -> Answer:
    """Change a check run; annotations are added to those that are there."""
    one = call.repo.checks.get(call.number("check_run_id"))
    if one is None:
        raise not_found()
    if one.suite.app is not call.actor.app:
        raise forbidden("Check runs can only be modified by the GitHub App that created them.")
    was_completed = one.status == "completed"
    _apply(call, one, _checked(call))
    await _completed(call, one, was_completed=was_completed)
    return Answer(json=shapes_checks.check_run(call.world, call.repo, one))


async def annotations(call: Call) -> Answer:
    one = _find(call)
    base = f"{call.world.base_url}/{call.repo.full_name}/blob/{one.head_sha}"
    return call.page(one.annotations, lambda each: each | {"blob_href": f"{base}/{each['path']}"})


async def for_ref(call: Call) -> Answer:
    """The check runs of a commit: the newest of each name unless ``filter=all``."""
    sha = await resolve(call.repo.path, call.params["ref"])
    if sha is None:
        raise unprocessable(f"No commit found for SHA: {call.params['ref']}")
    everything = [one for one in call.repo.checks.values() if one.head_sha == sha]
    rows = (
        everything if call.query.get("filter") == "all" else pulling.latest_checks(call.repo, sha)
    )
    rows = [one for one in call.visible(rows) if _matches(call, one)]
    return call.page_in(
        "check_runs", rows, lambda one: shapes_checks.check_run(call.world, call.repo, one)
    )


def _matches(call: Call, one: CheckRun) -> bool:
    return (
        call.query.get("check_name", one.name) == one.name
        and call.query.get("status", one.status) == one.status
        and call.query.get("app_id", str(one.suite.app.id)) == str(one.suite.app.id)
    )


async def suites_for_ref(call: Call) -> Answer:
    sha = await resolve(call.repo.path, call.params["ref"])
    rows = [one for one in call.repo.suites if one.head_sha == sha]
    return call.page_in(
        "check_suites", rows, lambda one: shapes_checks.check_suite(call.world, call.repo, one)
    )


async def rerequest(call: Call) -> Answer:
    """A person asks for a check again: its App hears of it, the check stays as it is."""
    one = _find(call)
    events.check_run(call.world, call.repo, one, call.who, "rerequested")
    return created({})


async def press(call: Call) -> Answer:
    """A person presses a button of a completed check.

    GitHub has no API for this, only the page: this route belongs to the hub alone.
    """
    one = _find(call)
    identifier = call.text("identifier", "CheckRun")
    shown = one.status == "completed" and any(a["identifier"] == identifier for a in one.actions)
    if not shown:
        raise unprocessable(f"The check shows no button {identifier!r}")
    events.check_run(call.world, call.repo, one, call.who, "requested_action", button=identifier)
    return EMPTY


async def create_status(call: Call) -> Answer:
    sha = await resolve(call.repo.path, call.params["sha"])
    if sha is None:
        raise unprocessable(f"No commit found for SHA: {call.params['sha']}")
    one = CommitStatus(
        id=call.world.new_id(),
        sha=sha,
        state=one_of(
            call.text("state", "Status"), ("error", "failure", "pending", "success"), "state"
        ),
        context=call.optional("context", "Status") or "default",
        description=call.optional("description", "Status", limit=140),
        target_url=call.optional("target_url", "Status"),
        creator=call.who,
        created_at=call.world.now(),
    )
    call.repo.statuses.append(one)
    shape = shapes_checks.status(call.world, call.repo, one)
    about = {"sha": sha, "name": call.repo.full_name, "branches": []}
    events.tell(call.world, call.repo, call.who, "status", payload=shape | about)
    await merging.try_queue(call.world, call.repo)
    return created(shape)


async def statuses(call: Call) -> Answer:
    sha = await resolve(call.repo.path, call.params["ref"])
    rows = [one for one in reversed(call.repo.statuses) if one.sha == sha]
    return call.page(rows, lambda one: shapes_checks.status(call.world, call.repo, one))


async def combined(call: Call) -> Answer:
    """The newest status of each context, and what they make together."""
    sha = await resolve(call.repo.path, call.params["ref"])
    if sha is None:
        raise unprocessable(f"No commit found for SHA: {call.params['ref']}")
    newest = {one.context: one for one in call.repo.statuses if one.sha == sha}
    states = {one.state for one in newest.values()}
    state = (
        "failure"
        if states & {"error", "failure"}
        else "success"
        if states == {"success"}
        else "pending"
    )
    url = f"{call.world.api}/repos/{call.repo.full_name}/commits/{sha}"
    answer = call.page_in(
        "statuses",
        list(newest.values()),
        lambda one: shapes_checks.simple_status(call.world, call.repo, one),
    )
    from_page: Json = answer.json
    brief = {"id": call.repo.id, "name": call.repo.name, "full_name": call.repo.full_name}
    about = {
        "state": state,
        "sha": sha,
        "repository": brief,
        "commit_url": url,
        "url": f"{url}/status",
    }
    return Answer(json=from_page | about, headers=answer.headers)
