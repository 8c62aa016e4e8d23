"""Issues, their labels and their history."""

from bot.localhub import events, issuing, shapes
from bot.localhub.errors import Refused, forbidden, invalid, not_found
from bot.localhub.issuing import close, open_issue, put_label, record, reopen, take_label
from bot.localhub.state_issues import Issue, Label, Reaction
from bot.localhub.types import Json
from bot.localhub.wire import EMPTY, Answer, Call, created, one_of

TITLE_LIMIT = 256


def issue_of(call: Call) -> Issue:
    """The issue that the path names. Raises 404, 410."""
    return call.seen(call.world.issue(call.repo, call.number("issue_number")))


def _shape(call: Call, one: Issue) -> Json:
    return shapes.full_issue(call.world, call.repo, one)


async def create(call: Call) -> Answer:
    """Open an issue; who has no triage rights opens it without labels, as on GitHub."""
    title = call.text("title", "Issue", limit=TITLE_LIMIT)
    body = call.optional("body", "Issue")
    one = open_issue(call.world, call.repo, call.actor, call.who, title=title, body=body)
    labels = _labels(call) if _may_label(call) else []
    one.labels = [call.world.label(call.repo, name) for name in labels]
    events.issues(call.world, call.repo, one, call.who, "opened")
    for label in one.labels:
        brief = {"name": label.name, "color": label.color}
        record(call.world, one, "labeled", call.who, label=brief)
        shape = shapes.label(call.world, call.repo, label)
        events.issues(call.world, call.repo, one, call.who, "labeled", label=shape)
    return created(_shape(call, one))


def _may_label(call: Call) -> bool:
    return call.actor.scoped or call.world.may(call.repo, call.who, "triage")


def _labels(call: Call) -> list[str]:
    names = call.body.get("labels", [])
    if not isinstance(names, list):
        raise invalid("Issue", "labels", "invalid")
    return [_label_name(name) for name in names]


def _label_name(entry: object) -> str:
    name = entry.get("name") if isinstance(entry, dict) else entry
    if not isinstance(name, str) or not name.strip() or len(name) > 50:
        raise invalid("Label", "name", "invalid")
    return name


async def get(call: Call) -> Answer:
    one = call.world.issue_itself(call.repo, call.number("issue_number"))
    return Answer(json=_shape(call, call.seen(one)))


async def update(call: Call) -> Answer:
    """Change title, body, state, labels or assignees; each change is an event of its own."""
    one = call.world.issue_itself(call.repo, call.number("issue_number"))
    if one.user is not call.who and not _may_label(call):
        raise forbidden("Must have triage rights to Repository.")
    _edit_texts(call, one)
    if "labels" in call.body:
        replace_labels(call, one, _labels(call))
    if "state" in call.body:
        change_state(call, one)
    return Answer(json=_shape(call, one))


def _edit_texts(call: Call, one: Issue) -> None:
    changes: Json = {}
    if "title" in call.body:
        title = call.text("title", "Issue", limit=TITLE_LIMIT)
        if title != one.title:
            changes["title"] = {"from": one.title}
            record(call.world, one, "renamed", call.who, rename={"from": one.title, "to": title})
            one.title = title
    if "body" in call.body:
        body = call.optional("body", "Issue")
        if body != one.body:
            changes["body"] = {"from": one.body or ""}
            one.body, one.edited_at = body, call.world.now()
    if changes:
        one.updated_at = call.world.now()
        events.issues(call.world, call.repo, one, call.who, "edited", changes=changes)


def change_state(call: Call, one: Issue) -> None:
    """Close or reopen as the body's ``state`` asks."""
    wanted = one_of(str(call.body["state"]), ("open", "closed"), "state")
    if wanted == one.state:
        return
    if wanted == "closed":
        close(call.world, call.repo, one, call.who, call.optional("state_reason", "Issue"))
    elif one.pull and one.pull.merged_at is not None:
        raise invalid(
            "PullRequest", "state", "custom", "state cannot be changed. The pull request is merged."
        )
    else:
        reopen(call.world, call.repo, one, call.who)


async def listing(call: Call) -> Answer:
    """Issues and pull requests, newest first; by state, labels, since, creator."""
    rows = [one for one in call.repo.issues.values() if not one.deleted and not one.moved_to]
    start = call.since() or 0.0
    rows = [one for one in call.visible(rows) if one.updated_at >= start and _matches(call, one)]
    key = "updated_at" if call.query.get("sort") == "updated" else "created_at"
    newest_first = call.query.get("direction", "desc") == "desc"
    rows.sort(key=lambda one: (getattr(one, key), one.number), reverse=newest_first)
    return call.page(rows, lambda one: shapes.issue(call.world, call.repo, one))


def _matches(call: Call, one: Issue) -> bool:
    query = call.query
    wanted = {name.lower() for name in query.get("labels", "").split(",") if name}
    held = {label.name.lower() for label in one.labels}
    return (
        query.get("state", "open") in ("all", one.state)
        and wanted <= held
        and query.get("creator", one.user.login).lower() == one.user.login.lower()
    )


async def lock(call: Call) -> Answer:
    one = issue_of(call)
    one.locked, one.lock_reason = True, call.optional("lock_reason", "Issue")
    record(call.world, one, "locked", call.who, lock_reason=one.lock_reason)
    events.issues(call.world, call.repo, one, call.who, "locked")
    return EMPTY


async def unlock(call: Call) -> Answer:
    one = issue_of(call)
    one.locked, one.lock_reason = False, None
    record(call.world, one, "unlocked", call.who)
    events.issues(call.world, call.repo, one, call.who, "unlocked")
    return EMPTY


async def history(call: Call) -> Answer:
    """The issue's events, oldest first."""
    rows = call.visible(issue_of(call).events)
    return call.page(rows, lambda one: shapes.issue_event(call.world, call.repo, one))


async def timeline(call: Call) -> Answer:
    """Events and comments in one line, oldest first."""
    on = issue_of(call)
    lines = [(one.created_at, shapes.issue_event(call.world, call.repo, one)) for one in on.events]
    for one in on.comments:
        shape = shapes.comment(call.world, call.repo, on, one)
        lines.append((one.created_at, shape | {"event": "commented", "actor": shape["user"]}))
    return call.page([shape for _, shape in sorted(lines, key=lambda line: line[0])], dict)


async def repository_labels(call: Call) -> Answer:
    rows = list(call.repo.labels.values())
    return call.page(rows, lambda one: shapes.label(call.world, call.repo, one))


async def get_label(call: Call) -> Answer:
    found = call.repo.labels.get(call.params["name"].lower())
    if found is None:
        raise not_found()
    return Answer(json=shapes.label(call.world, call.repo, found))


async def create_label(call: Call) -> Answer:
    name = _label_name(call.text("name", "Label"))
    if name.lower() in call.repo.labels:
        raise invalid("Label", "name", "already_exists")
    made = call.world.label(call.repo, name)
    _paint(call, made)
    return created(shapes.label(call.world, call.repo, made))


async def update_label(call: Call) -> Answer:
    found = call.repo.labels.pop(call.params["name"].lower(), None)
    if found is None:
        raise not_found()
    found.name = _label_name(call.body.get("new_name", found.name))
    call.repo.labels[found.name.lower()] = found
    _paint(call, found)
    return Answer(json=shapes.label(call.world, call.repo, found))


def _paint(call: Call, one: Label) -> None:
    color = call.optional("color", "Label")
    if color is not None:
        if len(color) != 6 or any(c not in "0123456789abcdefABCDEF" for c in color):
            raise invalid("Label", "color", "invalid")
        one.color = color.lower()
    description = call.optional("description", "Label", limit=100)
    one.description = description if description is not None else one.description


async def issue_labels(call: Call) -> Answer:
    rows = issue_of(call).labels
    return call.page(rows, lambda one: shapes.label(call.world, call.repo, one))


async def add_labels(call: Call) -> Answer:
    one = issue_of(call)
    for name in _labels(call):
        put_label(call.world, call.repo, one, call.world.label(call.repo, name), call.who)
    return _label_list(call, one)


async def set_labels(call: Call) -> Answer:
    one = issue_of(call)
    replace_labels(call, one, _labels(call))
    return _label_list(call, one)


def replace_labels(call: Call, one: Issue, names: list[str]) -> None:
    """Exactly these labels."""
    wanted = [call.world.label(call.repo, name) for name in names]
    for label in [each for each in one.labels if each not in wanted]:
        take_label(call.world, call.repo, one, label, call.who)
    for label in wanted:
        put_label(call.world, call.repo, one, label, call.who)


async def remove_label(call: Call) -> Answer:
    one = issue_of(call)
    label = call.repo.labels.get(call.params["name"].lower())
    if label is None or label not in one.labels:
        raise Refused(404, "Label does not exist")
    take_label(call.world, call.repo, one, label, call.who)
    return _label_list(call, one)


def _label_list(call: Call, one: Issue) -> Answer:
    return Answer(json=[shapes.label(call.world, call.repo, each) for each in one.labels])


async def reactions(call: Call) -> Answer:
    rows = issue_of(call).reactions
    return call.page(rows, lambda one: shapes.reaction(call.world, one))


async def react(call: Call) -> Answer:
    return reacted(call, issue_of(call).reactions)


def reacted(call: Call, given: list[Reaction]) -> Answer:
    """201 for a new reaction, 200 for one that was there."""
    one, is_new = issuing.react(call.world, given, call.who, call.body.get("content"))
    return Answer(status=201 if is_new else 200, json=shapes.reaction(call.world, one))


async def unreact(call: Call) -> Answer:
    return unreacted(call, issue_of(call).reactions)


def unreacted(call: Call, given: list[Reaction]) -> Answer:
    """Take a reaction away; only one's own, unless one may write."""
    wanted = call.number("reaction_id")
    found = next((one for one in given if one.id == wanted), None)
    if found is None:
        raise not_found()
    if found.user is not call.who and not call.world.may(call.repo, call.who, "write"):
        raise forbidden()
    given.remove(found)
    return EMPTY
