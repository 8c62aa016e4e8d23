"""People who have enough to look at get nothing new: work waits for their open pull requests.

What they answered is signalled, so that the next task begins at once. Not every answer is a
delivery (the dashboard and the API decide, too), so a look each minute finds the others.
"""

from bot.domain import Task, WaitFor
from bot.errors import Parked
from bot.workflow.phases.step import Ctx
from bot.workflow.report.words import counted

LOOK_AGAIN_S = 60.0  #: at how many pull requests wait; a look asks nobody but the store


def answered_key(repo_id: int) -> str:
    """What is signalled when a person has answered one of the repository's pull requests."""
    return f"answered:{repo_id}"


async def not_too_many_at_once(task: Task, ctx: Ctx) -> None:
    """Let a task begin where people have few enough to look at. Raises Parked."""
    waiting_now, allowed = await ctx.open_pulls(task), ctx.config.limits.open_pulls
    if waiting_now >= allowed:
        raise Parked(
            WaitFor.REVIEWERS,
            f"{counted(waiting_now, 'pull request')} {'waits' if waiting_now == 1 else 'wait'} "
            f"for people here, and no more than {allowed} may (`limits.open_pulls`)",
            until=ctx.now() + LOOK_AGAIN_S,
            key=answered_key(task.repo.id) if task.repo is not None else "",
        )
