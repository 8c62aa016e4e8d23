"""Check runs: limits, buttons, annotations that add up."""

from typing import Any

import pytest

from tests.localhub.shop import Shop


async def check(shop: Shop, **extra: Any) -> Any:
    main = (await shop.bot("GET", "/git/ref/heads/main")).json()["object"]["sha"]
    return await shop.bot("POST", "/check-runs", {"name": "task", "head_sha": main, **extra})


def annotation(line: int) -> dict[str, Any]:
    where = {"path": "app.py", "start_line": line, "end_line": line}
    return where | {"annotation_level": "warning", "message": f"line {line}"}


BUTTON = {"label": "Approve deploy", "description": "to production", "identifier": "approve"}


@pytest.mark.parametrize(
    "extra",
    [
        {"output": {"title": "t", "summary": "x" * 65_536}},
        {"output": {"title": "t", "summary": "s", "text": "x" * 65_536}},
        {"output": {"title": "t", "summary": "s", "annotations": [annotation(1)] * 51}},
        {"actions": [BUTTON] * 4},
        {"actions": [BUTTON | {"label": "x" * 21}]},
        {"actions": [BUTTON | {"description": "x" * 41}]},
        {"actions": [BUTTON | {"identifier": "x" * 21}]},
        {"status": "completed"},
        {"conclusion": "great"},
        {"head_sha": "0" * 40},
    ],
)
async def test_what_githubs_limits_forbid_is_refused(shop: Shop, extra: dict[str, Any]) -> None:
    assert (await check(shop, **extra)).status_code == 422


async def test_annotations_are_added_by_each_patch(shop: Shop) -> None:
    made = (await check(shop)).json()
    for start in (1, 51):
        found = [annotation(line) for line in range(start, start + 50)]
        output = {"title": "t", "summary": "s", "annotations": found}
        await shop.bot("PATCH", f"/check-runs/{made['id']}", {"output": output})
    now = (await shop.bot("GET", f"/check-runs/{made['id']}")).json()
    assert now["output"]["annotations_count"] == 100
    page = await shop.bot("GET", f"/check-runs/{made['id']}/annotations?per_page=100")
    assert [one["start_line"] for one in page.json()] == list(range(1, 101))


async def test_a_button_is_pressed_by_a_person_on_a_completed_run(shop: Shop) -> None:
    made = (await check(shop, status="in_progress", actions=[BUTTON])).json()
    with pytest.raises(Exception, match="422"):
        await shop.writer.press(shop.repo, made["id"], "approve")
    done = {"status": "completed", "conclusion": "action_required"}
    await shop.bot("PATCH", f"/check-runs/{made['id']}", done)
    await shop.writer.press(shop.repo, made["id"], "approve")
    await shop.writer.rerequest(shop.repo, made["id"])
    assert shop.actions("check_run") == ["created", "completed", "requested_action", "rerequested"]
    pressed = shop.events("check_run")[2]
    assert pressed["requested_action"] == {"identifier": "approve"}
    assert pressed["sender"]["login"] == "walt"


async def test_only_the_app_that_made_a_check_changes_it(shop: Shop) -> None:
    made = (await check(shop)).json()
    other = shop.hub.register_app("acme", "Other", permissions={"checks": "write"}, events=[])
    shop.app, own = other, shop.app
    shop.installation_id = shop.hub.install(other.id, "acme")
    token = await shop.new_token()
    shop.app = own
    answer = await shop.bot(
        "PATCH", f"/check-runs/{made['id']}", {"status": "in_progress"}, token=token
    )
    assert answer.status_code == 403


async def test_a_list_holds_the_newest_run_of_each_name(shop: Shop) -> None:
    first = (await check(shop, external_id="1")).json()
    second = (await check(shop, external_id="2")).json()
    path = f"/commits/main/check-runs?check_name=task&app_id={shop.app.id}"
    latest = (await shop.bot("GET", path)).json()
    assert [one["id"] for one in latest["check_runs"]] == [second["id"]]
    everything = (await shop.bot("GET", f"{path}&filter=all")).json()
    assert [one["external_id"] for one in everything["check_runs"]] == ["1", "2"]
    assert first["check_suite"] == second["check_suite"]


async def test_statuses_are_read_together(shop: Shop) -> None:
    main = (await shop.bot("GET", "/git/ref/heads/main")).json()["object"]["sha"]
    for state in ("pending", "success"):
        await shop.bot("POST", f"/statuses/{main}", {"state": state, "context": "ci"})
    combined = (await shop.bot("GET", "/commits/main/status")).json()
    assert (combined["state"], combined["total_count"]) == ("success", 1)
