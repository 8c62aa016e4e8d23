"""Deliveries that say less than they use to: understood all the same, or they ask for nothing."""

import io
from typing import Any

from bot.domain import WaitFor
from bot.localhub.state_apps import Delivery
from bot.tasks.inbox import InboxState
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory

SHA = "5c" * 20
PLACE = ("repository", "sender", "installation")


async def test_a_label_that_a_hook_of_the_repository_tells_of_starts_a_task(
    factory: Factory,
) -> None:
    factory.agents.e2e_tester.hangs()
    factory.hub.webhooks.drop = 1.0
    issue = await factory.open_issue()
    await factory.owner.label(factory.repository, issue, "chimera")
    await factory.shown()
    label = newest(factory, "labeled")
    factory.hub.webhooks.drop = 0.0
    said = {name: value for name, value in label.payload.items() if name != "installation"}
    factory.hub.world.deliver(label.app, label.event, said)
    task = await factory.task_of(issue)
    assert task.repo is not None
    assert task.repo.installation_id == label.payload["installation"]["id"]
    rows = await factory.stage.house.queue.deliveries()
    assert {row.error for row in rows} == {""}, "the delivery itself was understood"


async def test_what_says_too_little_asks_for_nothing_and_is_no_trouble(
    factory: Factory, logged: io.StringIO
) -> None:
    factory.agents.e2e_tester.hangs()
    await factory.label_issue()
    await factory.shown()
    pull = {"number": 99, "head": {"ref": "theirs", "sha": None}, "base": {"ref": "main"}}
    check = {"id": 77, "name": "chimera / task", "head_sha": SHA, "external_id": "long gone/1"}
    button = {"check_run": check, "requested_action": {"identifier": "approve"}}
    tell(factory, "pull_request", action="opened", number=99, pull_request=pull)
    tell(factory, "check_run", action="rerequested", check_run=check)
    tell(factory, "check_run", action="requested_action", **button)
    await factory.shown()
    told = await factory.stage.house.queue.deliveries()
    rows = [row for row in told if row.event_name in {"check_run", "pull_request"}]
    assert len(rows) == 3
    assert {row.state for row in rows} == {InboxState.DONE}
    assert "could not be read" not in logged.getvalue()


async def test_an_approval_that_names_no_commit_approves_none(factory_with: OpenFactory) -> None:
    quick = await factory_with(config={"deploy": {"staging": None}})
    task = await quick.until(await quick.label_issue(), WaitFor.APPROVAL)
    check = await quick.seen(lambda: quick.button(task.facts.head_sha, "approve"))
    of_task = {"id": check, "external_id": f"{task.id}/1", "head_sha": None}
    button = {"check_run": of_task, "requested_action": {"identifier": "approve"}}
    review = {"id": 5, "state": "approved", "body": "", "commit_id": None}
    pull = {"number": task.facts.pull}
    tell(quick, "check_run", action="requested_action", **button)
    tell(quick, "pull_request_review", action="submitted", review=review, pull_request=pull)
    await quick.shown()
    now = await quick.now(task)
    assert (now.facts.approval, now.wait) == (None, task.wait)


def newest(factory: Factory, action: str) -> Delivery:
    """What the hub sent last of an issue."""
    sent = reversed(factory.hub.deliveries)
    return next(one for one in sent if (one.event, one.action) == ("issues", action))


def tell(factory: Factory, event: str, **said: Any) -> None:
    """A delivery about the factory's repository, by its owner."""
    known = newest(factory, "opened")
    place = {name: known.payload[name] for name in PLACE}
    factory.hub.world.deliver(known.app, event, {**place, **said})
