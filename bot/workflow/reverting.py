"""The pull request that takes a change back after production was rolled back.

It is opened where the repository asks for it (`production.revert`), and only where nothing has
touched the same files since; a revert with conflicts is a person's work.
"""

from dataclasses import replace

from bot.domain import Task
from bot.effects import EffectKind
from bot.github.changes import Change as FileChange
from bot.github.changes import Changes
from bot.github.repo import Repo
from bot.workflow.effects import Remote
from bot.workflow.phases.step import Ctx
from bot.workflow.publish import publish
from bot.workflow.report.marker import signed
from bot.workflow.report.pull import revert_title
from bot.workflow.workspace import Taken


async def open_revert(task: Task, ctx: Ctx, repo: Repo) -> str:
    """The revert's address; empty where it has to be made by hand."""
    facts = task.facts
    _, tip = await ctx.workspace.base()
    taken = await _taken_back(task, ctx, tip)
    if taken is None:
        return ""
    title = revert_title(task)
    message = f"{title}\n\nRefs #{task.issue}\n\nThis reverts commit {facts.merge_sha}.\n"
    sha = await ctx.workspace.commit(tip, taken, message=message, when=task.created_at)
    branch = f"revert/{facts.branch}"
    moved = replace(task, facts=replace(facts, branch=branch))
    await publish(moved, ctx, sha, expected="")
    mark = signed(ctx.hmac_key, task.id, of="revert")
    body = (
        f"{mark}\nRefs #{task.issue}\n\nProduction was rolled back: {facts.production_trouble}. "
        f"This takes #{facts.pull} back."
    )

    async def call() -> Remote:
        made = await repo.create_pull(
            title=title, head=branch, base=facts.base_ref, body=body, draft=False
        )
        return Remote(id=str(made.number), url=made.url)

    async def look_up(_since: float) -> Remote | None:
        for pull in await repo.pulls(head=branch, state="all"):
            return Remote(id=str(pull.number), url=pull.html_url)
        return None

    made = await ctx.effects.ensure(EffectKind.REVERT_PULL, branch, {"body": body}, call, look_up)
    return made.url


async def _taken_back(task: Task, ctx: Ctx, tip: str) -> Taken | None:
    """The files as they were before the merge; None where somebody has changed them since."""
    facts, files = task.facts, []
    for change in await ctx.workspace.changes(facts.merge_sha, facts.base_sha):
        if await ctx.workspace.read(tip, change.path) != change.old:
            return None
        executable = change.mode == 0o100755
        files.append(FileChange(path=change.path, executable=executable, content=change.new))
    return Taken(files=(), odd=(), raw=Changes(files=tuple(files))) if files else None
