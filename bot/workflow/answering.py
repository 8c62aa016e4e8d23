"""Every thread that a person opened is answered in it: what was done, and in which commit."""

from collections.abc import Sequence
from dataclasses import replace

from bot.agents.replies import ThreadAnswer
from bot.domain import Task
from bot.effects import EffectKind
from bot.facts import Facts, Thread
from bot.github.repo import Repo
from bot.workflow.effects import Remote
from bot.workflow.phases.step import Ctx
from bot.workflow.report.marker import signed
from bot.workflow.report.pull import thread_reply

UNSAID = "The coder was given this remark and answered nothing; the commit shows what it did."


async def answer_threads(
    task: Task, ctx: Ctx, repo: Repo, answers: Sequence[ThreadAnswer], sha: str
) -> Facts:
    """The facts without the threads, which have all been answered."""
    said = {answer.thread: answer.body for answer in answers}
    for thread in task.facts.threads:
        await _answer(task, ctx, repo, thread, said.get(thread.id, UNSAID), sha)
    return replace(task.facts, threads=())


async def _answer(task: Task, ctx: Ctx, repo: Repo, thread: Thread, text: str, sha: str) -> None:
    mark = signed(ctx.hmac_key, task.id, of="thread", thread=thread.id, head=sha)
    body = thread_reply(mark, text, sha)

    async def call() -> Remote:
        made = await repo.reply(task.facts.pull, thread.id, body)
        return Remote(id=str(made.id), url=made.url)

    async def look_up(_since: float) -> Remote | None:
        for comment in await repo.review_comments(task.facts.pull):
            if comment.body.startswith(mark):
                return Remote(id=str(comment.id), url=comment.html_url)
        return None

    name = f"{thread.id}@{sha}"
    await ctx.effects.ensure(EffectKind.THREAD_REPLY, name, {"body": body}, call, look_up)
