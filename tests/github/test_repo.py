"""Every call of Repo and App conforms to GitHub's description, and its answer is understood."""

import base64
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from bot.domain import Actor, RepoRef
from bot.errors import Conflict, Refused, Transient
from bot.github.app import App
from bot.github.manifest import convert
from bot.github.repo import Repo
from bot.github.types import (
    Annotation,
    Button,
    Check,
    CheckStatus,
    Conclusion,
    LineComment,
)
from tests.conformance.checker import Conformance
from tests.github.wire import API, REPO, Clock, Wire, github

SHA = "a" * 40
BRANCH = "chimera/1-log-out"
FULL_CHECK = Check(
    status=CheckStatus.COMPLETED,
    conclusion=Conclusion.ACTION_REQUIRED,
    title="Waiting for you",
    summary="s" * 70_000,
    text="t",
    details_url="http://bot/tasks/1",
    annotations=tuple(
        Annotation(path="a.py", line=n + 1, level="warning", message="m", title="t")
        for n in range(60)
    ),
    buttons=(Button(label="Approve deploy", description="Deploy it", identifier="approve"),),
)

Call = Callable[[Repo], Awaitable[Any]]

CALLS: dict[str, Call] = {
    "role_of": lambda r: r.role_of("ann"),
    "issue": lambda r: r.issue(1),
    "blocked_by": lambda r: r.blocked_by(1),
    "issues": lambda r: r.issues(labels=["chimera"], state="open"),
    "labelled": lambda r: r.labelled("chimera", etag='W/"1"'),
    "edited_at": lambda r: r.edited_at(1),
    "create_issue": lambda r: r.create_issue(title="t", body="b", labels=["chimera"]),
    "close_issue": lambda r: r.close_issue(1),
    "comments": lambda r: r.comments(1, since="2026-01-01T00:00:00Z"),
    "create_comment": lambda r: r.create_comment(1, "b"),
    "edit_comment": lambda r: r.edit_comment(9, "b"),
    "pin_comment": lambda r: r.pin_comment(9),
    "add_label": lambda r: r.add_label(1, "chimera:running"),
    "remove_label": lambda r: r.remove_label(1, "chimera:running"),
    "ensure_label": lambda r: r.ensure_label("chimera", color="#aabbcc", description="d" * 200),
    "labels": lambda r: r.labels(),
    "react_to_issue": lambda r: r.react_to_issue(1, "eyes"),
    "react_to_comment": lambda r: r.react_to_comment(9, "rocket"),
    "react_to_review": lambda r: r.react_to_review("PRR_1", "rocket"),
    "unreact_to_issue": lambda r: r.unreact_to_issue(1, 3),
    "history": lambda r: r.history(1),
    "create_pull": lambda r: r.create_pull(title="t", head=BRANCH, base="main", body="b"),
    "pull": lambda r: r.pull(2),
    "pulls": lambda r: r.pulls(head=BRANCH, base="main", state="all"),
    "open_pulls": lambda r: r.open_pulls(etag='W/"1"'),
    "update_pull": lambda r: r.update_pull(2, title="t", body="b", state="closed"),
    "mark_ready": lambda r: r.mark_ready("PR_1"),
    "enqueue": lambda r: r.enqueue("PR_1", SHA),
    "merge": lambda r: r.merge(2, sha=SHA, method="squash", title="t"),
    "update_branch": lambda r: r.update_branch(2, expected_head=SHA),
    "create_review": lambda r: r.create_review(
        2, sha=SHA, body="b", comments=[LineComment(path="a.py", line=3, body="c")]
    ),
    "reviews": lambda r: r.reviews(2),
    "review_comments": lambda r: r.review_comments(2),
    "reply": lambda r: r.reply(2, 8, "b"),
    "create_check": lambda r: r.create_check(
        "chimera / task", sha=SHA, external_id="t-1", check=FULL_CHECK
    ),
    "update_check": lambda r: r.update_check(6, FULL_CHECK),
    "checks": lambda r: r.checks(SHA, name="chimera / task", app_id=3),
    "annotations": lambda r: r.annotations(6),
    "statuses": lambda r: r.statuses(SHA),
    "dispatch": lambda r: r.dispatch("deploy.yml", ref="main", inputs={"sha": SHA}),
    "workflows": lambda r: r.workflows(),
    "runs": lambda r: r.runs(
        since="2026-01-01T00:00:00Z", event="workflow_dispatch", workflow="deploy.yml"
    ),
    "run": lambda r: r.run(4),
    "jobs": lambda r: r.jobs(4),
    "job_log": lambda r: r.job_log(4, limit=100),
    "cancel_run": lambda r: r.cancel_run(4),
    "answer_protection": lambda r: r.answer_protection(
        4, environment="production", approved=True, comment="ok"
    ),
    "deployments": lambda r: r.deployments(sha=SHA, environment="staging", ref="main"),
    "deployment_statuses": lambda r: r.deployment_statuses(4),
    "environments": lambda r: r.environments(),
    "info": lambda r: r.info(),
    "branch_sha": lambda r: r.branch_sha(BRANCH),
    "create_branch": lambda r: r.create_branch(BRANCH, SHA),
    "add_file": lambda r: r.add_file("docs/a b.md", b"x", branch=BRANCH, message="m"),
    "tree_of": lambda r: r.tree_of(SHA),
    "file": lambda r: r.file(".github/chimera.yml", ref="main", limit=100),
    "rules": lambda r: r.rules(BRANCH),
}

APP_CALLS: dict[str, Callable[[App], Awaitable[Any]]] = {
    "info": lambda a: a.info(),
    "account": lambda a: a.account(5),
    "installations": lambda a: a.installations(),
    "installation": lambda a: a.installation(5),
    "installation_of": lambda a: a.installation_of(REPO),
    "repositories": lambda a: a.repositories(5),
    "allowance": lambda a: a.allowance(5),
    "deliveries": lambda a: a.deliveries(),
    "redeliver": lambda a: a.redeliver(12),
    "hook": lambda a: a.hook(),
}


def problems_of(request: httpx.Request) -> list[str]:
    """What GitHub's description has against a recorded request."""
    path = request.url.raw_path.decode().partition("?")[0].removeprefix("/api/v3")
    if path == "/api/graphql":
        return []  # not part of this description
    body = json.loads(request.content) if request.content else None
    return Conformance.load().request(request.method, path, dict(request.url.params), body)


def reply(method: str) -> httpx.Response:
    """An answer that carries what every reader of this file needs at least."""
    body = {"id": 1, "sha": SHA, "data": {"x": 1}, "url": "http://x", "slug": "chimera"}
    return httpx.Response(200 if method == "GET" else 201, json=body)


def test_no_call_is_left_out() -> None:
    def public(kind: type) -> set[str]:
        found = inspect.getmembers(kind, inspect.iscoroutinefunction)
        return {name for name, _ in found if not name.startswith("_")}

    assert public(Repo) == set(CALLS)
    assert public(App) == set(APP_CALLS)


@pytest.mark.parametrize("name", CALLS)
async def test_every_call_in_a_repository_is_one_that_github_describes(name: str) -> None:
    wire = Wire(lambda request: reply(request.method))
    await CALLS[name](Repo(github(wire), REPO))
    assert wire.requests
    assert [p for request in wire.requests for p in problems_of(request)] == []


@pytest.mark.parametrize("name", APP_CALLS)
async def test_every_call_as_the_app_is_one_that_github_describes(name: str) -> None:
    wire = Wire(lambda request: reply(request.method))
    await APP_CALLS[name](App(github(wire)))
    assert wire.requests
    assert [p for request in wire.requests for p in problems_of(request)] == []


# ── answers ──────────────────────────────────────────────────────────────────────────────────


def answering(status: int, body: Any = None) -> tuple[Repo, Wire]:
    wire = Wire(httpx.Response(status, json=body) if body is not None else httpx.Response(status))
    return Repo(github(wire), REPO), wire


async def test_a_role_is_the_role_name_and_is_remembered_for_a_minute() -> None:
    clock = Clock()
    wire = Wire(httpx.Response(200, json={"permission": "write", "role_name": "maintain"}))
    hub = github(wire, clock)
    for login in ("ann", "Ann", "ann"):
        assert await Repo(hub, REPO).role_of(login) == "maintain"
    assert len(wire.sent) == 1
    clock.at += 61
    await Repo(hub, REPO).role_of("ann")
    assert len(wire.sent) == 2


@pytest.mark.parametrize("folded", ["admin", "write", "read"])
async def test_a_role_that_an_organisation_made_up_counts_as_what_it_may_do(folded: str) -> None:
    repo, _ = answering(200, {"permission": folded, "role_name": "release-manager"})
    assert await repo.role_of("ann") == folded


async def test_a_stranger_has_no_role() -> None:
    repo, _ = answering(404, {"message": "Not Found"})
    assert await repo.role_of("nobody") == "none"


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_is_gone_already(status: int) -> None:
    repo, _ = answering(status, {"message": "Not Found"})
    await repo.remove_label(1, "chimera")
    await repo.unreact_to_issue(1, 2)
    assert await repo.branch_sha("main") is None
    assert await repo.file("a.txt", limit=9) is None
    assert await repo.environments() == []
    assert not await repo.pin_comment(4)


async def test_a_deleted_issue_is_refused_with_its_status() -> None:
    repo, _ = answering(410, {"message": "This issue was deleted"})
    with pytest.raises(Refused) as caught:
        await repo.issue(1)
    assert caught.value.status == 410


async def test_an_existing_label_stays_as_it_is() -> None:
    repo, _ = answering(422, {"errors": [{"resource": "Label", "code": "already_exists"}]})
    await repo.ensure_label("chimera", color="ffffff", description="")
    other, _ = answering(422, {"errors": [{"resource": "Label", "code": "invalid"}]})
    with pytest.raises(Refused):
        await other.ensure_label("chimera", color="ffffff", description="")


async def test_the_words_of_a_422_are_in_the_error() -> None:
    body = {
        "message": "Validation Failed",
        "errors": [{"message": "A pull request already exists for acme:x."}],
    }
    repo, _ = answering(422, body)
    with pytest.raises(Refused, match="already exists for acme:x") as caught:
        await repo.create_pull(title="t", head="x", base="main", body="b")
    assert "already exists" in caught.value.body


async def test_a_merge_of_a_moved_head_is_a_conflict() -> None:
    repo, _ = answering(409, {"message": "Head branch was modified"})
    with pytest.raises(Conflict, match="modified"):
        await repo.merge(2, sha=SHA, method="merge")


async def test_a_dispatch_tells_its_run_where_the_server_knows_it() -> None:
    repo, wire = answering(200, {"workflow_run_id": 77, "run_url": "u", "html_url": "h"})
    assert await repo.dispatch("deploy.yml", ref="main", inputs={"a": "b"}) == 77
    assert wire.body() == {"ref": "main", "inputs": {"a": "b"}, "return_run_details": True}
    older, _ = answering(204)
    assert await older.dispatch("deploy.yml", ref="main", inputs={}) is None


async def test_a_run_that_has_ended_need_not_be_cancelled() -> None:
    repo, _ = answering(409, {"message": "Cannot cancel a workflow run that is completed."})
    await repo.cancel_run(4)


async def test_buttons_go_out_with_a_completed_check_only() -> None:
    repo, wire = answering(201, {"id": 1})
    await repo.create_check("n", sha=SHA, external_id="t", check=FULL_CHECK)
    assert wire.body()["actions"][0]["identifier"] == "approve"
    assert len(wire.body()["output"]["annotations"]) == 50
    running = Check(status=CheckStatus.IN_PROGRESS, buttons=FULL_CHECK.buttons)
    await repo.update_check(1, running)
    assert wire.body() == {"status": "in_progress", "actions": []}, "what was there before, goes"


async def test_a_pull_request_is_read_as_it_is() -> None:
    body = {
        "number": 2,
        "node_id": "PR_2",
        "title": "t",
        "body": None,
        "state": "open",
        "draft": True,
        "merged": False,
        "mergeable": None,
        "merge_commit_sha": SHA,
        "head": {"ref": BRANCH, "sha": SHA, "repo": None},
        "base": {"ref": "main", "sha": "b" * 40},
        "user": None,
    }
    pull = await answering(200, body)[0].pull(2)
    assert (pull.body, pull.mergeable, pull.merge_sha) == ("", None, "")
    assert pull.author == Actor(login="ghost", id=0)
    merged = body | {"merged": True, "merged_at": "2026-01-01T00:00:00Z", "mergeable": False}
    again = await answering(200, merged)[0].pull(2)
    assert (again.merged, again.mergeable, again.merge_sha) == (True, False, SHA)


async def test_the_rules_of_a_branch_are_summed_up() -> None:
    found = [
        {
            "type": "required_status_checks",
            "parameters": {"required_status_checks": [{"context": "ci"}, {"context": "lint"}]},
        },
        {"type": "pull_request", "parameters": {"required_approving_review_count": 2}},
        {"type": "merge_queue"},
    ]
    rules = await answering(200, found)[0].rules("main")
    assert rules is not None
    assert (rules.required_checks, rules.approvals, rules.merge_queue) == (("ci", "lint"), 2, True)
    assert await answering(403, {"message": "Upgrade to GitHub Pro"})[0].rules("main") is None


async def test_pull_requests_are_left_out_of_issues() -> None:
    repo, _ = answering(200, [{"number": 1}, {"number": 2, "pull_request": {"url": "x"}}])
    assert [issue.number for issue in await repo.issues()] == [1]


def a_file(content: bytes, **more: Any) -> dict[str, Any]:
    text = base64.encodebytes(content).decode()
    size = len(content)
    return {"type": "file", "encoding": "base64", "size": size, "content": text, **more}


async def test_a_file_is_read_up_to_its_limit() -> None:
    repo, _ = answering(200, a_file(b"\0\xff" * 40))
    assert await repo.file("a.bin", limit=80) == b"\0\xff" * 40
    assert await repo.file("a.bin", limit=79) is None


@pytest.mark.parametrize(
    "answer",
    [[], [a_file(b"in a directory")], a_file(b"x", type="symlink"), a_file(b"", encoding="none")],
)
async def test_what_is_no_plain_file_is_none(answer: Any) -> None:
    assert await answering(200, answer)[0].file("docs", limit=100) is None


async def test_a_list_that_is_none_reads_as_empty() -> None:
    repo, _ = answering(200, {"message": "not a list"})
    assert await repo.comments(1) == []


async def test_the_repositories_of_an_installation() -> None:
    found = {"repositories": [{"id": 7, "full_name": "acme/shop"}, {"id": 8, "name": ".."}]}
    app = App(github(Wire(httpx.Response(200, json=found))))
    assert await app.repositories(5) == [
        RepoRef(id=7, owner="acme", name="shop", installation_id=5)
    ]


async def test_the_manifest_flow_gives_an_app_once() -> None:
    body = {"id": 3, "slug": "chimera", "pem": "PEM-of-the-app", "webhook_secret": "hush-hush"}
    wire = Wire(httpx.Response(201, json=body))
    made = await convert("abc123", now=0.0, api_url=API, transport=wire)
    assert (made.id, made.pem, made.webhook_secret) == (3, "PEM-of-the-app", "hush-hush")
    assert problems_of(wire.requests[0]) == []
    assert "authorization" not in wire.requests[0].headers
    stale = Wire(httpx.Response(404, json={"message": "Not Found"}))
    with pytest.raises(Refused):
        await convert("abc123", now=0.0, api_url=API, transport=stale)


async def test_a_conversion_without_an_answer_does_not_tell_its_code() -> None:
    with pytest.raises(Transient) as caught:
        await convert("abc123", now=0.0, api_url=API, transport=Wire(httpx.ReadTimeout("slow")))
    assert "abc123" not in str(caught.value)
