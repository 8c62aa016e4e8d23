"""Runs one feature on a local repository, telling its steps; the evidence ends the branch."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.agents.cage import Cage, CageKind
from bot.domain import JournalLine, Phase, Task
from bot.errors import NotFound
from bot.github.changes import Change as FileChange
from bot.github.changes import Changes
from bot.workflow.evidence import bundle
from bot.workflow.executor import ChimeraExecutor, create_chimera_task
from bot.workflow.local import LocalParts, asked_of, local_parts
from bot.workflow.local_record import keep
from bot.workflow.phases.step import AgentsRegistry
from bot.workflow.publish import branch_name
from bot.workflow.replaying import Record
from bot.workflow.report.words import WORKING_PHASES
from bot.workflow.transcripts import unpacked
from bot.workflow.workspace import Taken, Workspace

TELL_EVERY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Who is told how a run goes on."""

    starts: Callable[[str, str], None]  #: branch and commit that the run builds upon
    enters: Callable[[Phase], None]
    records: Callable[[JournalLine], None]


SILENT = Teller(
    starts=lambda _branch, _sha: None, enters=lambda _phase: None, records=lambda _line: None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """What a local run came to."""

    task: Task
    journal: tuple[JournalLine, ...]
    cage: str
    evidence_sha: str  #: the commit that carries the evidence, on top of the branch; or empty
    record: Path  #: the file with the transcripts of the agents


async def run_local(
    repository: Path,
    feature: str,
    agents: AgentsRegistry,
    *,
    target_url: str = "",
    config: tuple[str, bytes] | None = None,
    caged: bool = True,
    tell: Teller = SILENT,
    now: Callable[[], float] = time.time,
) -> LocalRun:
    """Run a feature's workflow on a local repository, telling each step as it is recorded.

    Cancelled, it ends what it started and takes its branch back. Raises InputError, ConfigError
    for a broken chimera.yml or a missing agent, CageMissing.
    """
    task = create_chimera_task(feature=feature, target_url=target_url, now=now)
    cage = None if caged else await Cage.open(CageKind.NONE)
    async with local_parts(repository, agents, now=now, config=config, cage=cage) as parts:
        await _announce(parts, task, tell)
        running = asyncio.create_task(_executor(parts, now).execute_workflow(task))
        try:
            await _follow(parts, task.id, running, tell)
            task = (await running).task
        except asyncio.CancelledError:
            await _ended(running)
            await _take_back(parts, task)
            raise
        finally:
            await _ended(running)
        journal = tuple(await parts.queue.journal(task.id))
        where = parts.tools.cage.describe()
        sha = await _leave_evidence(parts, task, journal, where)
        stored = await parts.tools.lasting.transcripts(task.id)
        runs = [unpacked(text) for text in stored.values()]
        record = await keep(repository, Record(task=task, journal=journal, runs=runs))
        return LocalRun(task=task, journal=journal, cage=where, evidence_sha=sha, record=record)


def _executor(parts: LocalParts, now: Callable[[], float]) -> ChimeraExecutor:
    return ChimeraExecutor(queue=parts.queue, context_for=parts.contexts.context_for, now=now)


async def _announce(parts: LocalParts, task: Task, tell: Teller) -> None:
    """Say what is built upon. Raises ConfigError here, before anything has run."""
    origin = parts.tools.origin_of(None)
    await parts.tools.configs.of_task(task, origin)
    branch, sha = await Workspace(parts.tools.git, origin, parts.tools.folder / task.id).base()
    tell.starts(branch, sha)


async def _follow(
    parts: LocalParts, task_id: str, running: asyncio.Task[Any], tell: Teller
) -> None:
    """Tell phases and steps as they come, until the run has ended."""
    told = 0
    phase: Phase | None = None
    while True:
        done = running.done()
        with contextlib.suppress(NotFound):  # not submitted yet
            task = await parts.queue.get(task_id)
            lines = (await parts.queue.journal(task_id))[told:]
            for line in lines:
                tell.records(line)
            told += len(lines)
            # The row was read before the journal: where lines have come, it may be a phase behind.
            if not lines and task.phase is not phase and task.phase in WORKING_PHASES:
                phase = task.phase
                tell.enters(phase)
        if done:
            return
        await asyncio.wait([running], timeout=TELL_EVERY_S)


async def _ended(running: asyncio.Task[Any]) -> None:
    """Nothing of the run goes on after this; its error, if it has one, is not raised here."""
    running.cancel()
    await asyncio.wait([running])


async def _take_back(parts: LocalParts, task: Task) -> None:
    """Delete the branch of an interrupted run, if there is one and its last commit is ours."""
    origin = parts.tools.origin_of(None)
    config = (await parts.tools.configs.of_task(task, origin)).config
    repository, ref = Path(origin.url), f"refs/heads/{branch_name(task, config.pull.branch)}"
    head = await asked_of(repository, "rev-parse", "--verify", "--quiet", ref)
    if head and task.id in await asked_of(repository, "log", "-1", "--format=%B", head):
        await asked_of(repository, "update-ref", "-d", ref, head)


async def _leave_evidence(
    parts: LocalParts, task: Task, journal: Sequence[JournalLine], cage: str
) -> str:
    """A last commit on the branch with what was run and what came out."""
    facts = task.facts
    if not facts.head_sha:
        return ""
    origin = parts.tools.origin_of(None)
    workspace = Workspace(parts.tools.git, origin, parts.tools.folder / task.id)
    effects = await parts.tools.ledger.of_task(task.id)
    document = bundle(task, journal, effects, cage=cage)
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    path = f".chimera/{task.id}.json"
    change = FileChange(path=path, content=text.encode())
    taken = Taken(files=(), odd=(), raw=Changes(files=(change,)))
    message = f"Evidence of {task.id}\n"
    sha = await workspace.commit(facts.head_sha, taken, message=message, when=task.created_at)
    await workspace.push(facts.branch, sha, expected=facts.head_sha)
    return sha
