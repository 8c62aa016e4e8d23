"""Work of a step that ended after its push and before its record: it is taken up, not done again.

An agent that is asked a second time finds its work done and changes nothing, or writes something
else, which the branch would refuse. Our commits say in their trailers which step made them.
"""

from bot.domain import Task
from bot.workflow.phases.step import Ctx
from bot.workflow.report.pull import step_trailers


async def of_this_step(task: Task, ctx: Ctx, sha: str) -> bool:
    """Whether an earlier try of this very step made the commit."""
    lines = (await ctx.workspace.message(sha)).splitlines()
    return all(trailer in lines for trailer in step_trailers(task.id, task.cursor))


async def pushed_tests(task: Task, ctx: Ctx) -> str:
    """The commit of this step's tests, where the branch is at it already; else empty."""
    head = await ctx.workspace.remote(task.facts.branch)
    if not head or not await ctx.workspace.contains(head, task.facts.base_sha):
        return ""
    return head if await of_this_step(task, ctx, head) else ""
