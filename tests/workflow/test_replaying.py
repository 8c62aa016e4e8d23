"""An ended task plays again, offline: the same words, real tools, real tests."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.agents.agent import Outcome as Completed
from bot.agents.agent import Reply
from bot.cli.main import cli
from bot.domain import Bounds, Cause, JournalLine, Outcome, Phase, RepoRef, Role, Status, Task
from bot.errors import InputError, WrongState
from bot.github.git import Git
from bot.tasks.base import note
from bot.workflow.executor import ChimeraExecutor, create_chimera_task
from bot.workflow.local import LocalParts, local_parts
from bot.workflow.replaying import Compared, Record, compared, playable, replay
from bot.workflow.sent_back import sent_back
from bot.workflow.transcripts import AgentRun, Transcript, packed, unpacked
from bot.workflow.workspace import mirror_key
from tests.stories.actors import Cast, approve, cast, request_changes
from tests.stories.sample import BODY, TITLE, code, e2e_test

PLAYED = list(Phase)[:5]
E2E, CODE, GUARD = PLAYED[:3]
SHOP = RepoRef(id=7, owner="ada", name="shop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A task that has ended, and where everything of it is."""

    parts: LocalParts
    record: Record

    @property
    def data_dir(self) -> Path:
        return self.parts.tools.folder.parent

    async def again(self, record: Record | None = None) -> dict[Phase, Compared]:
        found = await replay(record or self.record, self.parts.tools.git, mirror_key(SHOP))
        return {one.phase: one for one in found}


def sent_back_once() -> Cast:
    made = cast()
    made.e2e_tester.writes(
        {"tests/e2e/test_no.py": "import nothing_like_it\n"}, e2e_test("goodbye", "Goodbye")
    )
    made.guardian.says(request_changes("Say farewell, too."), approve())
    made.coder.writes(code("goodbye", "Good"), code("goodbye", "Goodbye"), code("farewell", "Bye"))
    return made


@pytest.fixture
async def ran(repository: Path) -> AsyncIterator[Ran]:
    """A whole run: a test file without a test, code that is red, and sent back by the guardian."""
    registry = sent_back_once().registry()
    async with local_parts(repository, registry, now=time.time) as parts:
        executor = ChimeraExecutor(queue=parts.queue, context_for=parts.contexts.context_for)
        done = await executor.execute_workflow(create_chimera_task(feature=f"{TITLE}\n\n{BODY}"))
        yield await as_of_a_server(parts, done.task)


async def as_of_a_server(parts: LocalParts, task: Task) -> Ran:
    """The run, with store and mirror as a server keeps them."""
    task = await parts.queue.change(task.id, lambda task: replace(task, repo=SHOP))
    git, origin = parts.tools.git, parts.tools.origin_of(None)
    git.mirror_path(origin.key).rename(git.mirror_path(mirror_key(SHOP)))
    stored = await parts.tools.lasting.transcripts(task.id)
    record = Record(
        task=task,
        journal=await parts.queue.journal(task.id),
        runs=[unpacked(text) for text in stored.values()],
    )
    return Ran(parts=parts, record=record)


async def test_what_programs_did_plays_again_by_command(ran: Ran) -> None:
    assert ran.record.task.status is Status.COMPLETED, ran.record.task.summary
    words = ["task", "replay", ran.record.task.id, "--data-dir", str(ran.data_dir), "--json"]
    said = await asyncio.to_thread(CliRunner().invoke, cli, words)
    assert said.exit_code == 0, said.output
    assert "Guardian review  back " in said.stderr, "each step is told as it is played"
    found = {one["phase"]: one for one in json.loads(said.stdout)["phases"]}
    assert [found[phase]["same"] for phase in PLAYED] == [True] * 5, found
    assert found[Phase.PRODUCTION_DEPLOYMENT]["same"] is None
    assert found[E2E]["played"].startswith("again (gate), pass; exit code 1 (0 passed, 1 failed)")
    assert found[CODE]["played"].startswith("again (not_green), pass, pass; exit code 0 (1 passed")
    assert found[GUARD]["played"] == "back (review), pass; 0 findings"


async def test_rounds_that_ci_and_a_person_asked_for_are_played_at_their_places(
    repository: Path,
) -> None:
    agents = three_rounds()
    outside = {
        Phase.STAGING_DEPLOYMENT: [said(Cause.CI)],
        Phase.PRODUCTION_DEPLOYMENT: [said(Cause.REVIEW, by="ada")],
    }
    async with recorded_run(repository, agents, outside) as ran:
        assert ran.record.task.cursor.round == 3
        found = await ran.again()
    assert found[CODE].recorded.startswith("pass, pass, pass; exit code 0")
    assert [found[phase].same for phase in PLAYED] == [True] * 5, found


async def test_a_round_that_a_deployment_asked_for_is_played_without_it(repository: Path) -> None:
    outside = {Phase.STAGING_DEPLOYMENT: [said(Cause.DEPLOY)]}
    async with recorded_run(repository, three_rounds(), outside) as ran:
        task = ran.record.task
        assert task.facts.staging is not None
        by_workflow = replace(task.facts.staging, environment="staging")
        facts = replace(task.facts, staging=by_workflow)
        found = await ran.again(replace(ran.record, task=replace(task, facts=facts)))
    assert found[CODE].recorded.startswith("pass, pass; exit code 0")
    assert [found[phase].same for phase in PLAYED] == [True, True, True, None, None], found


def three_rounds() -> Cast:
    made = cast()
    made.e2e_tester.writes(e2e_test("goodbye", "Goodbye"))
    made.coder.writes(code("goodbye", "Goodbye"), code("two", "2"), code("three", "3"))
    return made


Outside = tuple[Cause, str]


def said(cause: Cause, by: str = "") -> Outside:
    return cause, by


@contextlib.asynccontextmanager
async def recorded_run(
    repository: Path, agents: Cast, outside: Mapping[Phase, list[Outside]]
) -> AsyncIterator[Ran]:
    """A run in which somebody asks for another round whenever it comes to these phases."""
    async with local_parts(repository, agents.registry(), now=time.time) as parts:
        executor = ChimeraExecutor(queue=parts.queue, context_for=parts.contexts.context_for)
        task, _ = await parts.queue.submit(create_chimera_task(feature=f"{TITLE}\n\n{BODY}"))
        while not task.status.ended:
            claimed = task if task.status is Status.RUNNING else await parts.queue.claim("test")
            assert claimed is not None, task
            task = await executor.advance(claimed)
            if not task.status.ended and outside.get(task.phase):
                task = await sent_back_by(parts, task, outside[task.phase].pop(0))
        yield await as_of_a_server(parts, task)


async def sent_back_by(parts: LocalParts, task: Task, asked: Outside) -> Task:
    cause, by = asked
    return await parts.queue.change(
        task.id,
        lambda now: sent_back(now, ["Again."], (), Bounds(), time.time(), cause),
        line=note(task, Outcome.BACK, "Again.", time.time(), cause=cause, by=by),
    )


async def test_an_altered_word_shows_in_the_phase_that_it_changes(ran: Ran) -> None:
    altered = await ran.again(replace(ran.record, runs=[*map(worse, ran.record.runs)]))
    assert altered[E2E].same is True
    assert altered[CODE].same is False
    assert "again (not_green), fail (bad_output)" in altered[CODE].played, "it has no third word"
    assert altered[Phase.E2E_VALIDATION].same is None, "it is not reached"


def worse(run: Transcript) -> Transcript:
    """Everything that the coder wrote, with another word in it."""
    text = (
        json.dumps(run.session)
        .replace("Goodbye\\\\n", "So long\\\\n")
        .replace("Goodbye\\n", "So long\\n")
    )
    return replace(run, session=json.loads(text)) if run.role == "coder" else run


async def test_what_cannot_be_played_is_refused_with_the_reason(tmp_path: Path) -> None:
    task = Task(id="t", feature="f", title="f", status=Status.FAILED, repo=SHOP)
    record, git = Record(task=task, journal=[]), Git(tmp_path)
    with pytest.raises(WrongState, match="is WAITING"):
        await replay(replace(record, task=replace(task, status=Status.WAITING)), git, "repo-7")
    with pytest.raises(InputError, match="no agent's run"):
        await replay(record, git, "repo-7")
    one = AgentRun(
        run_id="t/CODE_IMPLEMENTATION/1",
        role=Role.CODER,
        agent="llm",
        events=[],
        reply=Reply(outcome=Completed.COMPLETED, session="[]"),
    )
    with pytest.raises(InputError, match="is not here"):
        await replay(replace(record, runs=[unpacked(packed(one))]), git, "repo-7")


# ── comparing ────────────────────────────────────────────────────────────────────────────────


def line(phase: Phase, outcome: Outcome, cause: Cause | None = None, by: str = "") -> JournalLine:
    task = Task(id="t", feature="f", title="f")
    return JournalLine(
        task_id="t", n=1, phase=phase, cursor=task.cursor, outcome=outcome, summary="", cause=cause,
        started_at=0.0, seconds=1.0, by=by,
    )  # fmt: skip


ONCE = [line(E2E, Outcome.PASS), line(CODE, Outcome.PASS), line(GUARD, Outcome.PASS)]


@pytest.mark.parametrize(
    "beyond",
    [
        line(CODE, Outcome.BACK, Cause.CONFLICT, by="ada"),
        line(Phase.PRODUCTION_DEPLOYMENT, Outcome.BACK, Cause.CONFLICT),
        line(GUARD, Outcome.FAIL, Cause.PERSON),
    ],
    ids=["a person's commits", "a newer base", "the end by a person"],
)
def test_what_changed_the_code_itself_ends_what_can_be_played(beyond: JournalLine) -> None:
    task = Task(id="t", feature="f", title="f", status=Status.COMPLETED)
    recorded = Record(task=task, journal=[*ONCE, beyond, *ONCE[1:]])
    assert playable(recorded.journal) == ONCE
    found = compared(recorded, Record(task=task, journal=ONCE))
    assert [one.same for one in found if one.phase in PLAYED[:3]] == [True, True, True]
    assert all(one.same is None for one in found if one.phase not in PLAYED[:3])


def test_waits_and_tries_of_a_failing_provider_say_nothing_about_the_work() -> None:
    task = Task(id="t", feature="f", title="f", status=Status.COMPLETED)
    waited = [ONCE[0], line(CODE, Outcome.WAIT, Cause.TRANSIENT), *ONCE[1:]]
    found = compared(Record(task=task, journal=waited), Record(task=task, journal=ONCE))
    assert [one.same for one in found] == [True, True, True]
