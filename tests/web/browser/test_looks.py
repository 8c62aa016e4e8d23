"""How the dashboard looks: to axe, in the dark, on a phone, and with hostile words on it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from bot.domain import JournalLine, Outcome, Phase, Status, Wait, WaitFor
from bot.facts import Facts, Finding, Proof
from tests.web.browser.scenes import a_day, lines_of
from tests.web.browser.stage import NARROW, PHONE, Stage, staged
from tests.web.house import START, House, opened_house

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

XSS = "\"'><img src=x onerror='window.hacked=1'><script>window.hacked=1</script>{{7*7}} `<b>` "
#: WCAG 2.2, levels A and AA, and what axe knows besides; only colours differ in the dark.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PLAIN = {"sign-in", "not-found"}  #: pages without a colour that others do not have
RULES = {
    "light": {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]},
    "dark": {
        "runOnly": {"type": "rule", "values": ["color-contrast"]},
        "resultTypes": ["violations"],
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def day(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A house on a day on which there is something to see; for looking only."""
    folder = tmp_path_factory.mktemp("day")
    async with opened_house(folder) as house, staged(house, chromium) as stage:
        await a_day(house)
        yield stage


async def addresses(stage: Stage) -> dict[str, str]:
    """Every page by its name."""
    [task] = [one for one in (await stage.house.queue.page(limit=200)).tasks if one.issue == 41]
    return {
        "overview": "/",
        "task": f"/tasks/{task.id}",
        "tasks": "/tasks",
        "dead": "/dead",
        "statistics": "/statistics",
        "deliveries": "/deliveries",
        "parts": "/parts",
        "sign-in": "/sign-in",
        "not-found": "/tasks/none",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(day: Stage, scheme: str) -> None:
    base = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed")
    async with day.tab(color_scheme=scheme, may_say="404") as tab:
        for name, address in (await addresses(day)).items():
            if scheme == "dark" and name in PLAIN:
                continue
            await tab.goto(address)
            await opened(tab)
            await tab.evaluate(base.AXE_SCRIPT)
            found = await tab.evaluate("rules => axe.run(document, rules)", RULES[scheme])
            assert found["passes"], "axe has looked at something"
            told = [
                (one["id"], node["target"], node["failureSummary"])
                for one in found["violations"]
                for node in one["nodes"]
            ]
            assert told == [], f"{name}, {scheme}"
            await day.picture(tab, f"{name}-{scheme}")


async def test_the_dark_is_dark_and_the_light_is_light(day: Stage) -> None:
    shades = {}
    for scheme in ("light", "dark"):
        async with day.tab(color_scheme=scheme) as tab:
            await tab.goto("/")
            shades[scheme] = await tab.evaluate(
                "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
            )
    assert max(shades["dark"]) < 60
    assert min(shades["light"]) > 200


@pytest.mark.parametrize("screen", [PHONE, NARROW], ids=["phone", "narrow"])
async def test_on_a_phone_nothing_is_wider_than_the_screen(
    day: Stage, screen: dict[str, int]
) -> None:
    async with day.tab(viewport=screen, has_touch=True, may_say="404") as tab:
        for name, address in (await addresses(day)).items():
            await tab.goto(address)
            await opened(tab)
            width = await tab.evaluate("document.documentElement.scrollWidth")
            assert width <= screen["width"], name
            small = await tab.evaluate(
                "[...document.querySelectorAll('button')].filter("
                "one => one.offsetParent && one.offsetHeight < 24).length"
            )
            assert small == 0, f"{name}: a button too small for a thumb"
            await day.picture(tab, f"{name}-{screen['width']}")


async def test_on_a_wide_screen_no_button_and_no_time_is_broken_in_two(day: Stage) -> None:
    async with day.tab(viewport={"width": 1280, "height": 800}, may_say="404") as tab:
        for name, address in (await addresses(day)).items():
            await tab.goto(address)
            broken = await tab.evaluate(
                "[...document.querySelectorAll('td time, td button')].filter("
                "one => one.getClientRects().length > 1 || one.offsetHeight > 44).length"
            )
            assert broken == 0, name


async def test_hostile_words_stay_words(stage: Stage) -> None:
    task_id, waiting_id = await hostile(stage.house)
    async with stage.tab() as tab:
        for address in ("/", "/dead", f"/tasks/{task_id}", "/deliveries", "/statistics"):
            await tab.goto(address)
            await opened(tab)
            assert await tab.evaluate("window.hacked") is None
            assert await tab.locator("main img, main script").count() == 0
        await tab.goto(f"/tasks/{waiting_id}")
        await tab.locator("#live.on").wait_for()
        await stage.house.queue.change(waiting_id, lambda task: task, line=said(waiting_id))
        await tab.locator("#step-1").wait_for()  # came in by htmx, not by the parser of a new page
        assert await tab.evaluate("window.hacked") is None
        assert (await tab.get_by_role("heading", level=1).text_content()).strip() == XSS.strip()


async def test_the_policy_stops_what_escaping_would_have_let_through(day: Stage) -> None:
    async with day.tab(may_say="Content Security Policy") as tab:
        await tab.goto("/")
        await tab.evaluate(
            """() => {
                const evil = document.createElement('script');
                evil.textContent = 'window.hacked = 1';
                document.body.append(evil);
                document.body.insertAdjacentHTML('beforeend', `
                    <p style="color: red" id="p">x</p>
                    <img src="/static/icon.svg" alt="" onload="hacked = 1">`);
            }"""
        )
        assert await tab.evaluate("window.hacked") is None
        colour = await tab.locator("#p").evaluate("one => getComputedStyle(one).color")
        assert colour != "rgb(255, 0, 0)"


async def opened(tab: Any) -> None:
    """Everything that can be opened is."""
    await tab.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


def said(task_id: str) -> JournalLine:
    """A line of the journal full of markup."""
    told = (Phase.E2E_TEST_GENERATION, Outcome.PASS, 0.0, 5.0, XSS)
    return replace(lines_of(task_id, [told], START)[0], evidence=XSS, by=XSS)


async def hostile(house: House) -> tuple[str, str]:
    """A dead and a waiting task whose foreign words are markup, and a delivery of that kind."""
    task = await house.add(XSS, issue=1, requester=XSS)
    proof = Proof(command=XSS, sha=XSS, exit_code=1, log=XSS)
    facts = Facts(
        branch=XSS,
        head_sha=XSS,
        red=proof,
        green=(proof,),
        findings=(Finding(path=XSS, line=1, severity=XSS, body=XSS),),
    )
    await house.queue.change(task.id, lambda one: one, line=said(task.id))
    waiting = await house.add(XSS, issue=2)
    wait = Wait(on=WaitFor.DECISION, reason=XSS)
    await house.put(waiting, status=Status.WAITING, wait=wait)
    await house.queue.accept("guid-" + XSS, XSS, XSS, "{}")
    await house.put(task, status=Status.DEAD, facts=facts, summary=XSS)
    return task.id, waiting.id
