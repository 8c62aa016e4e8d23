"""What a history has left behind, as the invariants look at it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from bot.app import House
from bot.domain import JournalLine, Status, Task
from bot.effects import Effect
from bot.tasks.inbox import InboxRow
from tests.faults.meddling import Act, Meddler
from tests.faults.runs import Runs
from tests.faults.stage import Stage

PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Hub and store at the end; `seen` are the statuses of each task in their order."""

    stage: Stage
    runs: Runs
    issues: Sequence[int]
    accepted: Set[str]
    tasks: Sequence[Task]
    journals: Mapping[str, Sequence[JournalLine]]
    effects: Mapping[str, Sequence[Effect]]
    inbox: Sequence[InboxRow]
    comments: Mapping[str, str]  #: what each task's status comment has to say
    labels: Mapping[str, str]  #: the state label that each task's issue has to have
    seen: Mapping[str, Sequence[Status]]
    commanded: Set[int]  #: issues in which a person has commanded something
    act: Act | None  #: what a person did in the middle of it
    acted_at: float | None  #: when, by the bot's clock; None where that clock has jumped
    automatic: bool  #: nobody is asked before production
    pushed: Mapping[str, str]  #: branch → a person's commit on it


async def left_by(
    house: House,
    stage: Stage,
    *,
    issues: Sequence[int],
    accepted: Set[str],
    seen: Mapping[str, Sequence[Status]],
    commanded: Set[int],
    meddler: Meddler,
    acted_at: float | None,
    automatic: bool,
) -> Left:
    """Reads store and hub."""
    from bot.workflow.report.labels import state_label
    from bot.workflow.report.status import status_comment

    tasks = (await house.queue.page(limit=200)).tasks
    act = meddler.meddling.act if meddler.meddling is not None and meddler.acted else None
    shown = tasks if act is not Act.UNINSTALLED else ()  # no right to read what a picture needs
    views = {task.id: await house.contexts.view(task) for task in shown}
    return Left(
        stage=stage,
        runs=stage.runs,
        issues=issues,
        accepted=accepted,
        tasks=tasks,
        journals={task.id: await house.queue.journal(task.id) for task in tasks},
        effects={task.id: await house.ledger.of_task(task.id) for task in tasks},
        inbox=await house.queue.deliveries(limit=PAGE),
        comments={task.id: status_comment(views[task.id]) for task in shown},
        labels={t.id: state_label(t, views[t.id].config.labels).name for t in shown},
        seen=seen,
        commanded=commanded,
        act=act,
        acted_at=acted_at,
        automatic=automatic,
        pushed=meddler.pushed,
    )
