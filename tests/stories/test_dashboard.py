"""The dashboard of the whole program: people sign in with GitHub and act by their role there."""

import httpx

from bot.domain import Status, Task, WaitFor
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory


async def test_production_is_approved_on_the_dashboard_by_whom_github_lets(
    factory_with: OpenFactory,
) -> None:
    production = {"workflow": "", "prevent_self_approval": True}
    factory = await factory_with(config={"deploy": {"staging": None, "production": production}})
    factory.person("mona", "maintain")
    factory.person("rita", "read")
    task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
    assert await pressed(factory, task, "rita") == 403, "a reader looks"
    assert await pressed(factory, task, "ada") == 403, "who asked for the change may not approve it"
    assert await pressed(factory, task, "mona", "0" * 40) == 409, "that commit is not the one"
    assert await pressed(factory, task, "mona") == 303
    task = await factory.ended(task)
    assert task.status is Status.COMPLETED
    assert task.facts.approval is not None
    assert (task.facts.approval.by, task.facts.approval.via) == ("mona", "dashboard")


async def pressed(factory: Factory, task: Task, login: str, sha: str = "") -> int:
    """The answer to the approve button, pressed by this person in a browser of their own."""
    bot, hub = factory.stage.bot_url, factory.hub.base_url
    async with httpx.AsyncClient(trust_env=False, timeout=30, follow_redirects=True) as browser:
        asked = await browser.get(f"{bot}/sign-in/github", params={"next": f"/tasks/{task.id}"})
        form = {"ticket": hidden(asked.text, "ticket"), "login": login}
        page = await browser.post(f"{hub}/login/oauth/authorize", data=form)
        assert (page.status_code, page.url.path) == (200, f"/tasks/{task.id}")
        offered = f'action="/tasks/{task.id}/approve"' in page.text
        assert offered == (login != "rita")
        said = {"form_token": hidden(page.text, "form_token"), "said": sha or task.facts.head_sha}
        answer = await browser.post(
            f"{bot}/tasks/{task.id}/approve", data=said, follow_redirects=False
        )
        return answer.status_code


def hidden(page: str, name: str) -> str:
    """The value of a page's hidden field."""
    return page.partition(f'name="{name}" value="')[2].partition('"')[0]
