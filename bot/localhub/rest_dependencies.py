"""Which issue waits for which.

https://docs.github.com/en/rest/issues/issue-dependencies
"""

from bot.localhub import events, shapes
from bot.localhub.errors import invalid, not_found
from bot.localhub.rest_issues import issue_of
from bot.localhub.state import Repository
from bot.localhub.state_issues import Issue
from bot.localhub.types import Json
from bot.localhub.wire import Answer, Call, created


async def blocked_by(call: Call) -> Answer:
    """The issues that this one waits for, open or closed."""
    rows = [call.world.issue_by_id(each) for each in issue_of(call).blocked_by]
    return call.page(_readable(call, rows), lambda row: shapes.issue(call.world, *row))


async def blocking(call: Call) -> Answer:
    """The issues that wait for this one."""
    rows = call.world.blocked_by(issue_of(call).id)
    return call.page(_readable(call, rows), lambda row: shapes.issue(call.world, *row))


async def add(call: Call) -> Answer:
    """Have the issue wait for another, of any repository that the caller can read."""
    one, other = issue_of(call), _other(call, call.body.get("issue_id"))
    if other[1] is one or other[1].id in one.blocked_by:
        raise invalid("IssueDependency", "issue_id", "invalid")
    one.blocked_by.append(other[1].id)
    events.dependency(call.world, (call.repo, one), other, call.who, "added")
    return created(_shape(call, one))


async def remove(call: Call) -> Answer:
    one, other = issue_of(call), _other(call, call.number("issue_id"))
    if other[1].id not in one.blocked_by:
        raise not_found()
    one.blocked_by.remove(other[1].id)
    events.dependency(call.world, (call.repo, one), other, call.who, "removed")
    return Answer(json=_shape(call, one))


def _shape(call: Call, one: Issue) -> Json:
    return shapes.issue(call.world, call.repo, one)


def _other(call: Call, issue_id: object) -> tuple[Repository, Issue]:
    if not isinstance(issue_id, int):
        raise invalid("IssueDependency", "issue_id", "invalid")
    found = call.world.issue_by_id(issue_id)
    if not _readable(call, [found]):
        raise not_found()
    return found


def _readable(call: Call, rows: list[tuple[Repository, Issue]]) -> list[tuple[Repository, Issue]]:
    return [(repo, one) for repo, one in rows if _may_read(call, repo)]


def _may_read(call: Call, repo: Repository) -> bool:
    if call.actor.scoped:
        return call.actor.reaches(repo) or not repo.private
    return call.world.may(repo, call.actor.account, "read")
