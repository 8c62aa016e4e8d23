"""Issues, their comments, labels and reactions.

https://docs.github.com/en/rest/issues and https://docs.github.com/en/rest/reactions
"""

from collections.abc import Sequence

from bot.errors import Refused
from bot.github import names
from bot.github.calls import RepoCalls, in_url
from bot.github.fields import Fields
from bot.github.readers import actor_of, labels_of, repository_of
from bot.github.types import Comment, History, Issue, LabelEvent, Listing, Made

_REACT = """mutation($id: ID!, $content: ReactionContent!) {
  addReaction(input: {subjectId: $id, content: $content}) { reaction { databaseId } }
}"""  # a review has no reactions in REST
_CONTENTS = {"eyes": "EYES", "rocket": "ROCKET", "confused": "CONFUSED", "-1": "THUMBS_DOWN"}
_EDITED = """
query edited($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    issue(number: $number) {
      lastEditedAt
      timelineItems(itemTypes: [RENAMED_TITLE_EVENT], last: 1) {
        nodes { ... on RenamedTitleEvent { createdAt } }
      }
    }
  }
}
"""
ROLES = frozenset({"admin", "maintain", "write", "triage", "read"})
ROLE_S = 60.0  #: how long a person's role may be remembered


class IssueCalls(RepoCalls):
    """What we do with issues, and with the conversation of a pull request."""

    async def role_of(self, login: str) -> str:
        """One of ROLES, or none. At most ROLE_S old.

        A role that an organisation made up counts as `permission` says: as admin, write or read,
        which folds maintain into write and triage into read. See
        https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
        """
        key = ("role", self.repo.id, names.login(login).lower())
        if (known := self.github.memory.get(key)) is not None:
            return known
        return self.github.memory.keep(key, await self._role(login), for_s=ROLE_S)

    async def issue(self, number: int) -> Issue:
        """Raises Refused with 404 or 410 for a deleted one."""
        return _issue(await self._get(f"/issues/{names.number(number)}"))

    async def blocked_by(self, number: int) -> list[Issue]:
        """The issues that it waits for, of any repository that we may read.

        None where this GitHub knows of no such thing (Enterprise Server before 3.19: 404).
        https://docs.github.com/en/rest/issues/issue-dependencies
        """
        try:
            found = await self._list(f"/issues/{names.number(number)}/dependencies/blocked_by")
        except Refused as error:
            if not error.missing:
                raise
            return []
        return [_issue(one) for one in found]

    async def issues(self, *, labels: Sequence[str] = (), state: str = "open") -> list[Issue]:
        """Issues with all these labels, without pull requests."""
        params = {"state": state} | ({"labels": ",".join(labels)} if labels else {})
        found = [_issue(one) for one in await self._list("/issues", params)]
        return [issue for issue in found if not issue.is_pull]

    async def labelled(self, label: str, *, etag: str = "") -> Listing[Issue]:
        """The open issues with this label, the last changed first, without pull requests."""
        params = {"state": "open", "labels": label, "sort": "updated", "direction": "desc"}
        found = await self._list_if_changed("/issues", params, etag)
        if found.items is None:
            return Listing(items=None, etag=found.etag)
        issues = (_issue(one) for one in found.items)
        return Listing(items=tuple(one for one in issues if not one.is_pull), etag=found.etag)

    async def create_issue(self, *, title: str, body: str, labels: Sequence[str] = ()) -> Made:
        return await self._make("/issues", {"title": title, "body": body, "labels": list(labels)})

    async def close_issue(self, number: int, *, completed: bool = True) -> None:
        """Close it as completed, or as not planned."""
        reason = "completed" if completed else "not_planned"
        body = {"state": "closed", "state_reason": reason}
        await self._send("PATCH", f"/issues/{names.number(number)}", body)

    async def comments(self, number: int, *, since: str = "") -> list[Comment]:
        """All comments, oldest first; `since` (ISO 8601) leaves out what is older."""
        params = {"since": since} if since else None
        path = f"/issues/{names.number(number)}/comments"
        return [_comment(one) for one in await self._list(path, params)]

    async def create_comment(self, number: int, body: str) -> Made:
        return await self._make(f"/issues/{names.number(number)}/comments", {"body": body})

    async def edit_comment(self, comment_id: int, body: str) -> None:
        path = f"/issues/comments/{names.number(comment_id)}"
        await self._send("PATCH", path, {"body": body})

    async def pin_comment(self, comment_id: int) -> bool:
        """Pin it above the conversation; False where this GitHub cannot (older servers: 404)."""
        try:
            await self._send("PUT", f"/issues/comments/{names.number(comment_id)}/pin")
        except Refused as error:
            if not error.missing:
                raise
            return False
        return True

    async def add_label(self, number: int, label: str) -> None:
        """Put one label on; the others are not ours to touch."""
        path = f"/issues/{names.number(number)}/labels"
        await self._send("POST", path, {"labels": [label]})

    async def remove_label(self, number: int, label: str) -> None:
        """Take one label off; fine where it is not there."""
        path = f"/issues/{names.number(number)}/labels/{in_url(label)}"
        await self._delete(path)

    async def ensure_label(self, name: str, *, color: str, description: str) -> None:
        """Make the label where there is none (`color` is six hex digits); an existing one stays."""
        body = {"name": name, "color": color.removeprefix("#"), "description": description[:100]}
        try:
            await self._send("POST", "/labels", body)
        except Refused as error:
            if error.status != 422 or "already_exists" not in error.body:
                raise

    async def labels(self) -> tuple[str, ...]:
        """The names of the repository's labels."""
        return tuple(one.text("name") for one in await self._list("/labels"))

    async def react_to_issue(self, number: int, content: str) -> int:
        """The reaction's id; the same one where it exists (+1, eyes, rocket, confused …)."""
        path = f"/issues/{names.number(number)}/reactions"
        return (await self._make(path, {"content": content}, receipt=True)).id

    async def react_to_comment(self, comment_id: int, content: str) -> int:
        """As `react_to_issue`."""
        path = f"/issues/comments/{names.number(comment_id)}/reactions"
        return (await self._make(path, {"content": content}, receipt=True)).id

    async def react_to_review(self, node_id: str, content: str) -> int:
        """As `react_to_issue`, for eyes, rocket, confused and -1; `node_id` is the review's.

        https://docs.github.com/en/graphql/reference/mutations#addreaction
        """
        variables = {"id": node_id, "content": _CONTENTS[content]}
        found = await self.github.graphql(
            _REACT, variables, installation_id=self._installation_id, receipt=True
        )
        return found["addReaction"]["reaction"].number("databaseId")

    async def unreact_to_issue(self, number: int, reaction_id: int) -> None:
        """Take a reaction of ours off; fine where it is not there."""
        path = f"/issues/{names.number(number)}/reactions/{names.number(reaction_id)}"
        await self._delete(path)

    async def history(self, number: int) -> History:
        """Who put which label on or off, and when, and whether it was closed since.

        Raises Refused with 404 for an issue that was moved: GitHub leads on to where an issue is,
        but not to what hangs on it.
        https://docs.github.com/en/rest/issues/events#list-issue-events
        """
        events = await self._list(f"/issues/{names.number(number)}/events")
        states = [one for one in events if one.text("event") in {"closed", "reopened"}]
        newest = max(states, key=lambda one: one.number("id"), default=Fields(None))
        return History(
            labels=tuple(
                _label_event(e) for e in events if e.text("event") in {"labeled", "unlabeled"}
            ),
            closed=newest.number("id") if newest.text("event") == "closed" else 0,
        )

    async def edited_at(self, number: int) -> str:
        """When title or text was last changed, ISO 8601; empty: never. REST does not say it.

        https://docs.github.com/en/graphql/reference/objects#issue
        """
        variables = {
            "owner": self.repo.owner,
            "name": self.repo.name,
            "number": names.number(number),
        }
        found = await self.github.graphql(_EDITED, variables, installation_id=self._installation_id)
        issue = found["repository"]["issue"]
        renamed = [one.text("createdAt") for one in issue["timelineItems"].items("nodes")]
        return max([issue.text("lastEditedAt"), *renamed])

    async def _role(self, login: str) -> str:
        try:
            given = await self._get(f"/collaborators/{in_url(login)}/permission")
        except Refused as error:
            if not error.missing:
                raise
            return "none"
        role = given.text("role_name")
        return role if role in ROLES else given.text("permission") or "none"

    async def _delete(self, path: str) -> None:
        try:
            await self._send("DELETE", path)
        except Refused as error:
            if not error.missing:
                raise


def _issue(given: Fields) -> Issue:
    return Issue(
        number=given.number("number"),
        repository=repository_of(given),
        title=given.text("title"),
        body=given.text("body"),
        author=actor_of(given["user"]),
        labels=labels_of(given),
        state=given.text("state"),
        locked=given.flag("locked"),
        is_pull=given.has("pull_request"),
        html_url=given.text("html_url"),
        created_at=given.text("created_at"),
        updated_at=given.text("updated_at"),
    )


def _comment(given: Fields) -> Comment:
    return Comment(
        id=given.number("id"),
        author=actor_of(given["user"]),
        body=given.text("body"),
        html_url=given.text("html_url"),
        created_at=given.text("created_at"),
        app_id=given["performed_via_github_app"].number("id"),
    )


def _label_event(given: Fields) -> LabelEvent:
    return LabelEvent(
        id=given.number("id"),
        label=given["label"].text("name"),
        added=given.text("event") == "labeled",
        actor=actor_of(given["actor"]),
        at=given.text("created_at"),
    )
