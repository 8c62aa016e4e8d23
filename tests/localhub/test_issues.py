"""Issues, comments, labels, reactions, and what the hub refuses."""

import httpx
import pytest

from tests.localhub.shop import Shop


async def test_a_labelled_issue_is_told_with_its_labels(shop: Shop) -> None:
    issue = await shop.writer.open_issue(shop.repo, "Add logout", "please", ["chimera"])
    assert [label["name"] for label in issue["labels"]] == ["chimera"]
    assert shop.actions("issues") == ["opened", "labeled"]
    labeled = shop.events("issues")[1]
    assert labeled["label"]["name"] == "chimera"
    assert labeled["sender"]["login"] == "walt"
    assert labeled["installation"]["id"] == shop.installation_id
    assert labeled["organization"]["login"] == "acme"
    history = (await shop.bot("GET", "/issues/1/events")).json()
    assert [(line["event"], line["actor"]["login"]) for line in history] == [("labeled", "walt")]


async def test_who_has_no_rights_opens_issues_without_labels(shop: Shop) -> None:
    issue = await shop.stranger.open_issue(shop.repo, "Hello", labels=["chimera"])
    assert issue["labels"] == []
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        await shop.stranger.label(shop.repo, 1, "chimera")


async def test_an_issue_form_labels_for_any_author(shop: Shop) -> None:
    shop.hub.submit_issue_form(shop.repo, "sam", "Hello", "body", ["chimera"])
    assert shop.events("issues")[1]["sender"]["login"] == "sam"
    assert shop.events("issues")[1]["action"] == "labeled"


async def test_an_edit_tells_what_was_there_before(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "Old", "old body")
    await shop.writer.edit_issue(shop.repo, 1, title="New", body="new body")
    changes = shop.events("issues")[-1]["changes"]
    assert changes == {"title": {"from": "Old"}, "body": {"from": "old body"}}


async def test_the_bot_comments_as_a_bot_and_edits_its_comment(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "One")
    made = (await shop.bot("POST", "/issues/1/comments", {"body": "working"})).json()
    assert made["user"]["login"] == "chimera[bot]"
    assert made["user"]["type"] == "Bot"
    assert made["performed_via_github_app"]["id"] == shop.app.id
    await shop.bot("PATCH", f"/issues/comments/{made['id']}", {"body": "done"})
    assert shop.actions("issue_comment") == ["created", "edited"]
    pinned = await shop.bot("PUT", f"/issues/comments/{made['id']}/pin")
    assert pinned.status_code == 200
    listed = (await shop.bot("GET", "/issues/1/comments")).json()
    assert [(one["body"], one["pin"] is not None) for one in listed] == [("done", True)]
    assert (await shop.bot("DELETE", f"/issues/comments/{made['id']}")).status_code == 204


@pytest.mark.parametrize("field", ["body", "title"])
async def test_texts_over_githubs_limits_are_refused(shop: Shop, field: str) -> None:
    body = {"title": "t", "body": "b", field: "x" * 65_537}
    answer = await shop.bot("POST", "/issues", body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_a_reaction_is_made_once(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "One")
    first = await shop.bot("POST", "/issues/1/reactions", {"content": "eyes"})
    again = await shop.bot("POST", "/issues/1/reactions", {"content": "eyes"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    gone = await shop.bot("DELETE", f"/issues/1/reactions/{first.json()['id']}")
    assert gone.status_code == 204
    assert (await shop.bot("GET", "/issues/1/reactions")).json() == []


async def test_one_label_is_added_and_taken_without_touching_others(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "One", labels=["theirs"])
    await shop.bot("POST", "/issues/1/labels", {"labels": ["chimera:running"]})
    left = await shop.bot("DELETE", "/issues/1/labels/chimera:running")
    assert [label["name"] for label in left.json()] == ["theirs"]
    missing = await shop.bot("DELETE", "/issues/1/labels/nothing")
    assert missing.json()["message"] == "Label does not exist"
    again = await shop.bot("POST", "/labels", {"name": "Theirs", "color": "ff0000"})
    assert again.json()["errors"][0]["code"] == "already_exists"


async def test_long_lists_are_read_by_pages(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "One")
    for number in range(5):
        await shop.bot("POST", "/issues/1/comments", {"body": f"c{number}"})
    seen, path = [], "/repos/acme/shop/issues/1/comments?per_page=2"
    while path:
        page = await shop.client.get(path, headers={"Authorization": f"token {shop.token}"})
        seen += [one["body"] for one in page.json()]
        path = page.links.get("next", {}).get("url", "")
    assert seen == ["c0", "c1", "c2", "c3", "c4"]


async def test_an_unchanged_answer_is_304(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "One")
    first = await shop.bot("GET", "/issues/1")
    headers = {"Authorization": f"token {shop.token}", "If-None-Match": first.headers["etag"]}
    path = "/repos/acme/shop/issues/1"
    assert (await shop.client.get(path, headers=headers)).status_code == 304
    await shop.writer.edit_issue(shop.repo, 1, title="Two")
    assert (await shop.client.get(path, headers=headers)).status_code == 200


async def test_locked_deleted_moved_and_archived_say_so(shop: Shop) -> None:
    other = shop.hub.create_repository("acme", "other", {"a": "b"})
    for title in ("locked", "deleted", "moved"):
        await shop.writer.open_issue(shop.repo, title)
    await shop.writer.lock(shop.repo, 1)
    shop.hub.delete_issue(shop.repo, 2)
    shop.hub.transfer_issue(shop.repo, 3, other)
    assert (await shop.bot("POST", "/issues/1/comments", {"body": "x"})).status_code == 403
    assert (await shop.bot("GET", "/issues/2")).status_code == 410
    moved = await shop.bot("GET", "/issues/3")
    assert moved.status_code == 301
    assert (await shop.bot("GET", _path(shop, moved))).json()["title"] == "moved"
    assert (await shop.bot("GET", "/issues/3/events")).status_code == 404, "is not led on"
    shop.hub.configure(shop.repo, archived=True)
    refused = await shop.bot("POST", "/issues", {"title": "x"})
    assert "archived" in refused.json()["message"]


async def test_a_renamed_repository_leads_to_its_new_name(shop: Shop) -> None:
    await shop.writer.open_issue(shop.repo, "One")
    shop.hub.rename_repository(shop.repo, "store")
    read = await shop.bot("GET", "/issues/1")
    assert read.status_code == 301
    assert (await shop.bot("GET", _path(shop, read))).json()["number"] == 1
    written = await shop.bot("POST", "/issues/1/comments", {"body": "x"})
    assert written.status_code == 307
    assert shop.actions("repository") == ["renamed"]


def _path(shop: Shop, answer: httpx.Response) -> str:
    """Where an answer leads, as ``shop.bot`` takes it."""
    location = answer.headers["location"]
    assert location.startswith(f"{shop.hub.api_url}/repositories/")
    return str(location)
