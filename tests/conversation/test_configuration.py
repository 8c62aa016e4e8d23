"""What a broken chimera.yml means for tasks that have begun and for new ones; target URLs."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bot.domain import Status, Task, WaitFor
from bot.github.git import Git
from bot.web.auth import LOCAL
from bot.workflow.workspace import Origin, mirror_key
from tests.conversation.conftest import OpenDesk
from tests.conversation.desk import Desk
from tests.conversation.states import states
from tests.conversation.test_table import base_of
from tests.web.test_pages import form_token

PATH = ".github/chimera.yml"
BROKEN: dict[str, str | bytes | None] = {PATH: "version: 1\nlimts: {}\n"}
STRICT = {
    "trigger": {"label": "robot"},
    "deploy": {"production": {"prevent_self_approval": True}},
    "commands": {"cancel": "admin"},
}


async def pushed(desk: Desk, files: dict[str, str | bytes | None]) -> None:
    await desk.owner.push(desk.repository, "main", files, "Configuration")
    await desk.read()


@contextlib.asynccontextmanager
async def at_work(desk: Desk) -> AsyncIterator[None]:
    """The pool runs steps."""
    desk.house.pool.start()
    try:
        yield
    finally:
        await desk.house.pool.drain(5)


async def until(desk: Desk, task: Task, fits: Callable[[Task], bool]) -> Task:
    async with asyncio.timeout(30):
        while not fits(now := await desk.now(task)):
            bell = desk.house.queue.bells.changes.bell
            if not fits(now := await desk.now(task)):
                await bell.wait()
    return now


async def labelled(desk: Desk, label: str = "chimera", body: str = "") -> Task:
    issue = await desk.issue(body)
    await desk.owner.label(desk.repository, issue, label)
    await desk.read()
    task = await desk.latest(issue)
    assert task is not None
    return task


def asks_for_configuration(task: Task) -> bool:
    return task.wait is not None and task.wait.on is WaitFor.CONFIGURATION


async def test_a_new_task_waits_with_a_broken_file_as_its_reason_until_it_is_mended(
    desk_with: OpenDesk,
) -> None:
    desk = await desk_with(files=BROKEN)
    async with at_work(desk):
        task = await until(desk, await labelled(desk), asks_for_configuration)
        await desk.passes(30)
        assert "limts" in desk.ours(task.issue)[0]
        assert "chimera:needs-human" in desk.labels(task.issue)
        await pushed(desk, {PATH: "version: 1\n"})
        now = await until(desk, task, lambda now: not asks_for_configuration(now))
    assert now.status is not Status.CANCELLED, "it goes on by itself"


async def to_be_approved(desk: Desk, **changes: Any) -> Task:
    """A task that waits for its approval, and began with the file as it is now."""
    sha = await base_of(desk)
    put = states(sha)["approval"]
    return await desk.task(
        await desk.issue(),
        lambda new: replace(put(new), facts=replace(put(new).facts, config_sha=sha), **changes),
    )


async def test_a_task_that_has_begun_keeps_what_it_began_with_however_broken_the_file_is(
    desk_with: OpenDesk,
) -> None:
    desk = await desk_with(config=STRICT)
    task = await to_be_approved(desk)
    await pushed(desk, BROKEN)
    desk.clock.at += 120
    own = await desk.comment(task.issue, "/chimera approve")
    assert [r.content for r in own.reactions] == ["eyes", "-1"], "still not by the requester"
    writer = await desk.comment(task.issue, "/chimera cancel", "maintain")
    assert [r.content for r in writer.reactions] == ["eyes", "-1"], "still admins only"
    await desk.passes(30)
    assert "limts" not in desk.ours(task.issue)[0]
    other = await desk.comment(task.issue, "/chimera approve", "maintain")
    assert [r.content for r in other.reactions] == ["eyes", "rocket"]


async def test_the_dashboard_is_held_to_the_file_that_the_task_began_with_as_well(
    desk_with: OpenDesk,
) -> None:
    desk = await desk_with(config=STRICT)
    task = await to_be_approved(desk, requester=LOCAL)
    await pushed(desk, {PATH: "version: 1\n"})  # by which anybody could approve
    desk.clock.at += 120
    transport = httpx.ASGITransport(desk.house.web, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        token = await form_token(browser, task.id)
        answer = await browser.post(f"/tasks/{task.id}/approve", data={"form_token": token})
    assert (answer.status_code, "may not approve it here" in answer.text) == (403, True)
    assert (await desk.now(task)).facts.approval is None


async def test_a_broken_file_does_not_take_the_trigger_label_away(desk_with: OpenDesk) -> None:
    desk = await desk_with(config=STRICT)
    await desk.comment(await desk.issue(), "/chimera config")
    await pushed(desk, BROKEN)
    async with at_work(desk):
        task = await until(desk, await labelled(desk, "robot"), asks_for_configuration)
    assert task.wait is not None
    assert "limts" in task.wait.reason


@pytest.fixture
def bots_git(quick_folder: Path) -> Git:
    """What the desk's bot works with."""
    return Git(quick_folder / "desk" / "bot" / "git")


async def test_nobody_waits_for_a_clone_to_be_read_and_to_be_heard(
    desk: Desk, bots_git: Git
) -> None:
    other = await desk.issue()
    async with clone_under_way(bots_git.mirror_path(mirror_key(desk.ref))), asyncio.timeout(30):
        task = await labelled(desk)
        said = await desk.comment(other, "/chimera config")
        await desk.paint()
        assert desk.reactions(task.issue) == ["eyes"]
        assert [r.content for r in said.reactions] == ["eyes", "rocket"]
        assert "`limits.rounds`" in desk.ours(other)[0]


@contextlib.asynccontextmanager
async def clone_under_way(mirror: Path) -> AsyncIterator[None]:
    """Whoever wants to fetch the repository meanwhile has to wait."""
    lock = os.open(f"{mirror}.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


async def test_a_task_is_held_to_its_file_where_this_machine_has_not_fetched_its_commit(
    desk: Desk, bots_git: Git
) -> None:
    before = await base_of(desk)
    await bots_git.mirror(str(desk.repository.path), mirror_key(desk.ref))
    await pushed(desk, {PATH: yaml.safe_dump({"version": 1, **STRICT})})
    sha = await base_of(desk)
    assert sha != before
    put = states(sha)["approval"]
    task = await desk.task(
        await desk.issue(),
        lambda new: replace(put(new), facts=replace(put(new).facts, config_sha=sha)),
    )
    own = await desk.comment(task.issue, "/chimera approve")
    assert [r.content for r in own.reactions] == ["eyes", "-1"], "not by the requester"


async def test_the_owners_file_lies_under_the_repositorys_and_counts_from_its_push_on(
    desk: Desk,
) -> None:
    shared = desk.hub.create_repository("ada", ".github", {"chimera.yml": owners(rounds=2)})
    desk.hub.set_installed_repositories(desk.installation, [desk.repository, shared])
    await desk.read()
    issue = await desk.issue()
    await desk.comment(issue, "/chimera config")
    assert "| `limits.rounds` | 2 | ada/.github:chimera.yml:2 |" in desk.ours(issue)[0]
    await desk.owner.push(shared, "main", {"chimera.yml": owners(rounds=1)}, "One round")
    await desk.read()
    await desk.comment(issue, "/chimera config")
    assert "| `limits.rounds` | 1 | ada/.github:chimera.yml:2 |" in desk.ours(issue)[0]
    await desk.owner.push(shared, "main", {"chimera.yml": "version: 1\nlimts: {}\n"}, "Oh")
    await desk.read()
    await desk.comment(issue, "/chimera config")
    assert "ada/.github:chimera.yml:2:1: unknown key 'limts'" in desk.ours(issue)[0]


async def test_who_waits_because_of_the_owners_file_goes_on_when_that_is_mended(desk: Desk) -> None:
    broken = {"chimera.yml": "version: 1\nlimts: {}\n"}
    shared = desk.hub.create_repository("ada", ".github", broken)
    desk.hub.set_installed_repositories(desk.installation, [desk.repository, shared])
    await desk.read()
    async with at_work(desk):
        task = await until(desk, await labelled(desk), asks_for_configuration)
        assert task.wait is not None
        assert "ada/.github:chimera.yml:2:1" in task.wait.reason
        await desk.owner.push(shared, "main", {"chimera.yml": owners(rounds=1)}, "Mended")
        await desk.read()
        await until(desk, task, lambda now: not asks_for_configuration(now))


async def test_a_new_task_has_the_owners_newest_file_though_its_repository_stands_still(
    desk: Desk,
) -> None:
    shared = desk.hub.create_repository("ada", ".github", {"chimera.yml": owners(rounds=2)})
    desk.hub.set_installed_repositories(desk.installation, [desk.repository, shared])
    await desk.read()
    configs, origin = desk.house.intake.starter.configs, origin_of(desk)
    new = Task(id="", title="A wish", feature="A wish", repo=desk.ref)
    assert (await configs.of_task(new, origin)).config.limits.rounds == 2
    await desk.owner.push(shared, "main", {"chimera.yml": owners(rounds=1)}, "One round")
    await desk.read()
    assert (await configs.of_task(new, origin)).config.limits.rounds == 1


def origin_of(desk: Desk) -> Origin:
    async def no_token() -> str:
        return ""

    return Origin(
        url=str(desk.repository.path),
        key=mirror_key(desk.ref),
        default_branch="main",
        token=no_token,
        repo=desk.ref,
    )


def owners(rounds: int) -> str:
    """The file for all repositories of an owner."""
    return f"version: 1\nlimits: {{rounds: {rounds}}}\n"


async def test_a_file_that_is_too_large_is_told_and_not_left_out(desk: Desk) -> None:
    large = "version: 1\n" + "# much\n" * 12_000
    await desk.owner.push(desk.repository, "large", {PATH: large}, "Much")
    await desk.owner.open_pull(desk.repository, "large", "Much")
    await desk.read()
    [check] = [c for c in desk.repository.checks.values() if c.name.endswith("configuration")]
    assert check.conclusion == "failure"
    assert "larger than 64 KiB" in str(check.summary)
    await pushed(desk, {PATH: large})
    async with at_work(desk):
        task = await until(desk, await labelled(desk), asks_for_configuration)
    assert task.wait is not None
    assert "larger than 64 KiB" in task.wait.reason


# ── the target URL ───────────────────────────────────────────────────────────────────────────

FORM = "### What shall be different afterwards?\n\nA wish\n\n### Target URL\n\n{}\n"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://evil.example.com/x", "host 'evil.example.com' is not allowed"),
        ("https://preview.example.com:8443/", "host 'preview.example.com:8443' is not allowed"),
        ("https://preview.example.com@evil.example.com/", "host 'evil.example.com' is not allowed"),
        ("preview.example.com", "is not a web address"),
        ("ftp://preview.example.com/", "is not a web address"),
    ],
)
async def test_a_target_url_that_nobody_allowed_is_refused_in_words_before_any_work(
    desk_with: OpenDesk, address: str, told: str
) -> None:
    desk = await desk_with(config={"e2e": {"hosts": ["preview.example.com:443"]}})
    async with at_work(desk):
        task = await labelled(desk, body=FORM.format(address))
        assert task.target_url == address
        task = await until(desk, task, asks_for_configuration)
    assert task.wait is not None
    assert told in task.wait.reason
    assert task.facts.base_sha == "", "so that a mended file counts"


async def test_a_field_that_was_left_empty_is_no_address(desk: Desk) -> None:
    assert (await labelled(desk, body=FORM.format("_No response_"))).target_url == ""
    assert (await labelled(desk, body="### Target URL\n\n### Next\n\nx\n")).target_url == ""


async def test_a_host_is_allowed_once_it_stands_in_the_file(desk: Desk) -> None:
    async with at_work(desk):
        task = await labelled(desk, body=FORM.format("https://Preview.example.com/shop"))
        task = await until(desk, task, asks_for_configuration)
        allowed = {"version": 1, "e2e": {"hosts": ["preview.EXAMPLE.com"]}}
        await pushed(desk, {PATH: yaml.safe_dump(allowed)})
        await until(desk, task, lambda now: "not allowed" not in now.summary)
