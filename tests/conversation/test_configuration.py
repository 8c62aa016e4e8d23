"""What a broken chimera.yml means for tasks that have begun and for new ones; target URLs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import yaml

from bot.domain import Status, Task, WaitFor
from tests.conversation.conftest import OpenDesk
from tests.conversation.desk import Desk
from tests.conversation.states import states
from tests.conversation.test_table import base_of

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


async def test_a_task_that_has_begun_keeps_what_it_began_with_however_broken_the_file_is(
    desk_with: OpenDesk,
) -> None:
    desk = await desk_with(config=STRICT)
    sha = await base_of(desk)
    put = states(sha)["approval"]
    task = await desk.task(
        await desk.issue(),
        lambda new: replace(put(new), facts=replace(put(new).facts, config_sha=sha)),
    )
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


async def test_a_broken_file_does_not_take_the_trigger_label_away(desk_with: OpenDesk) -> None:
    desk = await desk_with(config=STRICT)
    await desk.comment(await desk.issue(), "/chimera config")
    await pushed(desk, BROKEN)
    async with at_work(desk):
        task = await until(desk, await labelled(desk, "robot"), asks_for_configuration)
    assert task.wait is not None
    assert "limts" in task.wait.reason


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
