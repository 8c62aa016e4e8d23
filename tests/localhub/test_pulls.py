"""Pull requests: opening, reviewing, merging, and what the hub refuses."""

import pytest

from tests.localhub.shop import Shop

READY = "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { x } }"
THREADS = """query { repository(owner: "acme", name: "shop") { pullRequest(number: 1) {
  reviewThreads(first: 50) { nodes { id isResolved } } } } }"""


async def test_a_draft_is_opened_made_ready_and_merged_at_its_sha(shop: Shop) -> None:
    await shop.writer.push(shop.repo, "feat", {"app.py": "def total():\n    return 2\n"}, "two")
    await shop.writer.open_issue(shop.repo, "Wrong total")
    pull = await shop.pull("feat2", draft=True, body="Fixes #1")
    path = f"/pulls/{pull['number']}/merge"
    assert (pull["draft"], pull["mergeable_state"]) == (True, "draft")
    sha = pull["head"]["sha"]
    assert (await shop.bot("PUT", path, {"sha": sha})).status_code == 405
    ready = await shop.graphql(READY, id=pull["node_id"])
    assert ready["data"]["markPullRequestReadyForReview"]["pullRequest"]["isDraft"] is False
    wrong = await shop.bot("PUT", path, {"sha": "0" * 40})
    assert wrong.status_code == 409
    assert wrong.json()["message"].startswith("Head branch was modified")
    merged = await shop.bot("PUT", path, {"sha": sha})
    assert merged.json()["merged"] is True
    main = (await shop.bot("GET", "/git/ref/heads/main")).json()["object"]["sha"]
    assert main == merged.json()["sha"]
    after = (await shop.bot("GET", f"/pulls/{pull['number']}")).json()
    assert (after["merged"], after["merge_commit_sha"]) == (True, main)
    assert (await shop.bot("GET", "/issues/1")).json()["state"] == "closed"
    assert shop.actions("pull_request") == ["opened", "ready_for_review", "closed"]
    assert shop.events("pull_request")[-1]["pull_request"]["merged"] is True


@pytest.mark.parametrize(("method", "parents"), [("merge", 2), ("squash", 1), ("rebase", 1)])
async def test_each_way_to_merge_leaves_the_commits_it_should(
    shop: Shop, method: str, parents: int
) -> None:
    pull = await shop.pull()
    await shop.writer.push(shop.repo, "main", {"other": "moved on"}, "moved")
    merged = await shop.bot("PUT", "/pulls/1/merge", {"merge_method": method})
    assert merged.status_code == 200, merged.text
    commit = (await shop.bot("GET", f"/commits/{merged.json()['sha']}")).json()
    assert len(commit["parents"]) == parents
    assert (await shop.bot("GET", "/contents/app.py")).status_code == 200
    assert pull["commits"] == 1


async def test_a_second_pull_request_for_a_branch_is_refused(shop: Shop) -> None:
    await shop.pull()
    again = await shop.bot("POST", "/pulls", {"title": "x", "head": "feat", "base": "main"})
    assert again.status_code == 422
    assert again.json()["errors"][0]["message"] == "A pull request already exists for acme:feat."


async def test_a_pull_request_needs_commits(shop: Shop) -> None:
    main = (await shop.bot("GET", "/git/ref/heads/main")).json()["object"]["sha"]
    await shop.bot("POST", "/git/refs", {"ref": "refs/heads/same", "sha": main})
    answer = await shop.bot("POST", "/pulls", {"title": "x", "head": "same", "base": "main"})
    assert answer.json()["errors"][0]["message"] == "No commits between main and same"


async def test_drafts_are_refused_where_the_plan_has_none(shop: Shop) -> None:
    shop.hub.configure(shop.repo, allow_drafts=False)
    await shop.writer.push(shop.repo, "feat", {"x": "1"}, "x")
    body = {"title": "x", "head": "feat", "base": "main", "draft": True}
    assert (await shop.bot("POST", "/pulls", body)).status_code == 422
    assert (await shop.bot("POST", "/pulls", body | {"draft": False})).status_code == 201


async def test_a_conflict_is_seen_and_not_merged(shop: Shop) -> None:
    await shop.pull()
    await shop.writer.push(shop.repo, "main", {"app.py": "def total():\n    return 9\n"}, "nine")
    pull = (await shop.bot("GET", "/pulls/1")).json()
    assert (pull["mergeable"], pull["mergeable_state"]) == (False, "dirty")
    assert (await shop.bot("PUT", "/pulls/1/merge", {})).status_code == 405


async def test_required_checks_hold_the_merge_until_they_are_green(shop: Shop) -> None:
    shop.hub.configure(shop.repo, required_checks=["chimera / task"])
    pull = await shop.pull()
    rules = (await shop.bot("GET", "/rules/branches/main")).json()
    assert rules[0]["parameters"]["required_status_checks"] == [{"context": "chimera / task"}]
    assert (await shop.bot("GET", "/pulls/1")).json()["mergeable_state"] == "blocked"
    refused = await shop.bot("PUT", "/pulls/1/merge", {})
    assert refused.status_code == 405
    assert '"chimera / task" is expected' in refused.json()["message"]
    check = {"name": "chimera / task", "head_sha": pull["head"]["sha"], "conclusion": "success"}
    await shop.bot("POST", "/check-runs", check | {"status": "completed"})
    assert (await shop.bot("GET", "/pulls/1")).json()["mergeable_state"] == "clean"
    assert (await shop.bot("PUT", "/pulls/1/merge", {})).status_code == 200


async def test_the_merge_queue_merges_what_its_checks_allow(shop: Shop) -> None:
    shop.hub.configure(shop.repo, required_checks=["ci"], merge_queue=True)
    shop.app.permissions["merge_queues"] = "read"
    installation = shop.hub.world.installations[shop.installation_id]
    installation.permissions["merge_queues"] = "read"
    installation.events.append("merge_group")
    pull = await shop.pull()
    done = {"name": "ci", "status": "completed", "conclusion": "success"}
    await shop.bot("POST", "/check-runs", done | {"head_sha": pull["head"]["sha"]})
    assert (await shop.bot("PUT", "/pulls/1/merge", {})).status_code == 405
    queue = "mutation($id: ID!) { enqueuePullRequest(input: {pullRequestId: $id}) { x } }"
    entry = await shop.graphql(queue, id=pull["node_id"])
    assert entry["data"]["enqueuePullRequest"]["mergeQueueEntry"]["position"] == 1
    group = shop.events("merge_group")[0]["merge_group"]
    assert (await shop.bot("GET", "/pulls/1")).json()["merged"] is False
    await shop.bot("POST", "/check-runs", done | {"head_sha": group["head_sha"]})
    assert (await shop.bot("GET", "/pulls/1")).json()["merge_commit_sha"] == group["head_sha"]


async def test_the_author_cannot_approve_and_others_can(shop: Shop) -> None:
    await shop.pull()
    for event in ("APPROVE", "REQUEST_CHANGES"):
        own = await shop.bot("POST", "/pulls/1/reviews", {"event": event, "body": "x"})
        assert own.status_code == 422
    await shop.writer.review(shop.repo, 1, "APPROVE")
    reviews = (await shop.bot("GET", "/pulls/1/reviews")).json()
    assert [(one["user"]["login"], one["state"]) for one in reviews] == [("walt", "APPROVED")]
    assert shop.events("pull_request_review")[0]["review"]["state"] == "approved"


async def test_line_comments_must_be_on_the_diff_and_are_answered(shop: Shop) -> None:
    await shop.pull()
    off = {"path": "app.py", "line": 77, "body": "where?"}
    refused = await shop.bot("POST", "/pulls/1/reviews", {"event": "COMMENT", "comments": [off]})
    assert refused.status_code == 422
    on = {"path": "app.py", "line": 2, "side": "RIGHT", "body": "why two?"}
    await shop.writer.review(shop.repo, 1, "REQUEST_CHANGES", "look", [on])
    comments = (await shop.bot("GET", "/pulls/1/comments")).json()
    assert [(one["line"], one["body"]) for one in comments] == [(2, "why two?")]
    reply = await shop.bot(
        "POST", f"/pulls/1/comments/{comments[0]['id']}/replies", {"body": "done"}
    )
    assert reply.json()["in_reply_to_id"] == comments[0]["id"]
    threads = await shop.graphql(THREADS)
    nodes = threads["data"]["repository"]["pullRequest"]["reviewThreads"]["nodes"]
    resolve = "mutation($t: ID!) { resolveReviewThread(input: {threadId: $t}) { x } }"
    await shop.graphql(resolve, t=nodes[0]["id"])
    assert shop.actions("pull_request_review_thread") == ["resolved"]


async def test_the_base_is_merged_into_the_branch_on_request(shop: Shop) -> None:
    pull = await shop.pull()
    await shop.writer.push(shop.repo, "main", {"other": "x"}, "moved")
    body = {"expected_head_sha": pull["head"]["sha"]}
    assert (await shop.bot("PUT", "/pulls/1/update-branch", body)).status_code == 202
    assert shop.actions("pull_request")[-1] == "synchronize"
    stale = await shop.bot("PUT", "/pulls/1/update-branch", body)
    assert stale.status_code == 422


async def test_the_branch_goes_with_the_merge_where_asked(shop: Shop) -> None:
    shop.hub.configure(shop.repo, delete_branch_on_merge=True)
    await shop.pull()
    await shop.bot("PUT", "/pulls/1/merge", {})
    assert (await shop.bot("GET", "/git/ref/heads/feat")).status_code == 404
    listed = (await shop.bot("GET", "/pulls?state=all&head=acme:feat")).json()
    assert [one["number"] for one in listed] == [1]


async def test_an_unknown_graphql_field_is_an_error_with_status_200(shop: Shop) -> None:
    answer = await shop.graphql("mutation { makeCoffee(input: {}) { x } }")
    assert "makeCoffee" in answer["errors"][0]["message"]
