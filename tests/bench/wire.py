"""Deliveries as GitHub sends them, in size and shape, signed; and the request's bytes."""

import hashlib
import hmac
import json
import uuid
from typing import Any

SECRET = "a bench's webhook secret"
API = "https://api.github.com"

_REPO_LINKS = """
forks keys collaborators teams hooks issue_events events assignees branches tags blobs git_tags
git_refs trees statuses languages stargazers contributors subscribers subscription commits
git_commits comments issue_comment contents compare merges archive downloads issues pulls
milestones notifications labels releases deployments
"""
_USER_LINKS = """
followers following gists starred subscriptions organizations repos events received_events
"""
_ISSUE_LINKS = "labels comments events timeline"
_RUN_LINKS = "jobs logs artifacts"


def labeled(issue: int, label: str = "chimera") -> dict[str, Any]:
    """`issues.labeled` with the links and counters that GitHub puts into every one: about 8 KB."""
    body = "A visitor wants a button that ends the session. " * 40
    return _payload(
        action="labeled",
        label=_label(label),
        issue={
            **_links(f"{API}/repos/octo/shop/issues/{issue}", _ISSUE_LINKS),
            "id": 10_000 + issue,
            "number": issue,
            "title": "Add logout",
            "body": body,
            "user": _user("octocat", 1),
            "state": "open",
            "labels": [_label(label), _label("enhancement")],
            "html_url": f"https://github.com/octo/shop/issues/{issue}",
            "created_at": "2026-05-01T10:00:00Z",
            "updated_at": "2026-05-01T10:00:00Z",
            "comments": 0,
        },
    )


def run_completed(run_id: int) -> dict[str, Any]:
    """`workflow_run.completed`, which wakes the task that waits for this run."""
    return _payload(
        action="completed",
        workflow_run={
            **_links(f"{API}/repos/octo/shop/actions/runs/{run_id}", _RUN_LINKS),
            "id": run_id,
            "name": "deploy",
            "path": ".github/workflows/deploy.yml@main",
            "display_title": "deploy",
            "status": "completed",
            "conclusion": "success",
            "head_sha": "a" * 40,
            "head_branch": "main",
            "event": "workflow_dispatch",
            "html_url": f"https://github.com/octo/shop/actions/runs/{run_id}",
        },
    )


def headers(event: str, body: bytes, guid: str = "") -> dict[str, str]:
    """A delivery's headers; a GUID of its own unless one is given.

    GitHub's are of version 1, made of the time:
    https://docs.github.com/en/webhooks/webhook-events-and-payloads#example-webhook-delivery
    """
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/0123abc",
        "x-github-delivery": guid or str(uuid.uuid1()),
        "x-github-event": event,
        "x-github-hook-id": "1",
        "x-hub-signature-256": f"sha256={signature}",
    }


def request(port: int, event: str, body: bytes, guid: str = "") -> bytes:
    """The whole HTTP/1.1 request."""
    fields = {
        "host": f"127.0.0.1:{port}",
        "accept": "*/*",
        "content-length": str(len(body)),
        **headers(event, body, guid),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST /webhook HTTP/1.1\r\n{head}\r\n".encode() + body


def encode(payload: Any) -> bytes:
    return json.dumps(payload).encode()


def _payload(**parts: Any) -> dict[str, Any]:
    repository = {
        **_links(f"{API}/repos/octo/shop", _REPO_LINKS),
        "id": 7,
        "name": "shop",
        "full_name": "octo/shop",
        "private": False,
        "owner": _user("octo", 2),
        "html_url": "https://github.com/octo/shop",
        "default_branch": "main",
    }
    return {
        **parts,
        "repository": repository,
        "sender": _user("octocat", 1),
        "installation": {"id": 99, "node_id": "MDIz"},
    }


def _user(login: str, number: int) -> dict[str, Any]:
    links = _links(f"{API}/users/{login}", _USER_LINKS)
    return {**links, "login": login, "id": number, "type": "User", "site_admin": False}


def _label(name: str) -> dict[str, Any]:
    return {"id": 5, "name": name, "color": "ededed", "default": False, "url": f"{API}/l/{name}"}


def _links(base: str, names: str) -> dict[str, str]:
    return {"url": base, **{f"{name}_url": f"{base}/{name}" for name in names.split()}}
