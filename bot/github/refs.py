"""The repository itself: what it is, its branches, their rules, and files of its own.

https://docs.github.com/en/rest/git/refs and https://docs.github.com/en/rest/repos/rules
"""

import base64
from urllib.parse import quote

from bot.errors import Refused
from bot.github import names
from bot.github.calls import RepoCalls
from bot.github.fields import Fields
from bot.github.readers import repo_from
from bot.github.types import RepoInfo, Rules

MAX_CONTENT = 2_000_000  #: characters; GitHub sends 1 MB in base64 with line ends


class RefCalls(RepoCalls):
    """What we do with branches and read of the repository."""

    async def info(self) -> RepoInfo:
        """The repository as it is now, under its present name."""
        given = await self._get("")
        ref = repo_from(given, installation_id=self._installation_id)
        allowed = {
            "merge": "allow_merge_commit",
            "squash": "allow_squash_merge",
            "rebase": "allow_rebase_merge",
        }
        return RepoInfo(
            ref=ref if ref is not None else self.repo,
            private=given.flag("private"),
            archived=given.flag("archived"),
            html_url=given.text("html_url"),
            merge_methods=tuple(m for m, field in allowed.items() if given.flag(field)),
        )

    async def branch_sha(self, branch: str) -> str | None:
        """The commit at the head of a branch; None where there is no such branch."""
        try:
            given = await self._get(f"/git/ref/heads/{_ref_in_url(branch)}")
        except Refused as error:
            if not error.missing:
                raise
            return None
        return given["object"].text("sha") or None

    async def create_branch(self, branch: str, sha: str) -> None:
        """Raises Refused with 422 where there is one of that name."""
        body = {"ref": f"refs/heads/{names.ref(branch)}", "sha": names.sha(sha)}
        await self._send("POST", "/git/refs", body)

    async def tree_of(self, sha: str) -> str:
        """The tree of a commit."""
        given = await self._get(f"/git/commits/{names.sha(sha)}")
        return given["tree"].text("sha")

    async def file(self, path: str, *, ref: str = "", limit: int) -> bytes | None:
        """A file's bytes; None where there is no such file, or where it is above `limit`.

        GitHub sends no content above 1 MB, and a list for a directory.
        """
        params = {"ref": names.ref(ref)} if ref else None
        try:
            given = await self._get(f"/contents/{quote(names.path(path))}", params)
        except Refused as error:
            if not error.missing:
                raise
            return None
        is_whole = given.text("encoding") == "base64" and given.number("size") <= limit
        return _decoded(given) if given.text("type") == "file" and is_whole else None

    async def add_file(self, path: str, content: bytes, *, branch: str, message: str) -> None:
        """A new file, by a commit of its own. Raises Refused with 422 where one is there.

        https://docs.github.com/en/rest/repos/contents#create-or-update-file-contents
        """
        body = {
            "message": message,
            "content": base64.b64encode(content).decode(),
            "branch": names.ref(branch),
        }
        await self._send("PUT", f"/contents/{quote(names.path(path))}", body)

    async def rules(self, branch: str) -> Rules | None:
        """What rulesets ask of a branch; None where this GitHub or plan does not say."""
        try:
            found = await self._list(f"/rules/branches/{_ref_in_url(branch)}")
        except Refused as error:
            if error.status not in {403, 404}:
                raise
            return None
        return _rules(found)


def _decoded(given: Fields) -> bytes | None:
    try:
        return base64.b64decode(given.text("content", limit=MAX_CONTENT))
    except ValueError:
        return None


def _ref_in_url(ref: str) -> str:
    """A branch may have slashes, which stay; all else is escaped."""
    return quote(names.ref(ref))


def _rules(found: list[Fields]) -> Rules:
    by_kind = [(rule.text("type"), rule["parameters"]) for rule in found]
    checks = (
        check.text("context")
        for kind, parameters in by_kind
        if kind == "required_status_checks"
        for check in parameters.items("required_status_checks")
    )
    approvals = (
        parameters.number("required_approving_review_count")
        for kind, parameters in by_kind
        if kind == "pull_request"
    )
    kinds = tuple(dict.fromkeys(kind for kind, _ in by_kind))
    return Rules(
        kinds=kinds,
        required_checks=tuple(dict.fromkeys(checks)),
        merge_queue="merge_queue" in kinds,
        approvals=max(approvals, default=0),
    )
