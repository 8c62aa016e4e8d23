"""The few GraphQL operations that have no REST counterpart.

This is not a GraphQL engine: it finds the one field that is asked for and its arguments, and
answers with the fields that clients use. Anything else gets an ``errors`` array.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from bot.localhub import auth, events, issuing, merging, rest_pulls
from bot.localhub.errors import Refused
from bot.localhub.moments import stamp
from bot.localhub.state import Repository
from bot.localhub.state_issues import Issue, Pull, Thread
from bot.localhub.types import Json
from bot.localhub.wire import Answer, Call
from bot.localhub.world import node_id

_FIELD = re.compile(r"\{\s*(?:\w+\s*:\s*)?(\w+)\s*[({]")
_ARGUMENT = re.compile(r'(\w+)\s*:\s*(\$\w+|"(?:[^"\\]|\\.)*"|\d+|true|false|null)')


def operation(body: Json) -> str:
    """``mutation name`` or ``query name``: the name under which the call is counted."""
    query = str(body.get("query", ""))
    kind = "mutation" if query.lstrip().startswith("mutation") else "query"
    return f"{kind} {_field(query)}"


def _field(query: str) -> str:
    match = _FIELD.search(query)
    return match[1] if match else "?"


def arguments(body: Json) -> Json:
    """Every argument of the operation by its name, with variables put in."""
    variables = body.get("variables") or {}
    found: Json = {}
    for value in variables.values():
        if isinstance(value, dict):
            found |= value
    for name, text in _ARGUMENT.findall(str(body.get("query", ""))):
        if text.startswith("$"):
            found[name] = variables.get(text[1:])
        else:
            found[name] = json.loads(text)
    return found


async def execute(call: Call) -> Answer:
    """Carry out one operation; errors come with status 200, as GraphQL has it."""
    if call.actor.via == "anonymous":
        raise Refused(401, "This endpoint requires you to be authenticated.")
    name, given = _field(str(call.body.get("query", ""))), arguments(call.body)
    try:
        return await _carry_out(call, name, given)
    except Refused as refusal:
        return _error("UNPROCESSABLE" if refusal.status == 422 else "FORBIDDEN", refusal.message)


async def _carry_out(call: Call, name: str, given: Json) -> Answer:
    match name:
        case "markPullRequestReadyForReview" | "convertPullRequestToDraft":
            return await _draft(call, name, given, draft=name.startswith("convert"))
        case "enqueuePullRequest":
            return await _enqueue(call, given)
        case "addReaction":
            return _react(call, given)
        case "resolveReviewThread" | "unresolveReviewThread":
            return _resolve(call, name, given)
        case "repository" if "lastEditedAt" in str(call.body.get("query")):
            return _edited(call, given)
        case "repository":
            return _threads(call, given)
        case _:
            return _error("undefinedField", f"Field '{name}' doesn't exist on type 'Mutation'")


def _error(kind: str, message: str) -> Answer:
    return Answer(json={"data": None, "errors": [{"type": kind, "message": message}]})


def _data(name: str, value: Json) -> Answer:
    return Answer(json={"data": {name: value | {"clientMutationId": None}}})


def _pulls(call: Call) -> Iterator[tuple[Repository, Issue, Pull]]:
    for repo in call.world.repositories.values():
        yield from ((repo, one, one.pull) for one in repo.issues.values() if one.pull)


def _no_node(node: Any) -> Refused:
    return Refused(404, f"Could not resolve to a node with the global id of '{node}'")


def _pull(call: Call, node: Any) -> tuple[Repository, Issue, Pull]:
    for repo, one, part in _pulls(call):
        if node_id("PR", one.id) == node:
            return repo, one, part
    raise _no_node(node)


def _admit(call: Call, repo: Repository, permission: str) -> None:
    call.found_repo = repo
    auth.require(call.world, call.actor, repo, permission, "write", reading=False)


async def _draft(call: Call, name: str, given: Json, *, draft: bool) -> Answer:
    repo, one, part = _pull(call, given.get("pullRequestId"))
    _admit(call, repo, "pull_requests:write")
    await rest_pulls.set_draft(call, one, part, draft)
    shape = {
        "id": node_id("PR", one.id),
        "databaseId": part.id,
        "number": one.number,
        "isDraft": part.draft,
    }
    return _data(name, {"pullRequest": shape})


async def _enqueue(call: Call, given: Json) -> Answer:
    repo, one, part = _pull(call, given.get("pullRequestId"))
    _admit(call, repo, "pull_requests:write")
    if not repo.rules.merge_queue:
        raise Refused(422, "The merge queue is not enabled for this branch")
    expected = given.get("expectedHeadOid")
    if expected is not None and expected != part.head_sha:
        raise Refused(422, "The head of the pull request has changed")
    if part.queued_at is None:
        await merging.enqueue(call.world, repo, one, part)
        await merging.try_queue(call.world, repo)
    entry = {
        "id": node_id("MQE", one.id),
        "position": 1,
        "state": "AWAITING_CHECKS",
        "enqueuedAt": stamp(call.world.now()),
    }
    return _data("enqueuePullRequest", {"mergeQueueEntry": entry})


_CONTENTS = {
    "THUMBS_UP": "+1",
    "THUMBS_DOWN": "-1",
    "LAUGH": "laugh",
    "HOORAY": "hooray",
    "CONFUSED": "confused",
    "HEART": "heart",
    "ROCKET": "rocket",
    "EYES": "eyes",
}


def _react(call: Call, given: Json) -> Answer:
    """A reaction to a review; all else that carries one has it in REST."""
    subject, content = str(given.get("subjectId")), str(given.get("content"))
    for repo, _, part in _pulls(call):
        for review in part.reviews:
            if node_id("PRR", review.id) == subject:
                _admit(call, repo, "pull_requests:write")
                kind = _CONTENTS.get(content)
                made, _ = issuing.react(call.world, review.reactions, call.who, kind)
                shape = {"databaseId": made.id, "content": content}
                return _data("addReaction", {"reaction": shape})
    raise _no_node(subject)


def _resolve(call: Call, name: str, given: Json) -> Answer:
    wanted = given.get("threadId")
    for repo, one, part in _pulls(call):
        for thread in part.threads:
            if node_id("PRRT", thread.id) == wanted:
                _admit(call, repo, "pull_requests:write")
                return _resolved(call, name, one, thread)
    raise _no_node(wanted)


def _resolved(call: Call, name: str, one: Issue, thread: Thread) -> Answer:
    opening = name.startswith("un")
    thread.resolved_by = None if opening else call.who
    action = "unresolved" if opening else "resolved"
    events.review_thread(call.world, call.repo, one, thread, call.who, action=action)
    return _data(name, {"thread": _thread(thread)})


def _thread(thread: Thread) -> Json:
    root = thread.comments[0]
    nodes = [
        {
            "id": node_id("PRRC", each.id),
            "databaseId": each.id,
            "body": each.body,
            "author": {"login": each.user.login},
            "path": each.path,
            "line": each.line,
        }
        for each in thread.comments
    ]
    return {
        "id": node_id("PRRT", thread.id),
        "isResolved": thread.resolved_by is not None,
        "isOutdated": False,
        "path": root.path,
        "line": root.line,
        "comments": {"nodes": nodes, "totalCount": len(nodes), "pageInfo": _LAST_PAGE},
    }


_LAST_PAGE: Json = {"hasNextPage": False, "endCursor": None}


def _edited(call: Call, given: Json) -> Answer:
    """``repository(owner:, name:) { issue(number:) { lastEditedAt timelineItems { ... } } }``"""
    repo = call.world.repository(str(given.get("owner")), str(given.get("name")))
    auth.require(call.world, call.actor, repo, "issues:read", "read", reading=True)
    one = repo.issues.get(int(given.get("number") or 0))
    if one is None or one.pull is not None or one.deleted:
        return _error("NOT_FOUND", "Could not resolve to an Issue")
    renamed = [{"createdAt": stamp(e.created_at)} for e in one.events if e.event == "renamed"]
    shape: Json = {
        "lastEditedAt": stamp(one.edited_at) if one.edited_at is not None else None,
        "timelineItems": {"nodes": renamed[-1:]},
    }
    return Answer(json={"data": {"repository": {"issue": shape}}})


def _threads(call: Call, given: Json) -> Answer:
    """``repository(owner:, name:) { pullRequest(number:) { reviewThreads { ... } } }``"""
    repo = call.world.repository(str(given.get("owner")), str(given.get("name")))
    auth.require(call.world, call.actor, repo, "pull_requests:read", "read", reading=True)
    one = repo.issues.get(int(given.get("number") or 0))
    if one is None or one.pull is None:
        return _error("NOT_FOUND", "Could not resolve to a PullRequest")
    threads = [_thread(each) for each in one.pull.threads]
    shape: Json = {
        "id": node_id("PR", one.id),
        "number": one.number,
        "isDraft": one.pull.draft,
        "reviewThreads": {"nodes": threads, "totalCount": len(threads), "pageInfo": _LAST_PAGE},
    }
    return Answer(json={"data": {"repository": {"pullRequest": shape}}})
