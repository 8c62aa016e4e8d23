"""One feature on a local repository, told step by step; the evidence stays on the branch."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bot.domain import JournalLine, Task
from bot.errors import NotFound
from bot.github.changes import Change as FileChange
from bot.github.changes import Changes
from bot.workflow.executor import ChimeraExecutor, create_chimera_task
from bot.workflow.local import LocalParts, local_parts
from bot.workflow.phases.step import AgentsRegistry
from bot.workflow.workspace import Taken, Workspace

TELL_EVERY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """What a local run came to."""

    task: Task
    journal: tuple[JournalLine, ...]
    cage: str
    evidence_sha: str  #: the commit that carries the evidence, on top of the branch; or empty


async def run_local(
    repository: Path,
    feature: str,
    agents: AgentsRegistry,
    *,
    target_url: str = "",
    config: tuple[str, bytes] | None = None,
    say: Callable[[JournalLine], None] = lambda _line: None,
    now: Callable[[], float] = time.time,
) -> LocalRun:
    """Run a feature's workflow on a local repository, telling each step as it is recorded.

    Raises InputError, ConfigError, CageMissing.
    """
    async with local_parts(repository, agents, now=now, config=config) as parts:
        executor = ChimeraExecutor(
            queue=parts.queue, context_for=parts.contexts.context_for, now=now
        )
        task = create_chimera_task(feature=feature, target_url=target_url, now=now)
        running = asyncio.create_task(executor.execute_workflow(task))
        told = 0
        try:
            while not running.done():
                await asyncio.wait([running], timeout=TELL_EVERY_S)
                told = await _tell(parts, task.id, told, say)
            task = (await running).task
        finally:
            running.cancel()
        await _tell(parts, task.id, told, say)
        journal = tuple(await parts.queue.journal(task.id))
        cage = parts.tools.cage.describe()
        sha = await _leave_evidence(parts, task, journal, cage)
        return LocalRun(task=task, journal=journal, cage=cage, evidence_sha=sha)


async def _tell(
    parts: LocalParts, task_id: str, told: int, say: Callable[[JournalLine], None]
) -> int:
    try:
        journal = await parts.queue.journal(task_id)
    except NotFound:
        return told
    for line in journal[told:]:
        say(line)
    return len(journal)


async def _leave_evidence(
    parts: LocalParts, task: Task, journal: Sequence[JournalLine], cage: str
) -> str:
    """A last commit on the branch with what was run and what came out."""
    facts = task.facts
    if not facts.head_sha:
        return ""
    origin = parts.tools.origin_of(None)
    workspace = Workspace(parts.tools.git, origin, parts.tools.folder / task.id)
    text = json.dumps(evidence(task, journal, cage), indent=2, ensure_ascii=False) + "\n"
    path = f".chimera/{task.id}.json"
    change = FileChange(path=path, content=text.encode())
    taken = Taken(files=(), odd=(), raw=Changes(files=(change,)))
    message = f"Evidence of {task.id}\n"
    sha = await workspace.commit(facts.head_sha, taken, message=message, when=task.created_at)
    await workspace.push(facts.branch, sha, expected=facts.head_sha)
    return sha


def evidence(task: Task, journal: Sequence[JournalLine], cage: str) -> dict[str, Any]:
    """What was run on which commit, and what came out, as plain data."""
    return {
        "task": task.id,
        "feature": task.feature,
        "status": task.status.value,
        "summary": task.summary,
        "cage": cage,
        "facts": asdict(task.facts),
        "journal": [
            {
                "phase": line.phase.value,
                "verdict": line.outcome.value,
                "summary": line.summary,
                "seconds": round(line.seconds, 3),
            }
            for line in journal
        ],
    }
