"""Reviews of pull requests and their comments on lines."""

from bot.localhub import events, gitrepo, shapes, shapes_code
from bot.localhub.errors import invalid, not_found, unprocessable
from bot.localhub.issuing import check_writable
from bot.localhub.rest_issues import reacted, unreacted
from bot.localhub.rest_pulls import pull_of
from bot.localhub.state_issues import Issue, Pull, Review, ReviewComment, Thread
from bot.localhub.types import Json
from bot.localhub.wire import BODY_LIMIT, EMPTY, Answer, Call, created, limited

STATES = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}


async def create(call: Call) -> Answer:
    """A review with its line comments, in one event each."""
    one, part = pull_of(call)
    check_writable(call.world, call.repo, call.actor, one)
    event = call.optional("event", "PullRequestReview")
    body = call.optional("body", "PullRequestReview") or ""
    _check(call, one, event, body)
    given = [await _checked(call, part, each) for each in call.body.get("comments") or []]
    review = Review(
        id=call.world.new_id(),
        user=call.who,
        body=body,
        state=STATES[event] if event else "PENDING",
        commit_id=call.optional("commit_id", "PullRequestReview") or part.head_sha,
        submitted_at=call.world.now() if event else None,
    )
    part.reviews.append(review)
    if call.who in part.requested_reviewers:
        part.requested_reviewers.remove(call.who)
    comments = [_new_thread(call, part, review, each) for each in given]
    if event:
        _submit(call, one, review, comments)
    return Answer(json=shapes_code.review(call.world, call.repo, one, review))


def _check(call: Call, one: Issue, event: str | None, body: str) -> None:
    if event is not None and event not in STATES:
        raise unprocessable(
            f"Variable $event of type PullRequestReviewEvent was provided invalid value: {event}"
        )
    if event == "APPROVE" and one.user is call.who:
        raise unprocessable("Review Can not approve your own pull request")
    if event == "REQUEST_CHANGES" and one.user is call.who:
        raise unprocessable("Review Can not request changes on your own pull request")
    wordless = not body and not call.body.get("comments")
    if event in ("COMMENT", "REQUEST_CHANGES") and wordless:
        raise unprocessable("Review Body can't be blank")


def _submit(call: Call, one: Issue, review: Review, comments: list[ReviewComment]) -> None:
    one.updated_at = call.world.now()
    events.review(call.world, call.repo, one, review, call.who, action="submitted")
    for each in comments:
        events.review_comment(call.world, call.repo, one, each, call.who, action="created")


async def submit(call: Call) -> Answer:
    """Send a pending review."""
    one, part = pull_of(call)
    review = _review(call, part)
    event = call.text("event", "PullRequestReview")
    body = call.optional("body", "PullRequestReview") or review.body
    comments = [c for t in part.threads for c in t.comments if c.review_id == review.id]
    _check(call, one, event, body or ("-" if comments else ""))
    review.state, review.body = STATES[event], body
    review.submitted_at = call.world.now()
    _submit(call, one, review, comments)
    return Answer(json=shapes_code.review(call.world, call.repo, one, review))


async def _checked(call: Call, part: Pull, given: Json) -> Json:
    """A line comment of the body, if its line is part of the diff; 422 as on GitHub else."""
    path, body = str(given.get("path", "")), given.get("body")
    if not isinstance(body, str) or not body:
        raise invalid("PullRequestReviewComment", "body", "missing_field")
    limited(body, "body", "PullRequestReviewComment", BODY_LIMIT)
    base = await gitrepo.merge_base(call.repo.path, part.base_sha, part.head_sha)
    files = await gitrepo.changes(call.repo.path, base or part.base_sha, part.head_sha)
    changed = next((each for each in files if each.path == path), None)
    if changed is None:
        raise unprocessable("Path could not be resolved")
    line, side = given.get("line"), str(given.get("side", "RIGHT"))
    if line is None and given.get("position") is None and given.get("subject_type") != "file":
        raise invalid("PullRequestReviewComment", "line", "missing_field")
    if line is not None and line not in diff_lines(changed.patch or "", side):
        raise unprocessable("Line could not be resolved")
    return given | {"hunk": (changed.patch or "")[:1000], "side": side}


def diff_lines(patch: str, side: str) -> set[int]:
    """The line numbers that a patch shows on one side (context lines count)."""
    shown: set[int] = set()
    old = new = 0
    for line in patch.splitlines():
        if line.startswith("@@"):
            _, minus, plus, *_ = line.split(" ")
            old, new = int(minus[1:].split(",")[0]), int(plus[1:].split(",")[0])
            continue
        if line.startswith("\\"):
            continue
        if line.startswith(("+", " ")):
            if side == "RIGHT":
                shown.add(new)
            new += 1
        if line.startswith(("-", " ")):
            if side == "LEFT":
                shown.add(old)
            old += 1
    return shown


def _new_thread(call: Call, part: Pull, review: Review, given: Json) -> ReviewComment:
    comment = _comment(call, review, given)
    part.threads.append(Thread(id=call.world.new_id(), comments=[comment]))
    return comment


def _comment(call: Call, review: Review, given: Json) -> ReviewComment:
    now = call.world.now()
    return ReviewComment(
        id=call.world.new_id(),
        review_id=review.id,
        user=call.who,
        body=given["body"],
        path=given["path"],
        line=given.get("line"),
        side=given["side"],
        start_line=given.get("start_line"),
        start_side=given.get("start_side"),
        commit_id=review.commit_id,
        diff_hunk=given["hunk"],
        created_at=now,
        updated_at=now,
    )


async def listing(call: Call) -> Answer:
    one, part = pull_of(call)
    rows = [each for each in part.reviews if each.state != "PENDING" or each.user is call.who]
    return call.page(rows, lambda row: shapes_code.review(call.world, call.repo, one, row))


def _review(call: Call, part: Pull) -> Review:
    wanted = call.number("review_id")
    for each in part.reviews:
        if each.id == wanted:
            return each
    raise not_found()


async def get(call: Call) -> Answer:
    one, part = pull_of(call)
    return Answer(json=shapes_code.review(call.world, call.repo, one, _review(call, part)))


async def dismiss(call: Call) -> Answer:
    one, part = pull_of(call)
    review = _review(call, part)
    call.text("message", "PullRequestReview")
    review.state = "DISMISSED"
    events.review(call.world, call.repo, one, review, call.who, action="dismissed")
    return Answer(json=shapes_code.review(call.world, call.repo, one, review))


async def review_comments(call: Call) -> Answer:
    one, part = pull_of(call)
    review = _review(call, part)
    rows = [c for t in part.threads for c in t.comments if c.review_id == review.id]
    return call.page(rows, lambda row: shapes_code.review_comment(call.world, call.repo, one, row))


async def comments(call: Call) -> Answer:
    """All line comments of a pull request, oldest first."""
    one, part = pull_of(call)
    rows = sorted((c for t in part.threads for c in t.comments), key=lambda c: c.id)
    visible = call.visible(rows)
    return call.page(
        visible, lambda row: shapes_code.review_comment(call.world, call.repo, one, row)
    )


async def create_comment(call: Call) -> Answer:
    """A line comment outside a review: GitHub makes a review of one around it."""
    one, part = pull_of(call)
    if "in_reply_to" in call.body:
        return _reply(call, one, part, int(call.body["in_reply_to"]))
    checked = await _checked(call, part, call.body)
    comment = _new_thread(call, part, _single(call, part), checked)
    events.review_comment(call.world, call.repo, one, comment, call.who, action="created")
    return created(shapes_code.review_comment(call.world, call.repo, one, comment))


def _single(call: Call, part: Pull) -> Review:
    review = Review(
        id=call.world.new_id(),
        user=call.who,
        body="",
        state="COMMENTED",
        commit_id=part.head_sha,
        submitted_at=call.world.now(),
    )
    part.reviews.append(review)
    return review


async def reply(call: Call) -> Answer:
    one, part = pull_of(call)
    return _reply(call, one, part, call.number("comment_id"))


def _reply(call: Call, one: Issue, part: Pull, to: int) -> Answer:
    for thread in part.threads:
        root = thread.comments[0]
        if any(each.id == to for each in thread.comments):
            given = {
                "body": call.text("body", "PullRequestReviewComment"),
                "path": root.path,
                "line": root.line,
                "side": root.side,
                "hunk": root.diff_hunk,
            }
            comment = _comment(call, _single(call, part), given)
            comment.in_reply_to = root.id
            thread.comments.append(comment)
            events.review_comment(call.world, call.repo, one, comment, call.who, action="created")
            return created(shapes_code.review_comment(call.world, call.repo, one, comment))
    raise not_found()


def _find(call: Call) -> tuple[Issue, Thread, ReviewComment]:
    wanted = call.number("comment_id")
    for one in call.repo.issues.values():
        for thread in one.pull.threads if one.pull else ():
            for comment in thread.comments:
                if comment.id == wanted:
                    return one, thread, call.seen(comment)
    raise not_found()


async def get_comment(call: Call) -> Answer:
    one, _, comment = _find(call)
    return Answer(json=shapes_code.review_comment(call.world, call.repo, one, comment))


async def update_comment(call: Call) -> Answer:
    one, _, comment = _find(call)
    comment.body = call.text("body", "PullRequestReviewComment")
    comment.updated_at = call.world.now()
    events.review_comment(call.world, call.repo, one, comment, call.who, action="edited")
    return Answer(json=shapes_code.review_comment(call.world, call.repo, one, comment))


async def delete_comment(call: Call) -> Answer:
    one, thread, comment = _find(call)
    thread.comments.remove(comment)
    if not thread.comments and one.pull:
        one.pull.threads.remove(thread)
    events.review_comment(call.world, call.repo, one, comment, call.who, action="deleted")
    return EMPTY


async def reactions(call: Call) -> Answer:
    rows = _find(call)[2].reactions
    return call.page(rows, lambda each: shapes.reaction(call.world, each))


async def react(call: Call) -> Answer:
    return reacted(call, _find(call)[2].reactions)


async def unreact(call: Call) -> Answer:
    return unreacted(call, _find(call)[2].reactions)
