"""`chimera demo`: a labelled issue goes through all seven phases, on a hub of this machine.

Nothing is staged but the words of the agents, which are played from a recording; the screen says
so. Deliveries, tests, commits, reviews, workflow runs and the served application are real.
"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.agents.cage import Cage, CageKind
from bot.agents.replay import Recording, ReplayAgent
from bot.demo import hubview, sample
from bot.demo.ports import free_ports
from bot.demo.stage import Stage, bot_on, hub_with
from bot.domain import JournalLine, Role, Status, Task, WaitFor
from bot.errors import InputError
from bot.github.git_program import git_program
from bot.web.phases import task_detail
from bot.workflow.report.words import TITLES, duration, hanging

OWNER = "ada"
LOOK_S = 0.05
WHOLE_S = 600.0  #: after which the demo gives up
SHOWN_S = 60.0  #: for the last pictures
ICONS = {"pass": "✔", "skip": "⏭", "again": "↻", "back": "↩", "fail": "✘", "wait": "…"}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the command line offers."""

    keep: bool = False  #: leave the pages open at the end
    ask: bool = False  #: a person at the terminal approves production
    alter: str = ""  #: one recorded answer is altered
    session: Path | None = None  #: another recording
    directory: Path | None = None  #: keep everything there
    caged: bool = True  #: False: without a sandbox


async def run_demo(options: DemoOptions, say: Say) -> dict[str, Any]:
    """Play it, and return one document: task, journal, cage, hub. Raises ChimeraError."""
    async with contextlib.AsyncExitStack() as stack:
        await git_program()
        folder = _folder(options, stack)
        recording = options.session or sample.recording(options.alter)
        recorded = await asyncio.to_thread(Recording.load, recording)
        agent = ReplayAgent(recorded)
        cage = await Cage.open(CageKind.BUBBLEWRAP if options.caged else CageKind.NONE)
        deploys = folder / "deploys"
        stack.push_async_callback(stop_what_was_deployed, deploys)
        hub, owner, repository = await stack.enter_async_context(
            hub_with(folder, sample.files(), deployed_to(deploys), OWNER)
        )
        stage = await stack.enter_async_context(
            bot_on(hub, owner, repository, folder, dict.fromkeys(Role, agent), cage=cage)
        )
        _introduce(stage, cage, options, recorded.about, say)
        task = await _play(stage, options, say)
        await _shown(stage)
        document = await _document(stage, task, cage)
        _conclude(stage, task, say)
        if options.keep:
            await _hold_open(say)
        else:
            say("These pages are closed now; `chimera demo --keep` leaves them open.")
        return document


async def _play(stage: Stage, options: DemoOptions, say: Say) -> Task:
    title, body = sample.issue()
    issue = await stage.owner.open_issue(stage.repository, title, body)
    say(f"  {stage.owner.login} opens issue #{issue['number']} and labels it `chimera`")
    say(f"    {issue['html_url']}")
    await stage.owner.label(stage.repository, issue["number"], "chimera")
    async with asyncio.timeout(WHOLE_S):
        task = await _task_of(stage, issue["number"])
        said = 0
        approved = ""
        while not task.status.ended:
            said = await _tell(stage, task, said, say)
            waits = task.status is Status.WAITING and task.wait is not None
            if waits and task.wait is not None and task.wait.on is WaitFor.APPROVAL:
                if approved != task.facts.head_sha:
                    approved = task.facts.head_sha
                    await _approve(stage, task, options, say)
            elif waits and task.wait is not None and task.wait.on.needs_person:
                say(f"  … waits for a person: {task.wait.reason}")
                return task
            await asyncio.sleep(LOOK_S)
            task = await stage.house.queue.get(task.id)
        await _tell(stage, task, said, say)
    return task


async def _task_of(stage: Stage, issue: int) -> Task:
    while True:
        task = await stage.house.queue.find(stage.repository.id, issue)
        if task is not None:
            return task
        await asyncio.sleep(LOOK_S)


async def _tell(stage: Stage, task: Task, said: int, say: Say) -> int:
    """Say what is new in the journal; returns how many lines have been said."""
    journal = await stage.house.queue.journal(task.id)
    for line in journal[said:]:
        say(_line(stage, task, line))
    return len(journal)


def _line(stage: Stage, task: Task, line: JournalLine) -> str:
    icon = ICONS[line.outcome]
    name = TITLES[line.phase]
    return hanging(f"  {icon} {name:<16} {duration(line.seconds):>7}  ", line.summary)


async def _approve(stage: Stage, task: Task, options: DemoOptions, say: Say) -> None:
    """Press the button of the check, as a person would; or ask whoever sits here first."""
    if options.ask:
        question = f"  Approve production of {task.facts.head_sha[:7]}? [y/N] "
        button = "approve" if await _agrees(question) else "reject"
    else:
        say(f"  ({stage.owner.login} presses `Approve deploy`: --approve auto)")
        button = "approve"
    check = await _production_check(stage, task)
    await stage.owner.press(stage.repository, check, button)


async def _agrees(question: str) -> bool:
    """Ask at the terminal; nobody waits for the thread, so that Ctrl-C needs no Enter."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        line = sys.stdin.readline()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(_hand, answer, line)

    sys.stderr.write(question)
    sys.stderr.flush()
    threading.Thread(target=read, daemon=True).start()
    said = await answer
    if not sys.stdin.isatty():  # nobody's Enter has ended the line
        sys.stderr.write(f"{said.strip() or 'no answer'}\n")
    return said.strip().lower() in {"y", "yes"}


def _hand(answer: "asyncio.Future[str]", line: str) -> None:
    if not answer.done():
        answer.set_result(line)


async def _production_check(stage: Stage, task: Task) -> int:
    """The id of the check that carries the buttons, once it is there."""
    path = f"/repos/{stage.repository.full_name}/commits/{task.facts.head_sha}/check-runs"
    while True:
        found = await stage.owner.ask("GET", path)
        for run in found["check_runs"]:
            if run["name"] == "chimera / production" and run["conclusion"] == "action_required":
                return int(run["id"])
        await asyncio.sleep(LOOK_S)


async def _shown(stage: Stage) -> None:
    """Until GitHub shows the last state."""
    async with asyncio.timeout(SHOWN_S):
        while True:
            if await stage.house.queue.next_picture() is None:
                break
            await asyncio.sleep(LOOK_S)
    await stage.hub.settle()


async def _document(stage: Stage, task: Task, cage: Cage) -> dict[str, Any]:
    journal = await stage.house.queue.journal(task.id)
    task = await stage.house.queue.get(task.id)
    return {
        "task": task_detail(task, journal, position=None).model_dump(mode="json"),
        "journal": [
            {
                "phase": line.phase.value,
                "verdict": line.outcome.value,
                "summary": line.summary,
                "seconds": round(line.seconds, 3),
            }
            for line in journal
        ],
        "cage": cage.describe(),
        "agents": "replay of a recorded session",
        "hub": await hubview.document(stage.hub, stage.owner, stage.repository, task),
    }


def _introduce(stage: Stage, cage: Cage, options: DemoOptions, about: str, say: Say) -> None:
    say("Chimera demo: one issue, seven phases, on this machine")
    say(f"  hub     {stage.hub.base_url}/{stage.repository.full_name}")
    say(f"  bot     {stage.bot_url}")
    say(f"  cage    {cage.describe()}")
    say("  agents  replay: a recorded session is played; everything else is real")
    if options.alter:
        say(hanging("          altered: ", about))


def _conclude(stage: Stage, task: Task, say: Say) -> None:
    repo, facts = f"{stage.hub.base_url}/{stage.repository.full_name}", task.facts
    took = (task.finished_at or task.updated_at) - task.created_at
    say(hanging(f"{task.status} after {duration(took)}: ", task.summary))
    say(f"  issue       {repo}/issues/{task.issue}")
    if facts.pull:
        say(f"  change      {repo}/pull/{facts.pull}")
    if facts.production is not None:
        say(f"  production  {facts.production.url} ({facts.production.sha[:7]})")
    say(f"  task        {stage.bot_url}/tasks/{task.id}")


async def _hold_open(say: Say) -> None:
    say("The pages stay open; press Ctrl-C to end.")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _folder(options: DemoOptions, stack: contextlib.AsyncExitStack) -> Path:
    if options.directory is not None:
        options.directory.mkdir(parents=True, exist_ok=True)
        if any(options.directory.iterdir()):
            raise InputError(f"--dir {options.directory}: it is not empty; name a new directory")
        return options.directory.resolve()
    made = tempfile.TemporaryDirectory(prefix="chimera-demo-", ignore_cleanup_errors=True)
    return Path(stack.enter_context(made))


def deployed_to(deploys: Path) -> Mapping[str, str]:
    """What deploy.yml is told by its repository: where to, and on which ports."""
    staging, production = free_ports(2)
    return {
        "DEPLOY_ROOT": str(deploys),
        "STAGING_PORT": str(staging),
        "PRODUCTION_PORT": str(production),
        "PYTHON": sys.executable,
    }


async def stop_what_was_deployed(deploys: Path) -> None:
    """End the applications that the workflow runs have left serving, as they were meant to."""
    for file in await asyncio.to_thread(lambda: list(deploys.glob("*/shop.pid"))):
        with contextlib.suppress(ValueError, ProcessLookupError):
            pid = int(await asyncio.to_thread(file.read_text))
            os.kill(pid, signal.SIGTERM)
            await _gone(pid)


async def _gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            await asyncio.sleep(LOOK_S)
