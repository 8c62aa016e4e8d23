"""Plays a task again, offline: its agents' recorded words, and everything else for real.

The recording takes every role's place on a fresh clone of the recorded base: tools write, gates
judge, tests run in the cage. No model is asked and no hub is touched, so what needs one (a
deployment, the word of a person, the repository's CI) is told as not played.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.agents.replay import ReplayAgent
from bot.config.server_file import server_layer
from bot.config.settings import Settings
from bot.domain import JournalLine, Phase, Role, Task
from bot.errors import InputError, WrongState
from bot.facts import Facts, Proof
from bot.github.git import Git
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue
from bot.workflow.flow import bounds_of
from bot.workflow.local import LocalParts, local_origin, local_parts
from bot.workflow.replay_rounds import ReplayExecutor, beyond_replay, steps
from bot.workflow.report.words import WORKING_PHASES, counted, sha7
from bot.workflow.transcripts import Transcript, recording_of, unpacked
from bot.workflow.trouble import Retries, Triage
from bot.workflow.workspace import mirror_key

_HERE = (Phase.E2E_TEST_GENERATION, Phase.CODE_IMPLEMENTATION, Phase.GUARDIAN_REVIEW)
ONCE = Retries(tries=1)  #: a recording says nothing else when it is asked again
Tell = Callable[[JournalLine], None]  #: hears of each step that was played
EPHEMERAL = "ephemeral"  #: the environment that is served in the cage, which is here, too


def _nobody(_line: JournalLine) -> None:
    """Hears nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A task as it went."""

    task: Task
    journal: Sequence[JournalLine]
    runs: Sequence[Transcript] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One phase, as it was recorded and as it was played."""

    phase: Phase
    recorded: str
    played: str
    same: bool | None  #: None: it was not played

    @property
    def result(self) -> str:
        return {True: "same", False: "different", None: "not played"}[self.same]


async def replay_of(
    task_id: str, queue: TaskQueue, lasting: Lasting, settings: Settings, *, tell: Tell = _nobody
) -> list[Compared]:
    """`replay` with what a server has kept on this machine. Raises NotFound, too."""
    task = await queue.get(task_id)
    stored = await lasting.transcripts(task_id)
    record = Record(
        task=task,
        journal=await queue.journal(task_id),
        runs=[unpacked(text) for text in stored.values()],
    )
    config = await asyncio.to_thread(server_layer, settings)
    key = mirror_key(task.repo) if task.repo is not None else ""
    return await replay(record, Git(settings.data_dir / "git"), key, config=config, tell=tell)


async def _executor(parts: LocalParts, record: Record, tell: Tell) -> ReplayExecutor:
    origin = parts.tools.origin_of(None)
    config = (await parts.tools.configs.of_task(_anew(record.task), origin)).config
    return ReplayExecutor(
        playable(record.journal),
        served_here=_served_here(record.task.facts),
        bounds=bounds_of(config),
        tell=tell,
        queue=parts.queue,
        context_for=parts.contexts.context_for,
        triage=Triage(queue=parts.queue, now=time.time, retries_of=lambda _phase: ONCE),
    )


async def replay_local(
    record: Record,
    repository: Path,
    *,
    config: tuple[str, bytes] | None = None,
    tell: Tell = _nobody,
) -> list[Compared]:
    """`replay` of a local run, in a clone of the repository that it ran on. Raises InputError."""
    with tempfile.TemporaryDirectory(prefix="chimera-replay-") as scratch:
        git, origin = Git(Path(scratch) / "git"), await local_origin(repository)
        await git.mirror(origin.url, origin.key, "")
        return await replay(record, git, origin.key, config=config, tell=tell)


async def replay(
    record: Record,
    git: Git,
    key: str,
    *,
    config: tuple[str, bytes] | None = None,
    tell: Tell = _nobody,
) -> list[Compared]:
    """Each phase that was recorded, compared. `key` names the repository's mirror of `git`.

    Raises WrongState for a live task, InputError where transcripts or mirror are missing,
    CageMissing.
    """
    task = record.task
    if not task.status.ended:
        raise WrongState(f"{task.id} is {task.status}; it can be played again when it has ended")
    recording = recording_of(record.runs, task.id)
    with tempfile.TemporaryDirectory(prefix="chimera-replay-") as scratch:
        clone = await _base(git, key, task.facts, Path(scratch) / "repository")
        agents = dict.fromkeys(Role, ReplayAgent(recording))
        async with local_parts(clone, agents, now=time.time, config=config) as parts:
            done = await (await _executor(parts, record, tell)).execute_workflow(_anew(task))
            played = Record(task=done.task, journal=await parts.queue.journal(task.id))
    return compared(record, played)


async def _base(git: Git, key: str, facts: Facts, folder: Path) -> Path:
    """A clone whose branch is at the recorded base. Raises InputError."""
    mirror = git.mirror_path(key)
    if (
        not facts.base_sha
        or not mirror.is_dir()
        or await git.rev_parse(mirror, facts.base_sha) is None
    ):
        raise InputError(
            f"{mirror}: the task's base {sha7(facts.base_sha) or '(none yet)'} is not here; play "
            "it on the machine that ran it"
        )
    return await git.checkout(mirror, folder, facts.base_sha, facts.base_ref)


def _anew(task: Task) -> Task:
    """The wish without anything that came of it."""
    return Task(
        id=task.id,
        feature=task.feature,
        title=task.title,
        issue=task.issue,
        text_sha256=task.text_sha256,
        requester=task.requester,
        created_at=task.created_at,
        run_at=task.created_at,
    )


# ── comparing ────────────────────────────────────────────────────────────────────────────────


def compared(recorded: Record, played: Record) -> list[Compared]:
    """Phase by phase, as far as what was recorded can be played."""
    known = playable(recorded.journal)
    whole = len(known) == len(recorded.journal)
    then = _Side(task=recorded.task, journal=known, whole=whole)
    now = _Side(task=played.task, journal=played.journal, whole=whole)
    been = {line.phase for line in recorded.journal}
    return [_compared(phase, then, now) for phase in WORKING_PHASES if phase in been]


def _compared(phase: Phase, then: "_Side", now: "_Side") -> Compared:
    if not _can_be_played(phase, then, now):
        return Compared(phase=phase, recorded=then.told(phase), played="", same=None)
    told = then.told(phase), now.told(phase)
    return Compared(phase=phase, recorded=told[0], played=told[1], same=told[0] == told[1])


def _can_be_played(phase: Phase, then: "_Side", now: "_Side") -> bool:
    """What was deployed by a workflow has no counterpart here; what was served in the cage has."""
    if phase in _HERE:
        return True
    reached = any(line.phase is phase for line in now.journal)
    production = phase is Phase.PRODUCTION_DEPLOYMENT
    return then.whole and _served_here(then.task.facts) and not production and reached


def _served_here(facts: Facts) -> bool:
    return facts.staging is None or facts.staging.environment == EPHEMERAL


def playable(journal: Sequence[JournalLine]) -> list[JournalLine]:
    """The steps up to the first that no recording can repeat."""
    return list(itertools.takewhile(lambda line: not beyond_replay(line), journal))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One of the two."""

    task: Task
    journal: Sequence[JournalLine]
    whole: bool  #: what the task knows at its end belongs to these steps

    def told(self, phase: Phase) -> str:
        """Verdicts, exit codes and what was made: equal where the phase went the same way."""
        verdicts = [_verdict(line) for line in steps(self.journal) if line.phase is phase]
        made = _made(phase, self.task.facts) if self.whole or phase is _HERE[0] else []
        return "; ".join([", ".join(verdicts) or "no verdict", *made])


def _verdict(line: JournalLine) -> str:
    return f"{line.outcome} ({line.cause})" if line.cause is not None else line.outcome.value


def _made(phase: Phase, facts: Facts) -> list[str]:
    match phase:
        case Phase.E2E_TEST_GENERATION:
            hashes = "".join(sorted(test.sha256[:7] for test in facts.tests))
            return [*_proofs(facts.red), f"{counted(len(facts.tests), 'test file')} {hashes}"]
        case Phase.CODE_IMPLEMENTATION:
            return [*_proofs(*facts.green), f"tree {sha7(facts.head_tree)}"]
        case Phase.GUARDIAN_REVIEW:
            return [counted(len(facts.findings), "finding")]
        case Phase.E2E_VALIDATION:
            return _proofs(facts.validation)
        case _:
            return []


def _proofs(*proofs: Proof | None) -> list[str]:
    return [
        f"exit code {one.exit_code} ({one.passed} passed, {one.failed + one.errors} failed)"
        for one in proofs
        if one is not None
    ]
