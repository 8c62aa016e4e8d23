"""How a wish arrives: twice, never, by the wrong person, changed meanwhile, or by API."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import httpx
import jwt
import pytest
from pydantic import SecretStr

from bot.app import create_app
from bot.demo.hubview import calls_of_the_bot
from bot.domain import Status, WaitFor
from bot.localhub.state_apps import Delivery
from tests.stories.conftest import OpenFactory
from tests.stories.factory import DEADLINE_S, LOOK_S, Factory
from tests.stories.sample import BODY, TITLE, code, e2e_test
from tests.stories.stores import ON_BOTH

ONE_AT_A_TIME = {"limits": {"concurrent": 1}}
COMPARED = "GET /repos/{owner}/{repo}/issues"


@pytest.fixture
async def busy(factory_with: OpenFactory) -> Factory:
    """A factory whose one place is taken by a task that hangs."""
    factory = await factory_with(config=ONE_AT_A_TIME)
    factory.agents.e2e_tester.hangs()
    await factory.label_issue("First")
    await factory.seen(factory.agents.e2e_tester.began.is_set)
    return factory


def _the_label(delivery: Delivery) -> bool:
    return delivery.event == "issues" and delivery.action == "labeled"


async def _count(factory: Factory) -> int:
    return len((await factory.stage.house.queue.page()).tasks)


async def test_the_same_delivery_twice_makes_one_task(factory: Factory) -> None:
    factory.agents.e2e_tester.hangs()
    factory.hub.webhooks.duplicate = _the_label
    await factory.label_issue()
    await factory.shown()
    sent = [one for one in factory.hub.deliveries if _the_label(one)]
    factory.hub.world.redeliver(sent[0])
    await factory.shown()
    assert await _count(factory) == 1
    await factory.seen(factory.agents.e2e_tester.began.is_set)
    assert len(factory.agents.e2e_tester.briefs) == 1


async def test_the_same_event_under_a_new_guid_makes_one_task(factory: Factory) -> None:
    factory.agents.e2e_tester.hangs()
    await factory.label_issue()
    await factory.shown()
    sent = next(one for one in factory.hub.deliveries if _the_label(one))
    factory.hub.world.deliver(sent.app, sent.event, sent.payload)
    await factory.shown()
    assert await _count(factory) == 1


@ON_BOTH
async def test_a_lost_delivery_is_made_good_by_comparing_labels_with_tasks(
    factory: Factory,
) -> None:
    await factory.seen(lambda: COMPARED in calls_of_the_bot(factory.hub))  # at the start, too
    factory.agents.e2e_tester.hangs()
    factory.hub.webhooks.drop = 1.0
    issue = await factory.open_issue()
    await factory.owner.label(factory.repository, issue, "chimera")
    await factory.shown()
    assert await _count(factory) == 0
    reconciler = factory.stage.house.reconciler
    assert reconciler is not None
    await reconciler.compare()
    assert await _count(factory) == 0, "what was labelled a moment ago is left to its delivery"
    await reconciler.compare()
    task = await factory.task_of(issue)
    assert (task.requester, task.title) == ("ada", TITLE)
    assert task.facts.requester_id == factory.owner.account.id
    await reconciler.compare()
    assert await _count(factory) == 1, "it is not started twice"


async def test_a_failed_delivery_is_asked_for_again(factory: Factory) -> None:
    factory.agents.e2e_tester.hangs()
    factory.hub.webhooks.transport = httpx.MockTransport(lambda _request: httpx.Response(503))
    await factory.hub.webhooks.aclose()
    issue = await factory.open_issue()
    await factory.owner.label(factory.repository, issue, "chimera")
    await factory.hub.settle()
    factory.hub.webhooks.transport = None
    await factory.hub.webhooks.aclose()
    reconciler = factory.stage.house.reconciler
    assert reconciler is not None
    await reconciler.redeliver()
    assert (await factory.task_of(issue)).requester == "ada"


@pytest.mark.parametrize("role", ["", "read"])
async def test_a_label_by_somebody_without_the_right_starts_nothing(
    factory: Factory, role: str
) -> None:
    stranger = factory.person("sam", role)
    factory.hub.submit_issue_form(factory.repository, stranger.login, TITLE, BODY, ["chimera"])
    await factory.shown()
    assert await _count(factory) == 0
    assert all(not issue.comments for issue in factory.repository.issues.values())


async def test_a_label_by_a_bot_starts_nothing(factory: Factory) -> None:
    app = factory.hub.register_app("ada", "helper", permissions={"issues": "write"}, events=[])
    installation = factory.hub.install(app.id, "ada")
    issue = await factory.open_issue()
    now = int(time.time())
    proof = jwt.encode(
        {"iat": now - 60, "exp": now + 540, "iss": str(app.id)}, app.pem, algorithm="RS256"
    )
    async with httpx.AsyncClient(base_url=factory.hub.api_url, trust_env=False) as client:
        minted = await client.post(
            f"/app/installations/{installation}/access_tokens",
            headers={"Authorization": f"Bearer {proof}"},
        )
        token = {"Authorization": f"Bearer {minted.json()['token']}"}
        path = f"{factory.at}/issues/{issue}/labels"
        labelled = await client.post(path, json={"labels": ["chimera"]}, headers=token)
    assert labelled.status_code == 200
    await factory.shown()
    assert await _count(factory) == 0


async def test_text_that_was_edited_before_work_began_waits_for_a_new_label(
    busy: Factory,
) -> None:
    task = await busy.label_issue("Say goodbye")
    assert task.status is Status.QUEUED
    await busy.owner.edit_issue(busy.repository, task.issue, body="Delete everything.")
    task = await busy.until(task, WaitFor.RELABEL)
    await busy.shown()
    assert "edited" in busy.status_comment(task.issue)
    assert "chimera:needs-human" in busy.labels(task.issue)
    await busy.owner.unlabel(busy.repository, task.issue, "chimera")
    await busy.owner.label(busy.repository, task.issue, "chimera")
    task = await busy.until(task, Status.QUEUED)
    assert task.feature.endswith("Delete everything."), "the new label confirms the new text"


async def test_an_edit_that_no_reader_sees_parks_nothing_also_after_an_upgrade(
    busy: Factory,
) -> None:
    """An older version took the hash of something else; the text that it kept is what counts."""
    task = await busy.label_issue("Say goodbye")
    await busy.stage.house.queue.change(
        task.id, lambda now: replace(now, text_sha256="of an older version")
    )
    hidden = f"{BODY}<!-- reviewed by nobody -->"
    await busy.owner.edit_issue(busy.repository, task.issue, body=hidden)
    await busy.shown()
    assert (await busy.now(task)).status is Status.QUEUED
    await busy.owner.edit_issue(busy.repository, task.issue, body=f"{hidden} And more.")
    await busy.until(task, WaitFor.RELABEL)


@ON_BOTH
async def test_a_repository_works_on_no_more_than_its_limit_and_says_who_is_next(
    busy: Factory,
) -> None:
    second = await busy.label_issue("Second")
    third = await busy.label_issue("Third")
    await busy.shown()
    assert [(await busy.now(t)).status for t in (second, third)] == [Status.QUEUED] * 2
    assert "1st in the queue" in busy.status_comment(second.issue)
    assert "2nd in the queue" in busy.status_comment(third.issue)
    said = await busy.comment(third.issue, "/chimera priority 9")
    assert await busy.answered(said) == {"rocket"}
    answer = (await busy.api("GET", f"/api/tasks/{third.id}")).json()
    assert answer["position"] == 1


async def test_a_wish_by_api_opens_its_issue_and_goes_the_same_way(
    factory_with: OpenFactory,
) -> None:
    production = {"workflow": "", "approval": "automatic"}
    factory = await factory_with(config={"deploy": {"staging": None, "production": production}})
    wish = {"feature": f"{TITLE}\n\n{BODY}", "priority": 7}
    answer = await factory.api("POST", "/api/tasks", wish)
    assert answer.status_code == 202, answer.text
    assert answer.json()["status"] == "QUEUED"
    task = await factory.stage.house.queue.get(answer.json()["task_id"])
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED, await factory.told()
    issue = factory.issue(task.issue)
    assert issue.title == TITLE
    assert "chimera" in factory.labels(task.issue)
    assert len((await factory.stage.house.queue.page()).tasks) == 1, "its label starts no other"
    result = (await factory.api("GET", f"/api/tasks/{task.id}")).json()["result"]
    assert result["test_path"] == "tests/e2e/test_goodbye.py"
    assert result["code_pr_id"] == task.facts.pull


async def test_the_issue_of_a_wish_by_api_shows_the_task_while_its_first_agent_works(
    factory: Factory,
) -> None:
    factory.agents.e2e_tester.hangs()
    await factory.api("POST", "/api/tasks", {"feature": f"{TITLE}\n\n{BODY}"})
    issue = await factory.seen(lambda: max(factory.repository.issues, default=0))
    await factory.seen(lambda: "running since" in factory.status_comment(issue))
    await factory.seen(lambda: factory.labels(issue) == {"chimera", "chimera:running"})
    said = await factory.comment(issue, "/chimera cancel")
    assert await factory.answered(said) == {"rocket"}
    task = await factory.ended(await factory.task_of(issue))
    assert task.status is Status.CANCELLED


async def test_a_wish_for_no_repository_is_refused_and_names_the_setting(
    factory_with: OpenFactory,
) -> None:
    factory = await factory_with(settings={"default_repository": ""})
    answer = await factory.api("POST", "/api/tasks", {"feature": TITLE})
    assert answer.status_code == 422
    assert "CHIMERA_DEFAULT_REPOSITORY" in answer.text
    assert factory.repository.issues == {}


@pytest.mark.slow
async def test_two_issues_at_once_both_arrive_and_the_second_takes_in_the_first(
    factory_with: OpenFactory,
) -> None:
    production = {"workflow": "", "approval": "automatic"}
    factory = await factory_with(config={"deploy": {"staging": None, "production": production}})
    pages = {"Say good morning": "morning", "Say good evening": "evening"}

    def page(prompt: str) -> str:
        return next(page for title, page in pages.items() if title in prompt)

    factory.agents.e2e_tester.writes(lambda b: e2e_test(page(b.prompt), page(b.prompt).title()))
    factory.agents.coder.writes(lambda b: code(page(b.prompt), page(b.prompt).title()))
    tasks = await asyncio.gather(*(factory.label_issue(title, BODY) for title in pages))
    ended = [await factory.ended(task) for task in tasks]
    assert [task.status for task in ended] == [Status.COMPLETED] * 2, await factory.told()
    found = await factory.owner.ask("GET", f"{factory.at}/contents/pages")
    assert {"morning.txt", "evening.txt"} <= {one["name"] for one in found}


async def test_a_stored_delivery_without_an_app_says_what_is_missing_and_is_kept(
    factory: Factory, tmp_path: Path
) -> None:
    factory.agents.e2e_tester.hangs()
    await factory.label_issue()
    label = next(
        row for row in await factory.stage.house.queue.deliveries() if row.action == "labeled"
    )
    without = {
        "app_id": None,
        "private_key": None,
        "data_dir": tmp_path / "without",
        "database_url": SecretStr(""),  # the first server would read it, were the store shared
    }
    settings = factory.stage.settings.model_copy(update=without)
    async with create_app(settings, agents=factory.agents.registry()) as house:
        running = asyncio.create_task(house.daemon.run())
        await house.queue.accept("0-1", label.event_name, label.action, label.payload_text)
        deadline = time.monotonic() + DEADLINE_S
        while not (row := (await house.queue.deliveries())[0]).error:
            assert time.monotonic() < deadline
            await asyncio.sleep(LOOK_S)
        house.daemon.stop()
        await running
    assert "CHIMERA_APP_ID" in row.error
    assert row.state == "new", "it is read again, and can be replayed"
