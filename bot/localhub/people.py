"""People who use the hub the way a person's client does: through its REST API."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from bot.localhub.state import Repository
from bot.localhub.state_apps import Account
from bot.localhub.types import Json


class Person:
    """A person with a token. Every act is a request; HTTP errors raise httpx.HTTPStatusError."""

    def __init__(self, account: Account, client: httpx.AsyncClient) -> None:
        self.account = account
        self._client = client

    @property
    def login(self) -> str:
        return self.account.login

    @property
    def token(self) -> str:
        return self.account.token

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request below the API's base; returns the JSON, or None where there is none."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = await self._client.request(method, path, json=body, headers=headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def open_issue(
        self, repo: Repository, title: str, body: str = "", labels: Sequence[str] = ()
    ) -> Json:
        given = {"title": title, "body": body, "labels": list(labels)}
        return await self._json("POST", repo, "/issues", given)

    async def edit_issue(self, repo: Repository, number: int, **changes: Any) -> Json:
        return await self._json("PATCH", repo, f"/issues/{number}", changes)

    async def label(self, repo: Repository, number: int, *names: str) -> None:
        await self.ask("POST", _at(repo, f"/issues/{number}/labels"), {"labels": list(names)})

    async def unlabel(self, repo: Repository, number: int, name: str) -> None:
        await self.ask("DELETE", _at(repo, f"/issues/{number}/labels/{name}"))

    async def comment(self, repo: Repository, number: int, body: str) -> Json:
        return await self._json("POST", repo, f"/issues/{number}/comments", {"body": body})

    async def close(self, repo: Repository, number: int, reason: str = "completed") -> Json:
        given = {"state": "closed", "state_reason": reason}
        return await self._json("PATCH", repo, f"/issues/{number}", given)

    async def reopen(self, repo: Repository, number: int) -> Json:
        return await self._json("PATCH", repo, f"/issues/{number}", {"state": "open"})

    async def lock(self, repo: Repository, number: int) -> None:
        await self.ask("PUT", _at(repo, f"/issues/{number}/lock"), {"lock_reason": "resolved"})

    async def react(self, repo: Repository, number: int, content: str) -> Json:
        return await self._json("POST", repo, f"/issues/{number}/reactions", {"content": content})

    async def block(self, repo: Repository, number: int, by: Json) -> None:
        """Have an issue wait for another, which may be another repository's."""
        path = f"/issues/{number}/dependencies/blocked_by"
        await self._json("POST", repo, path, {"issue_id": by["id"]})

    async def unblock(self, repo: Repository, number: int, by: Json) -> None:
        await self.ask("DELETE", _at(repo, f"/issues/{number}/dependencies/blocked_by/{by['id']}"))

    async def open_pull(
        self,
        repo: Repository,
        head: str,
        title: str,
        body: str = "",
        *,
        base: str | None = None,
        draft: bool = False,
    ) -> Json:
        given = {
            "title": title,
            "head": head,
            "base": base or repo.default_branch,
            "body": body,
            "draft": draft,
        }
        return await self._json("POST", repo, "/pulls", given)

    async def review(
        self,
        repo: Repository,
        number: int,
        event: str,
        body: str = "",
        comments: Sequence[Json] = (),
    ) -> Json:
        """``event`` is COMMENT, APPROVE or REQUEST_CHANGES."""
        given = {"event": event, "body": body, "comments": list(comments)}
        return await self._json("POST", repo, f"/pulls/{number}/reviews", given)

    async def reply(self, repo: Repository, number: int, comment_id: int, body: str) -> Json:
        path = f"/pulls/{number}/comments/{comment_id}/replies"
        return await self._json("POST", repo, path, {"body": body})

    async def press(self, repo: Repository, check_run_id: int, identifier: str) -> None:
        """Press a button of a completed check."""
        path = _at(repo, f"/check-runs/{check_run_id}/localhub-press")
        await self.ask("POST", path, {"identifier": identifier})

    async def rerequest(self, repo: Repository, check_run_id: int) -> None:
        await self.ask("POST", _at(repo, f"/check-runs/{check_run_id}/rerequest"))

    async def merge(
        self, repo: Repository, number: int, *, sha: str | None = None, method: str = "merge"
    ) -> Json:
        given = {"merge_method": method} | ({"sha": sha} if sha else {})
        return await self._json("PUT", repo, f"/pulls/{number}/merge", given)

    async def dispatch(
        self, repo: Repository, workflow: str, ref: str, inputs: Mapping[str, str]
    ) -> int:
        """Start a workflow; returns the run's id."""
        given = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
        path = f"/actions/workflows/{workflow}/dispatches"
        return int((await self._json("POST", repo, path, given))["workflow_run_id"])

    async def approve_run(
        self, repo: Repository, run_id: int, state: str = "approved", comment: str = ""
    ) -> None:
        """Approve (or reject) every environment that a run waits for."""
        path = _at(repo, f"/actions/runs/{run_id}/pending_deployments")
        waiting = await self.ask("GET", path)
        ids = [each["environment"]["id"] for each in waiting]
        await self.ask("POST", path, {"environment_ids": ids, "state": state, "comment": comment})

    async def push(
        self,
        repo: Repository,
        branch: str,
        files: Mapping[str, str | bytes | None],
        message: str,
        *,
        base: str | None = None,
        force: bool = False,
    ) -> str:
        """One commit on a branch (made from ``base`` where it is new); None removes a file."""
        parent, exists = await self._tip(repo, branch, base or repo.default_branch)
        entries = [await self._entry(repo, path, content) for path, content in files.items()]
        given = {"base_tree": parent, "tree": entries}
        tree = await self._json("POST", repo, "/git/trees", given)
        body = {"message": message, "tree": tree["sha"], "parents": [parent]}
        sha = str((await self._json("POST", repo, "/git/commits", body))["sha"])
        if exists:
            path = f"/git/refs/heads/{branch}"
            await self._json("PATCH", repo, path, {"sha": sha, "force": force})
        else:
            ref = {"ref": f"refs/heads/{branch}", "sha": sha}
            await self._json("POST", repo, "/git/refs", ref)
        return sha

    async def _tip(self, repo: Repository, branch: str, base: str) -> tuple[str, bool]:
        try:
            found = await self._json("GET", repo, f"/git/ref/heads/{branch}")
        except httpx.HTTPStatusError:
            found = await self._json("GET", repo, f"/git/ref/heads/{base}")
            return found["object"]["sha"], False
        return found["object"]["sha"], True

    async def _entry(self, repo: Repository, path: str, content: str | bytes | None) -> Json:
        entry: Json = {"path": path, "mode": "100644", "type": "blob"}
        if isinstance(content, str):
            return entry | {"content": content}
        if content is None:
            return entry | {"sha": None}
        given = {"content": base64.b64encode(content).decode(), "encoding": "base64"}
        return entry | {"sha": (await self._json("POST", repo, "/git/blobs", given))["sha"]}

    async def _json(self, method: str, repo: Repository, path: str, body: Any = None) -> Json:
        answer: Json = await self.ask(method, _at(repo, path), body)
        return answer


def _at(repo: Repository, path: str) -> str:
    return f"/repos/{repo.full_name}{path}"
