"""Comments on issues and on the conversation of pull requests."""

from bot.localhub import events, shapes
from bot.localhub.errors import forbidden, not_found
from bot.localhub.issuing import check_writable
from bot.localhub.rest_issues import issue_of, reacted, unreacted
from bot.localhub.state_issues import Comment, Issue
from bot.localhub.types import Json
from bot.localhub.wire import EMPTY, Answer, Call, created


def _find(call: Call) -> tuple[Issue, Comment]:
    wanted = call.number("comment_id")
    for on in call.repo.issues.values():
        for one in on.comments:
            if one.id == wanted and not on.deleted:
                return on, call.seen(one)
    raise not_found()


def _shape(call: Call, on: Issue, one: Comment) -> Json:
    return shapes.comment(call.world, call.repo, on, one)


async def create(call: Call) -> Answer:
    on = call.world.issue(call.repo, call.number("issue_number"))
    check_writable(call.world, call.repo, call.actor, on)
    now = call.world.now()
    one = Comment(
        id=call.world.new_id(),
        user=call.who,
        body=call.text("body", "IssueComment"),
        created_at=now,
        updated_at=now,
        app=call.actor.app,
    )
    on.comments.append(one)
    on.updated_at = now
    events.issue_comment(call.world, call.repo, on, one, call.who, action="created")
    return created(_shape(call, on, one))


async def listing(call: Call) -> Answer:
    """The comments of one issue, oldest first."""
    on = issue_of(call)
    rows = _since(call, call.visible(on.comments))
    return call.page(rows, lambda one: _shape(call, on, one))


async def repository_listing(call: Call) -> Answer:
    """The comments of all issues, oldest first unless asked otherwise."""
    home = {one.id: on for on in call.repo.issues.values() for one in on.comments}
    rows = [one for on in call.repo.issues.values() for one in on.comments]
    rows = sorted(_since(call, call.visible(rows)), key=lambda one: one.created_at)
    if call.query.get("direction") == "desc":
        rows.reverse()
    return call.page(rows, lambda one: _shape(call, home[one.id], one))


def _since(call: Call, rows: list[Comment]) -> list[Comment]:
    start = call.since() or 0.0
    return [one for one in rows if one.updated_at >= start]


async def get(call: Call) -> Answer:
    on, one = _find(call)
    return Answer(json=_shape(call, on, one))


async def update(call: Call) -> Answer:
    on, one = _find(call)
    _own(call, one)
    body = call.text("body", "IssueComment")
    if body != one.body:
        changes = {"body": {"from": one.body}}
        one.body, one.updated_at = body, call.world.now()
        events.issue_comment(
            call.world, call.repo, on, one, call.who, action="edited", changes=changes
        )
    return Answer(json=_shape(call, on, one))


async def delete(call: Call) -> Answer:
    on, one = _find(call)
    _own(call, one)
    on.comments.remove(one)
    events.issue_comment(call.world, call.repo, on, one, call.who, action="deleted")
    return EMPTY


def _own(call: Call, one: Comment) -> None:
    """Another's comment can be changed by those who may write (Apps with the permission count)."""
    if one.user is call.who or call.actor.scoped:
        return
    if not call.world.may(call.repo, call.who, "write"):
        raise forbidden("Must have write rights to Repository.")


async def pin(call: Call) -> Answer:
    """One comment an issue is pinned; pinning another replaces it."""
    on, one = _find(call)
    for other in on.comments:
        other.pinned_at = None
    one.pinned_at = call.world.now()
    return Answer(json=_shape(call, on, one))


async def unpin(call: Call) -> Answer:
    _, one = _find(call)
    one.pinned_at = None
    return EMPTY


async def reactions(call: Call) -> Answer:
    _, one = _find(call)
    return call.page(one.reactions, lambda each: shapes.reaction(call.world, each))


async def react(call: Call) -> Answer:
    return reacted(call, _find(call)[1].reactions)


async def unreact(call: Call) -> Answer:
    return unreacted(call, _find(call)[1].reactions)
