"""Every kind of answer, held to GitHub's own description by the fixture; and what starts what."""

from typing import Any

import pytest

from bot.localhub.workflow_file import dispatch_inputs, evaluate, parse, starts_on
from tests.localhub.shop import Shop

READS = [
    "/",
    "/branches",
    "/branches/feat",
    "/commits",
    "/commits/feat",
    "/commits/feat/pulls",
    "/compare/main...feat",
    "/git/ref/heads/feat",
    "/git/matching-refs/heads/fe",
    "/git/trees/feat?recursive=1",
    "/contents/app.py",
    "/rules/branches/main",
    "/labels",
    "/labels/bug",
    "/issues?state=all&labels=bug",
    "/issues/1",
    "/issues/1/labels",
    "/issues/1/events",
    "/issues/1/timeline",
    "/issues/1/comments",
    "/issues/comments",
    "/issues/1/reactions",
    "/pulls?state=open",
    "/pulls/2",
    "/pulls/2/files",
    "/pulls/2/commits",
    "/pulls/2/reviews",
    "/pulls/2/comments",
    "/pulls/2/requested_reviewers",
    "/commits/feat/check-runs",
    "/commits/feat/check-suites",
    "/commits/feat/status",
    "/commits/feat/statuses",
    "/actions/workflows",
    "/actions/workflows/deploy.yml",
    "/actions/runs",
    "/actions/workflows/deploy.yml/runs",
    "/deployments",
    "/environments",
    "/environments/staging",
    "/collaborators/walt/permission",
]


async def furnish(shop: Shop) -> None:
    """One of everything."""
    await shop.writer.open_issue(shop.repo, "One", "body", ["bug"])
    await shop.writer.comment(shop.repo, 1, "a comment")
    await shop.writer.react(shop.repo, 1, "eyes")
    pull = await shop.pull()
    sha = pull["head"]["sha"]
    line = {"path": "app.py", "line": 2, "side": "RIGHT", "body": "why?"}
    await shop.writer.review(shop.repo, 2, "COMMENT", "hm", [line])
    await shop.owner.ask(
        "POST", "/repos/acme/shop/pulls/2/requested_reviewers", {"reviewers": ["walt"]}
    )
    await shop.bot("POST", "/check-runs", {"name": "c", "head_sha": sha})
    await shop.bot("POST", f"/statuses/{sha}", {"state": "success"})
    body = {"ref": "feat", "environment": "staging", "required_contexts": [], "auto_merge": False}
    made = (await shop.bot("POST", "/deployments", body)).json()
    state = {"state": "success", "environment_url": "http://x.test"}
    await shop.bot("POST", f"/deployments/{made['id']}/statuses", state)
    inputs = {"env": "staging", "sha": "f" * 40}
    await shop.owner.dispatch(shop.repo, "deploy.yml", "main", inputs)
    await shop.hub.settle()


async def test_everything_that_can_be_read_has_githubs_shape(shop: Shop) -> None:
    shop.hub.configure(shop.repo, required_checks=["c"], merge_queue=True, required_approvals=1)
    await furnish(shop)
    for path in READS:
        answer = await shop.bot("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
    for path in ("/user", "/users/walt", "/rate_limit", "/meta", "/apps/chimera"):
        headers = {"Authorization": f"token {shop.writer.token}"}
        assert (await shop.client.get(path, headers=headers)).status_code == 200, path
    for path in ("/app/hook/config", f"/app/installations/{shop.installation_id}"):
        assert (await shop.as_app("GET", path)).status_code == 200, path


async def test_repositories_come_and_go_from_an_installation(shop: Shop) -> None:
    other = shop.hub.create_repository("acme", "other", {"a": "b"}, private=True)
    shop.hub.set_installed_repositories(shop.installation_id, [other])
    gone = shop.events("installation_repositories")[0]
    assert [one["name"] for one in gone["repositories_removed"]] == ["shop"]
    assert (await shop.bot("POST", "/issues", {"title": "x"})).status_code == 403
    assert (await shop.bot("GET", "/repos/acme/other")).status_code == 200
    shop.hub.delete_repository(other)
    assert (await shop.bot("GET", "/repos/acme/other")).status_code == 404


async def test_a_transferred_repository_leads_to_its_new_owner(shop: Shop) -> None:
    shop.hub.transfer_repository(shop.repo, "olga")
    assert shop.actions("repository") == ["transferred"]
    assert (await shop.bot("GET", "")).status_code == 301
    assert (await shop.bot("POST", "/issues", {"title": "x"})).status_code == 307


async def test_the_hub_serves_on_loopback_only(shop: Shop) -> None:
    with pytest.raises(ValueError, match="loopback"):
        async with shop.hub.serve("0.0.0.0"):
            pass


@pytest.mark.parametrize(
    ("on", "event", "ref", "action", "starts"),
    [
        ("push", "push", "refs/heads/x", None, True),
        ("[push]", "pull_request", "refs/heads/x", "opened", False),
        ("{push: {branches: [main, 'release/**']}}", "push", "refs/heads/release/1", None, True),
        ("{push: {branches: [main]}}", "push", "refs/heads/feat", None, False),
        ("{push: {branches-ignore: [main]}}", "push", "refs/heads/main", None, False),
        ("{push: {branches: [main]}}", "push", "refs/tags/v1", None, False),
        ("{push: {tags: ['v*']}}", "push", "refs/tags/v1", None, True),
        ("pull_request", "pull_request", "refs/heads/x", "synchronize", True),
        ("pull_request", "pull_request", "refs/heads/x", "labeled", False),
        ("{pull_request: {types: [labeled]}}", "pull_request", "refs/heads/x", "labeled", True),
    ],
)
def test_a_workflow_starts_on_what_it_names(
    on: str, event: str, ref: str, action: str | None, starts: bool
) -> None:
    source = parse(f"on: {on}\njobs: {{}}\n")
    assert source is not None
    assert starts_on(source, event, ref, action) is starts


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("deploy ${{ inputs.env }}", "deploy staging"),
        ("${{ inputs.none || 'default' }}", "default"),
        ("${{ inputs.none }}", ""),
        ("${{ steps.up.outputs.url }}/x", "http://h/x"),
        ("${{ inputs.flag }}", "true"),
        ("${{ __import__('os') }}", ""),
        ("plain", "plain"),
    ],
)
def test_expressions_of_names_are_evaluated(text: str, value: str) -> None:
    context: dict[str, Any] = {
        "inputs": {"env": "staging", "flag": True},
        "steps": {"up": {"outputs": {"url": "http://h"}}},
    }
    assert evaluate(text, context) == value


def test_inputs_take_their_defaults() -> None:
    source = parse(
        "on: {workflow_dispatch: {inputs: {a: {default: x}, b: {type: boolean, default: false},"
        " c: {}}}}\njobs: {}\n"
    )
    assert source is not None
    assert dispatch_inputs(source, {}) == {"a": "x", "b": "false"}
    assert dispatch_inputs(source, {"b": True, "c": "1"}) == {"a": "x", "b": "true", "c": "1"}
