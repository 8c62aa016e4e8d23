"""Commands that speak to a server: a real one, on a real socket, in front of a real store."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, Status
from tests.web.house import START, House, opened_house
from tests.web.serving import serving


class Desk:
    """A server, and somebody who types."""

    def __init__(self, house: House, port: int) -> None:
        self.house = house
        self.url = f"http://127.0.0.1:{port}"

    async def types(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`chimera …` in a process of its own."""
        clean = {name: value for name, value in os.environ.items() if "CHIMERA" not in name}
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "bot", *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**clean, "CHIMERA_SERVER": self.url, **env},
        )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened_house(tmp_path) as house, serving(house) as port:
        yield Desk(house, port)


async def test_a_task_is_submitted_watched_and_cancelled(desk: Desk) -> None:
    started = await desk.types("task", "start", "Add logout", "--priority", "8")
    task_id = started.stdout.strip()
    assert started.returncode == 0
    shown = json.loads((await desk.types("task", "show", task_id, "--json")).stdout)
    assert (shown["priority"], shown["status"]) == (8, "QUEUED")
    assert "Add logout" in (await desk.types("task", "list")).stdout
    moved = await desk.types("task", "priority", task_id, "2", "--json")
    assert json.loads(moved.stdout)["priority"] == 2
    assert (await desk.types("task", "cancel", task_id)).returncode == 0
    again = await desk.types("task", "cancel", task_id)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("error: ")
    back = await desk.types("task", "retry", task_id, "--json")
    assert json.loads(back.stdout)["status"] == "QUEUED"


async def test_a_task_is_shown_with_a_line_for_each_phase(desk: Desk) -> None:
    task = await desk.house.add("one", issue=1)
    line = JournalLine(
        task_id=task.id,
        n=0,
        phase=Phase.CODE_IMPLEMENTATION,
        cursor=Cursor(),
        outcome=Outcome.PASS,
        summary="2 pass",
        started_at=START,
        seconds=1.25,
    )
    await desk.house.queue.change(task.id, lambda same: same, line=line)
    shown = (await desk.types("task", "show", task.id)).stdout
    assert "{" not in shown, "nothing of how it is sent"
    [heading, phase] = shown.partition("\n\n")[2].splitlines()
    assert heading.split()[:3] == ["PHASE", "STEPS", "SECONDS"]
    assert phase.split()[:3] == ["CODE_IMPLEMENTATION", "1", "1.25"]


async def test_every_wrong_field_is_talk_and_the_exit_code_says_usage(desk: Desk) -> None:
    done = await desk.types("task", "start", "x", "--target-url", "ftp://x", "--repository", "y")
    assert done.returncode == 2
    assert "#/target_url" in done.stderr
    assert "#/repository" in done.stderr
    assert done.stdout == ""


async def test_dead_tasks_are_listed_requeued_and_discarded(desk: Desk) -> None:
    first, second = await desk.house.add("one", issue=1), await desk.house.add("two", issue=2)
    for task in (first, second):
        await desk.house.put(task, status=Status.DEAD, cause=Cause.TIMEOUT, summary="too long")
    assert "timeout" in (await desk.types("dead", "list")).stdout
    shown = json.loads((await desk.types("dead", "show", first.id, "--json")).stdout)
    assert (shown["cause"], shown["last_good_phase"], shown["journal"]) == ("timeout", None, [])
    listed = json.loads((await desk.types("dead", "list", "--json")).stdout)
    assert {task["task_id"] for task in listed["tasks"]} == {first.id, second.id}
    assert (await desk.types("dead", "requeue", first.id)).returncode == 0
    assert (await desk.types("dead", "discard", second.id)).returncode == 0
    assert json.loads((await desk.types("dead", "list", "--json")).stdout)["tasks"] == []


async def test_deliveries_are_listed_and_read_again(desk: Desk) -> None:
    queue = desk.house.queue
    await queue.accept("guid-1", "issues", "labeled", "{}")
    [row] = await queue.pending()
    await queue.inbox_done(row.id, "started a task")
    assert "started a task" in (await desk.types("deliveries", "list")).stdout
    assert (await desk.types("deliveries", "replay", "guid-1")).returncode == 0
    assert [row.delivery_id for row in await queue.pending()] == ["guid-1"]
    assert (await desk.types("deliveries", "replay", "guid-2")).returncode == 1


async def test_the_token_comes_from_the_environment(desk: Desk) -> None:
    token = await desk.house.tokens.create("ci", scopes=("read",))
    without = await desk.types("task", "list")
    assert (without.returncode, "CHIMERA_TOKEN" in without.stderr) == (77, True)
    assert (await desk.types("task", "list", CHIMERA_TOKEN=token)).returncode == 0
    refused = await desk.types("task", "start", "x", CHIMERA_TOKEN=token)
    assert refused.returncode == 77
    assert token not in refused.stdout + refused.stderr


async def test_a_title_cannot_command_the_terminal(desk: Desk) -> None:
    await desk.house.add("evil \x1b]0;title\x07\x1b[2J\u202e", issue=1)
    shown = (await desk.types("task", "list")).stdout
    assert "evil" in shown
    assert not set("\x1b\x07\u202e") & set(shown)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://[", "nonsense"])
async def test_nobody_there_exits_69(desk: Desk, url: str) -> None:
    done = await desk.types("task", "list", CHIMERA_SERVER=url)
    assert done.returncode == 69
    assert "chimera serve" in done.stderr
    assert "Traceback" not in done.stderr
