"""The wizard in a real browser: its policy lets through what a person does, and nothing else."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.setup.stand import DEADLINE_S, Stand, wizard_on

playwright = pytest.importorskip("playwright.async_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture
async def tab() -> AsyncIterator[Any]:
    """One tab of a browser with a profile of its own; what its console says fails the test."""
    said: list[str] = []
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = await browser.new_page()
        page.set_default_timeout(DEADLINE_S * 1000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        await browser.close()
    assert said == []


async def test_a_person_makes_installs_and_prepares(stand: Stand, tab: Any) -> None:
    async with wizard_on(stand.settings()) as wizard:
        await tab.goto(wizard.address)
        await tab.get_by_label("GitHub", exact=True).fill(stand.hub.base_url)
        await tab.get_by_label("Organisation").fill("acme")
        await tab.get_by_label("Name of the App").fill("chimera-acme")
        await tab.get_by_label("Address for webhooks").fill("https://chimera.example.com")
        await tab.get_by_role("button", name="Go on to GitHub").click()
        # Our page sends its form by itself, and the hub's own page comes.
        await tab.get_by_role("button", name="Create GitHub App").click()
        await tab.get_by_role("heading", name="Install the App").wait_for()
        assert tab.url == f"{wizard.base}/"
        app = next(one for one in stand.hub.world.apps.values() if one.slug == "chimera-acme")
        stand.hub.install(app.id, "acme")
        await tab.reload()
        assert await tab.get_by_label("Repository").input_value() == "acme/shop"
        await tab.get_by_role("button", name="Prepare").click()
        await tab.get_by_role("link", name="Pull request").wait_for()
        await tab.get_by_role("button", name="Finish").click()
        await tab.get_by_role("heading", name="Done").wait_for()
        assert (await wizard.running).finished
    assert stand.settings().app_id == app.id
    pulls = await stand.olga.ask("GET", "/repos/acme/shop/pulls")
    assert [one["title"] for one in pulls] == ["Set up Chimera"]


async def test_it_works_on_the_keyboard_alone_and_without_scripts(stand: Stand) -> None:
    async with wizard_on(stand.settings()) as wizard, playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await (await browser.new_context(java_script_enabled=False)).new_page()
        page.set_default_timeout(DEADLINE_S * 1000)
        await page.goto(wizard.address)
        await page.get_by_label("GitHub", exact=True).fill(stand.hub.base_url)
        await page.get_by_label("Name of the App").press("Enter")
        await page.get_by_role("button", name="Go on to 127.0.0.1").press("Enter")
        await page.get_by_role("button", name="Create GitHub App for yourself").press("Enter")
        await page.get_by_role("heading", name="Install the App").wait_for()
        await browser.close()
    assert stand.settings().app_id is not None


PHONE = {"width": 360, "height": 740}
FITS = """() => ({
    wide: document.documentElement.scrollWidth - window.innerWidth,
    small: [...document.querySelectorAll("button, input[type=text], input[type=url]")]
        .filter(one => one.getBoundingClientRect().height < 32).map(one => one.outerHTML),
})"""


async def test_every_page_fits_on_a_phone(stand: Stand, tab: Any) -> None:
    await tab.set_viewport_size(PHONE)
    async with wizard_on(stand.settings()) as wizard:
        await tab.goto(wizard.address)
        assert await tab.evaluate(FITS) == {"wide": 0, "small": []}
        await tab.get_by_label("GitHub", exact=True).fill(stand.hub.base_url)
        await tab.get_by_label("Organisation").fill("acme")
        await tab.get_by_role("button", name="Go on to GitHub").click()
        await tab.get_by_role("button", name="Create GitHub App").click()
        await tab.get_by_role("heading", name="Install the App").wait_for()
        assert await tab.evaluate(FITS) == {"wide": 0, "small": []}
        app = list(stand.hub.world.apps.values())[-1]
        stand.hub.install(app.id, "acme")
        await tab.reload()
        assert await tab.evaluate(FITS) == {"wide": 0, "small": []}
        await tab.get_by_role("button", name="Prepare").click()
        await tab.get_by_role("link", name="Pull request").wait_for()
        assert await tab.evaluate(FITS) == {"wide": 0, "small": []}
        await tab.get_by_role("button", name="Finish").click()
        await tab.get_by_role("heading", name="Done").wait_for()
        assert await tab.evaluate(FITS) == {"wide": 0, "small": []}
