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


async def own_head(task: Task, ctx: Ctx) -> str:
    """Where the branch is, if its newest commit is one of this task's; else empty."""
    head = await ctx.workspace.remote(task.facts.branch)
    trailer = step_trailers(task.id, task.cursor)[0]
    said = await ctx.workspace.message(head) if head else ""
    return head if trailer in said.splitlines() else ""


async def pushed_tests(task: Task, ctx: Ctx, head: str) -> bool:
    """Whether `head` has this step's tests, on the base that the task has now."""
    if not head or not await of_this_step(task, ctx, head):
        return False
    return await ctx.workspace.contains(head, task.facts.base_sha)
