"""Pull requests, their reviews and threads, and the ways to merge.

https://docs.github.com/en/rest/pulls
"""

from collections.abc import Sequence

from bot.github import names
from bot.github.calls import RepoCalls, made, object_in
from bot.github.fields import Fields
from bot.github.readers import actor_of
from bot.github.types import LineComment, Listing, Made, Merged, Pull, Review, ReviewComment

# Neither has a place in REST.
_READY = """mutation($id: ID!) {
  markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { isDraft } }
}"""
_ENQUEUE = """mutation($id: ID!, $sha: GitObjectID!) {
  enqueuePullRequest(input: {pullRequestId: $id, expectedHeadOid: $sha}) {
    mergeQueueEntry { id }
  }
}"""


class PullCalls(RepoCalls):
    """What we do with pull requests."""

    async def create_pull(
        self, *, title: str, head: str, base: str, body: str, draft: bool = True
    ) -> Made:
        """Raises Refused with 422 where one exists, or where drafts are not allowed."""
        wanted = {
            "title": title,
            "head": names.ref(head),
            "base": names.ref(base),
            "body": body,
            "draft": draft,
        }
        return await self._make("/pulls", wanted)

    async def pull(self, number: int) -> Pull:
        return _pull(await self._get(f"/pulls/{names.number(number)}"))

    async def pulls(self, *, head: str = "", base: str = "", state: str = "all") -> list[Pull]:
        """Pull requests in any state, by branch of this repository where one is named."""
        params = {"state": state}
        if head:
            params["head"] = f"{self.repo.owner}:{names.ref(head)}"
        if base:
            params["base"] = names.ref(base)
        return [_pull(one) for one in await self._list("/pulls", params)]

    async def open_pulls(self, *, etag: str = "") -> Listing[Pull]:
        """The open pull requests, the last changed first."""
        params = {"state": "open", "sort": "updated", "direction": "desc"}
        found = await self._list_if_changed("/pulls", params, etag)
        items = None if found.items is None else tuple(_pull(one) for one in found.items)
        return Listing(items=items, etag=found.etag)

    async def update_pull(
        self,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: str | None = None,
    ) -> None:
        """Change what is given; `state` is open or closed."""
        given = {"title": title, "body": body, "state": state}
        changes = {name: value for name, value in given.items() if value is not None}
        await self._send("PATCH", f"/pulls/{names.number(number)}", changes)

    async def mark_ready(self, node_id: str) -> None:
        """End the draft; `node_id` is the pull request's. Repeating it changes nothing."""
        await self.github.graphql(_READY, {"id": node_id}, installation_id=self._installation_id)

    async def enqueue(self, node_id: str, sha: str) -> str:
        """Put it into the merge queue at this head; the entry's id."""
        variables = {"id": node_id, "sha": names.sha(sha)}
        found = await self.github.graphql(
            _ENQUEUE, variables, installation_id=self._installation_id
        )
        return found["enqueuePullRequest"]["mergeQueueEntry"].text("id")

    async def merge(self, number: int, *, sha: str, method: str, title: str = "") -> Merged:
        """Merge exactly this head. Raises Conflict where it moved, Refused with 405 where not
        mergeable; `method` is merge, squash or rebase."""
        body = {"sha": names.sha(sha), "merge_method": method}
        if title:
            body["commit_title"] = title
        answer = await self._send("PUT", f"/pulls/{names.number(number)}/merge", body)
        given = object_in(answer)
        if not names.is_sha(given.text("sha")):
            raise answer.lost("the answer names no merge commit")
        return Merged(sha=given.text("sha"), message=given.text("message"))

    async def update_branch(self, number: int, *, expected_head: str) -> None:
        """Have GitHub merge the base into the branch. Raises Refused with 422 where it moved."""
        body = {"expected_head_sha": names.sha(expected_head)}
        await self._send("PUT", f"/pulls/{names.number(number)}/update-branch", body)

    async def create_review(
        self, number: int, *, sha: str, body: str, comments: Sequence[LineComment] = ()
    ) -> Made:
        """A review that comments. The App wrote the change, so it can neither approve nor refuse.

        Raises Refused with 422 where a line is not part of the diff.
        """
        wanted = {
            "commit_id": names.sha(sha),
            "body": body,
            "event": "COMMENT",
            "comments": [_line_comment(one) for one in comments],
        }
        return await self._make(f"/pulls/{names.number(number)}/reviews", wanted)

    async def reviews(self, number: int) -> list[Review]:
        found = await self._list(f"/pulls/{names.number(number)}/reviews")
        return [_review(one) for one in found]

    async def review_comments(self, number: int) -> list[ReviewComment]:
        """Every remark on a line; those with the same `reply_to` are a thread."""
        found = await self._list(f"/pulls/{names.number(number)}/comments")
        return [_review_comment(one) for one in found]

    async def reply(self, number: int, comment_id: int, body: str) -> Made:
        """Answer in the thread that this remark, its first, began."""
        path = f"/pulls/{names.number(number)}/comments/{names.number(comment_id)}/replies"
        return made(await self._send("POST", path, {"body": body}))


def _line_comment(comment: LineComment) -> dict[str, str | int]:
    return {
        "path": names.path(comment.path),
        "line": names.number(comment.line),
        "side": "RIGHT",
        "body": comment.body,
    }


def _pull(given: Fields) -> Pull:
    mergeable = given.flag("mergeable") if given.has("mergeable") else None
    merged = given.flag("merged") or given.has("merged_at")
    return Pull(
        number=given.number("number"),
        node_id=given.text("node_id"),
        title=given.text("title"),
        body=given.text("body"),
        state=given.text("state"),
        draft=given.flag("draft"),
        merged=merged,
        mergeable=mergeable,
        mergeable_state=given.text("mergeable_state"),
        # Before the merge this names a trial merge that never becomes part of the base.
        merge_sha=given.text("merge_commit_sha") if merged else "",
        head_ref=given["head"].text("ref"),
        head_sha=given["head"].text("sha"),
        base_ref=given["base"].text("ref"),
        base_sha=given["base"].text("sha"),
        author=actor_of(given["user"]),
        html_url=given.text("html_url"),
    )


def _review(given: Fields) -> Review:
    return Review(
        id=given.number("id"),
        author=actor_of(given["user"]),
        state=given.text("state").lower(),
        body=given.text("body"),
        commit_sha=given.text("commit_id"),
        html_url=given.text("html_url"),
    )


def _review_comment(given: Fields) -> ReviewComment:
    return ReviewComment(
        id=given.number("id"),
        author=actor_of(given["user"]),
        path=given.text("path"),
        line=given.number("line"),
        body=given.text("body"),
        reply_to=given.number("in_reply_to_id"),
        review_id=given.number("pull_request_review_id"),
        html_url=given.text("html_url"),
    )
