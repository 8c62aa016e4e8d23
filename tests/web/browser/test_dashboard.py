"""The dashboard in a real browser: it moves by itself, its buttons do what they say."""

from pathlib import Path
from typing import Any

import pytest

from bot.demo.ports import free_port
from bot.domain import Phase, Status
from tests.web.browser.scenes import asks_for_approval, dead_one
from tests.web.browser.stage import Stage
from tests.web.town import living

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

UNTOUCHED = "window.untouched = true"
#: Another ear at the same stream, to know when the page has heard of something.
TOLD = """
const ear = new EventSource(document.body.dataset.hints);
window.told = new Promise(resolve => ear.addEventListener("changed", resolve, {once: true}));
window.told.then(() => ear.close());
true
"""


async def live(tab: Any) -> None:
    """Until the page hears of changes; from here on a reload would be seen."""
    await tab.locator("#live.on").wait_for()
    await tab.evaluate(UNTOUCHED)


async def not_reloaded(tab: Any) -> bool:
    return bool(await tab.evaluate("window.untouched === true"))


async def test_the_overview_follows_what_happens_without_a_reload(stage: Stage) -> None:
    async with stage.tab() as tab:
        await tab.goto("/")
        await live(tab)
        task = await stage.house.add("Log out on every device", issue=1)
        row = tab.locator("#queue-" + task.id)
        await row.wait_for()
        await stage.house.queue.claim("a worker")
        await tab.locator("#running-" + task.id).wait_for()
        await row.wait_for(state="detached")
        assert await not_reloaded(tab)


async def test_a_page_that_moves_keeps_focus_and_what_was_opened(stage: Stage) -> None:
    task = await asks_for_approval(stage.house)
    async with stage.tab() as tab:
        await tab.goto(f"/tasks/{task.id}")
        await live(tab)
        await tab.locator("#proof-1 summary").click()
        link = tab.get_by_role("link", name="Download the bundle")
        await link.focus()
        await stage.house.queue.cancel(task.id, "ada")
        await tab.get_by_role("status").get_by_text("cancelled").wait_for()
        assert await tab.locator("#proof-1").get_attribute("open") is not None
        assert await link.evaluate("one => one === document.activeElement")
        assert await not_reloaded(tab)


async def test_a_form_is_not_changed_under_the_hands_of_who_fills_it_in(stage: Stage) -> None:
    task = await asks_for_approval(stage.house)
    async with stage.tab() as tab:
        await tab.goto(f"/tasks/{task.id}")
        await live(tab)
        await tab.get_by_label("Why not").fill("not on a Friday")
        await tab.evaluate(TOLD)
        await stage.house.put(task, priority=9)
        await tab.evaluate("window.told")
        assert await tab.locator(".facts").get_by_text("9", exact=True).count() == 0
        await tab.get_by_role("heading", level=1).click()  # looking up from the form
        await tab.locator(".facts").get_by_text("9", exact=True).wait_for()
        assert await tab.get_by_label("Why not").input_value() == "not on a Friday"
        assert await not_reloaded(tab)


async def test_a_page_finds_its_way_back_to_a_server_that_was_restarted(stage: Stage) -> None:
    async with stage.tab(may_say="ERR_") as tab:
        async with stage.elsewhere() as base:
            await tab.goto(f"{base}/")
            await live(tab)
        await tab.locator("#live.off").wait_for()
        task = await stage.house.add("While the server was away", issue=1)
        async with stage.elsewhere(base):
            await tab.locator("#queue-" + task.id).wait_for()
            assert await not_reloaded(tab)


async def test_a_button_cancels(stage: Stage) -> None:
    task = await stage.house.add(issue=1)
    async with stage.tab() as tab:
        await tab.goto(f"/tasks/{task.id}")
        await tab.get_by_role("button", name="Cancel").click()
        await tab.get_by_role("status").get_by_text("cancelled").wait_for()
        assert await tab.get_by_role("button", name="Cancel").count() == 0
    stored = await stage.house.queue.get(task.id)
    assert (stored.status, stored.cancel_by) == (Status.CANCELLED, "local")


async def test_the_gate_of_production_is_opened_for_the_very_commit_that_is_shown(
    stage: Stage,
) -> None:
    task = await asks_for_approval(stage.house)
    async with stage.tab() as tab:
        await tab.goto("/")
        await tab.get_by_role("link", name=task.title).click()
        await tab.get_by_role("button", name="Approve deploy of 9ec2490").click()
        await tab.get_by_text("Approved", exact=True).wait_for()
    stored = await stage.house.queue.get(task.id)
    assert stored.facts.approval is not None
    assert stored.facts.approval.sha == task.facts.head_sha
    assert (stored.facts.approval.by, stored.facts.approval.via) == ("local", "dashboard")
    assert stored.status is Status.QUEUED


async def test_production_is_refused_with_a_reason(stage: Stage) -> None:
    task = await asks_for_approval(stage.house)
    async with stage.tab() as tab:
        await tab.goto(f"/tasks/{task.id}")
        await tab.get_by_label("Why not").fill("not on a Friday")
        await tab.get_by_role("button", name="Reject").click()
        await tab.get_by_text("Rejected by local: not on a Friday").first.wait_for()
    assert (await stage.house.queue.get(task.id)).status is Status.FAILED


async def test_a_dead_letter_is_requeued_from_a_phase_and_another_given_up(stage: Stage) -> None:
    first = await dead_one(stage.house)
    second = await dead_one(stage.house, "Another one")
    async with stage.tab() as tab:
        await tab.goto("/dead")
        row = tab.locator("#dead-" + first.id)
        await row.get_by_label("Go on from").select_option(label="E2E test")
        await row.get_by_role("button", name="Requeue").click()
        await row.wait_for(state="detached")
        await tab.locator("#dead-" + second.id).get_by_role("button", name="Discard").click()
        await tab.get_by_text("No task is dead.").wait_for()
    requeued = await stage.house.queue.get(first.id)
    assert (requeued.status, requeued.phase) == (Status.QUEUED, Phase.E2E_TEST_GENERATION)
    assert (await stage.house.queue.get(second.id)).status is Status.CANCELLED


async def test_a_delivery_is_read_once_more(stage: Stage) -> None:
    queue = stage.house.queue
    await queue.accept("11111111-2222-3333-4444-555555555555", "issues", "labeled", "{}")
    [row] = await queue.pending()
    await queue.inbox_done(row.id, "task started")
    async with stage.tab() as tab:
        await tab.goto("/deliveries?state=done")
        await tab.get_by_role("button", name="Replay").click()
        await tab.get_by_text("Nothing was delivered that is done.").wait_for()
    assert [again.delivery_id for again in await queue.pending()] == [row.delivery_id]


async def test_everything_can_be_done_by_keyboard(stage: Stage) -> None:
    task = await asks_for_approval(stage.house)
    async with stage.tab() as tab:
        await tab.goto("/")
        await tab.keyboard.press("Tab")
        assert await focused(tab) == "Skip to content"
        await tab.keyboard.press("Enter")
        await tab.keyboard.press("Tab")
        assert await focused(tab) == task.title
        await tab.keyboard.press("Enter")
        await tab.wait_for_url("**/tasks/*")
        await tab_to(tab, "Approve deploy of 9ec2490")
        await tab.keyboard.press("Enter")
        await tab.get_by_text("Approved", exact=True).wait_for()
    assert (await stage.house.queue.get(task.id)).facts.approval is not None


async def test_without_scripts_everything_still_works(stage: Stage) -> None:
    task = await asks_for_approval(stage.house)
    async with stage.tab(java_script_enabled=False) as tab:
        await tab.goto("/")
        await tab.get_by_role("link", name=task.title).click()
        assert await tab.locator("meta[http-equiv=refresh]").count() == 1
        await tab.get_by_role("button", name="Approve deploy of 9ec2490").click()
        await tab.get_by_text("Approved", exact=True).wait_for()
        await tab.get_by_role("link", name="Statistics").click()
        await tab.get_by_role("heading", name="Statistics").wait_for()
        await tab.get_by_role("link", name="stand still").click()
        assert await tab.locator("meta[http-equiv=refresh]").count() == 0
    assert (await stage.house.queue.get(task.id)).facts.approval is not None


async def test_a_token_opens_the_page_that_was_asked_for(stage: Stage) -> None:
    token = await stage.house.tokens.create("ops", scopes=("write",))
    task = await asks_for_approval(stage.house)
    async with stage.tab() as tab:
        await tab.goto(f"/tasks/{task.id}")
        await tab.get_by_label("API token").fill(token)
        await tab.get_by_role("button", name="Sign in").press("Enter")
        await tab.get_by_role("heading", name=task.title).wait_for()
        # The right to write is not the right to let something into production.
        assert await tab.get_by_role("button", name="Approve").count() == 0
        assert await tab.get_by_role("button", name="Cancel").count() == 1
        await tab.get_by_role("button", name="Sign out").click()
        await tab.get_by_role("heading", name="Sign in").wait_for()
        await tab.goto("/")
        await tab.get_by_role("heading", name="Sign in").wait_for()


async def test_a_person_comes_in_through_github(stage: Stage, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{free_port()}"
    async with living(stage.house, tmp_path, base) as town, stage.elsewhere(base):
        shop, _ = await town.tasks()
        town.person("ada", shop="triage")
        async with stage.tab() as tab:
            await tab.goto(f"{base}/tasks/{shop.id}")
            await tab.get_by_role("link", name="Sign in with GitHub").click()
            await tab.get_by_role("button", name="Continue as ada").click()
            await tab.get_by_role("heading", name=shop.title).wait_for()
            await tab.get_by_role("button", name="Cancel").click()
            await tab.get_by_role("status").get_by_text("cancelled").wait_for()
            assert await tab.get_by_role("link", name="Statistics").count() == 0
    assert (await stage.house.queue.get(shop.id)).cancel_by == "ada"


async def focused(tab: Any) -> str:
    """The words of what has the focus."""
    return str(await tab.evaluate("document.activeElement.textContent.trim()"))


async def tab_to(tab: Any, words: str, *, at_most: int = 30) -> None:
    """Press Tab until the focus is there."""
    for _ in range(at_most):
        await tab.keyboard.press("Tab")
        if await focused(tab) == words:
            return
    raise AssertionError(f"{words!r} is not among the first {at_most} places that Tab goes to")
