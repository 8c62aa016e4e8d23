"""The branch as it is now: people's own commits on it are kept and built upon."""

from dataclasses import replace

from bot.domain import Task, WaitFor
from bot.errors import Parked
from bot.workflow.gates import freeze
from bot.workflow.phases.step import Ctx


async def on_newest_head(task: Task, ctx: Ctx) -> Task:
    """The task with the branch's newest commit as its head.

    A person's commits may change the accepted tests; what they wrote is what is frozen from then
    on. Raises Parked where the branch was replaced by something that does not contain the tests.
    """
    facts = task.facts
    head = await ctx.workspace.remote(facts.branch)
    if head in ("", facts.head_sha):
        return task
    if not await ctx.workspace.contains(head, facts.test_sha):
        raise Parked(
            WaitFor.DECISION,
            f"`{facts.branch}` was replaced and no longer contains the accepted tests: push "
            f"`{facts.head_sha[:7]}` to it again",
            until=None,
        )
    kept = []
    for test in facts.tests:
        content = await ctx.workspace.read(head, test.path)
        if content is not None:
            kept.append(freeze(test.path, content))
    tree = await ctx.workspace.tree(head)
    facts = replace(
        facts,
        base_sha=await _base_in(head, task, ctx),
        head_sha=head,
        head_tree=tree,
        tests=tuple(kept),
        wip_sha="",
        approval=None,
    )
    return replace(task, facts=facts)


async def _base_in(head: str, task: Task, ctx: Ctx) -> str:
    """The newest commit of the base that the branch contains: people merge the base into it, too,
    and what came with that is no part of the change.
    """
    newest = await ctx.workspace.at(task.facts.base_ref)
    return await ctx.workspace.merge_base(newest, head) or task.facts.base_sha
