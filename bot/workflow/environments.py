"""One task at a time in an environment: what is deployed there must be what is being tried.

The holder's name is a row that is taken atomically; whether it still counts is read off the
holder's own task, so nothing has to be given back and a task that ended blocks nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.domain import Phase, Status, Task, Wait, WaitFor
from bot.errors import NotFound, Parked
from bot.tasks.lasting import Lasting
from bot.tasks.queue import TaskQueue

LOOK_AGAIN_S = 15.0
LOOK_FOR_PEOPLE_S = 300.0  #: where the holder waits for an environment's reviewers, often for days
STAGING_PHASES = frozenset({Phase.STAGING_DEPLOYMENT, Phase.E2E_VALIDATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments:
    """Who may deploy where, now."""

    queue: TaskQueue
    lasting: Lasting
    now: Callable[[], float]

    async def take(self, task: Task, environment: str) -> None:
        """Have an environment of the task's repository, or raise Parked while another has it."""
        assert task.repo is not None, "only a hub has environments"
        key = f"environment:{task.repo.id}/{environment}"
        holder = await self.lasting.value(key) or ""
        if holder not in ("", task.id):
            other = await self._task(holder)
            if other is not None and in_use_by(other):
                raise self._parked(other, environment)
        if not await self.lasting.take(key, task.id, instead_of=holder):
            raise self._parked(None, environment)

    def _parked(self, other: Task | None, environment: str) -> Parked:
        reviewed = other is not None and other.is_parked_for(WaitFor.ENVIRONMENT)
        whose = f" by the task of #{other.issue}" if other is not None and other.issue else ""
        return Parked(
            WaitFor.BLOCKED,
            f"{environment} is in use{whose}",
            until=self.now() + (LOOK_FOR_PEOPLE_S if reviewed else LOOK_AGAIN_S),
        )

    async def _task(self, task_id: str) -> Task | None:
        try:
            return await self.queue.get(task_id)
        except NotFound:
            return None


def in_use_by(holder: Task) -> bool:
    """Whether a task that took an environment still needs it."""
    if holder.status.ended or (holder.status is Status.WAITING and _left_alone(holder.wait)):
        return False
    if holder.phase in STAGING_PHASES:
        return True
    begun = bool(holder.facts.merge_sha) or holder.facts.production is not None
    return holder.phase is Phase.PRODUCTION_DEPLOYMENT and (
        begun or holder.status is Status.RUNNING
    )


def _left_alone(wait: Wait | None) -> bool:
    """Whether nothing happens there until a person acts; a run of ours may begin at any moment."""
    return wait is not None and wait.on.needs_person and wait.on is not WaitFor.ENVIRONMENT
