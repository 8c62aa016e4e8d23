"""A wish that came by API gets its issue, labelled, so that GitHub stays the one place to look."""

from dataclasses import replace

from bot.domain import Task
from bot.effects import EffectKind
from bot.workflow.effects import Remote
from bot.workflow.neutral import harmless
from bot.workflow.phases.step import Ctx
from bot.workflow.report.marker import read_marker, signed

MAX_BODY = 65_000  #: characters; GitHub's limit is 65,536, and the marker needs some


async def with_issue(task: Task, ctx: Ctx) -> Task:
    """The task, with its issue opened where it has none. Local runs have none and need none."""
    repo = ctx.repo
    if repo is None or task.issue:
        return task
    label = ctx.config.trigger.label
    body = f"{signed(ctx.hmac_key, task.id, of='issue')}\n{harmless(task.feature, MAX_BODY)}"

    async def call() -> Remote:
        made = await repo.create_issue(title=task.title, body=body, labels=[label])
        return Remote(id=str(made.number), url=made.url)

    async def look_up(_since: float) -> Remote | None:
        for issue in await repo.issues(labels=[label], state="all"):
            mark = read_marker(ctx.hmac_key, issue.body)
            if mark is not None and mark.task_id == task.id:
                return Remote(id=str(issue.number), url=issue.html_url)
        return None

    request = {"title": task.title, "body": body}
    made = await ctx.effects.ensure(EffectKind.TASK_ISSUE, "1", request, call, look_up)
    return replace(task, issue=int(made.id))
