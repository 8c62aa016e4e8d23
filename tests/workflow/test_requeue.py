"""A dead task goes on at the very step where machinery broke, and what it did is adopted."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.config.choices import Verb
from bot.domain import Actor, Cause, Cursor, Phase, RepoRef, Status, Task
from bot.effects import EffectKind
from bot.errors import Parked, Uncertain, WrongState
from bot.facts import Deployment, Facts, Proof
from bot.tasks.ledger import Ledger
from bot.tasks.queue import TaskQueue
from bot.tasks.sqlite import SqliteStore
from bot.workflow.commands import Command
from bot.workflow.effects import Effects, Remote
from bot.workflow.steering import steered
from tests.tasks.making import Clock

ADA = Actor(login="ada", id=1)
SHA = "a" * 40
AT = Cursor(phase=Phase.STAGING_DEPLOYMENT, round=2, turn=1, attempt=3)
DEAD = Task(
    id="chimera-1",
    feature="f",
    title="f",
    repo=RepoRef(id=1, owner="octo", name="shop"),
    issue=1,
    status=Status.DEAD,
    cause=Cause.TIMEOUT,
    cursor=AT,
    tries=2,
    finished_at=900.0,
    facts=Facts(
        test_sha=SHA,
        head_sha=SHA,
        reviewed_sha=SHA,
        green=(Proof(command="pytest", sha=SHA, exit_code=0),),
        staging=Deployment(name="staging/2.3", environment="staging", sha=SHA, run_id=88),
    ),
)


def test_it_goes_on_where_it_stopped_with_all_that_it_knew() -> None:
    after = steered(DEAD, Command(verb=Verb.RETRY), ADA, 1000.0)
    assert (after.status, after.cause, after.tries) == (Status.QUEUED, None, 0)
    assert after.cursor == AT, "no new attempt: what was dispatched is waited for, not done again"
    assert after.facts.staging == DEAD.facts.staging


def test_from_a_phase_that_is_named_it_does_that_phase_again() -> None:
    again = Command(verb=Verb.RETRY, phase=Phase.GUARDIAN_REVIEW)
    after = steered(DEAD, again, ADA, 1000.0)
    assert (after.cursor.phase, after.cursor.attempt) == (Phase.GUARDIAN_REVIEW, 4)
    assert (after.facts.staging, after.facts.head_sha) == (None, SHA)


@pytest.mark.parametrize("status", [Status.DEAD, Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize("phase", [Phase.COMPLETE, Phase.FAILED])
def test_nobody_sends_a_task_to_its_end(status: Status, phase: Phase) -> None:
    """It would be called done without anything that shows it."""
    with pytest.raises(WrongState, match="ends by itself"):
        steered(replace(DEAD, status=status), Command(verb=Verb.RETRY, phase=phase), ADA, 1000.0)


@dataclass
class Hub:
    """A hub that carries out what it is asked, and does not answer the first time."""

    made: int = 0

    async def call(self) -> Remote:
        self.made += 1
        raise Uncertain("504")

    async def look_up(self, _since: float) -> Remote | None:
        return Remote(id="88") if self.made else None


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "chimera.db")
    yield opened
    await opened.close()


async def test_what_nobody_answered_for_is_found_by_the_claim_that_follows(
    store: SqliteStore,
) -> None:
    clock, hub = Clock(), Hub()
    queue, ledger = TaskQueue(store, clock), Ledger(store, clock)
    await queue.submit(Task(id="chimera-1", feature="f", title="f"))
    for attempt in range(2):
        claimed = await queue.claim("host/boot")
        assert claimed is not None
        effects = Effects(ledger, clock, task_id=claimed.id, fence=claimed.fence, quiet_s=60)
        if attempt == 0:
            with pytest.raises(Parked):
                await effects.ensure(EffectKind.DISPATCH, "staging/1.1", {}, hub.call, hub.look_up)
            await queue.change(claimed.id, _dead)
            clock.goes_on(3600)
            await queue.change(
                claimed.id, lambda now: steered(now, Command(verb=Verb.RETRY), ADA, clock())
            )
        else:
            found = await effects.ensure(
                EffectKind.DISPATCH, "staging/1.1", {}, hub.call, hub.look_up
            )
            assert (found.id, hub.made) == ("88", 1)


def _dead(task: Task) -> Task:
    return replace(task, status=Status.DEAD, cause=Cause.TRANSIENT)
