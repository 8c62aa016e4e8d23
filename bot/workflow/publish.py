"""What reaches the repository: commits, the branch, the pull request."""

import re
import unicodedata
from dataclasses import replace

from bot.domain import Phase, Task
from bot.effects import EffectKind
from bot.errors import Refused
from bot.facts import Facts
from bot.github.repo import Repo
from bot.github.types import Made
from bot.workflow.effects import Remote
from bot.workflow.phases.step import Ctx
from bot.workflow.report.pull import commit_message, pull_body, pull_title, with_evidence
from bot.workflow.workspace import Taken

MAX_SLUG = 40
TEMPLATES = tuple(
    folder + name
    for folder in (".github/", "", "docs/")
    for name in ("pull_request_template.md", "PULL_REQUEST_TEMPLATE.md")
)  #: where GitHub looks for the repository's own, in its order
MAX_TEMPLATE = 64 * 1024  #: bytes
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")


def branch_name(task: Task, template: str) -> str:
    """The branch of a task, always the same one."""
    plain = unicodedata.normalize("NFKD", task.title).encode("ascii", "ignore").decode()
    slug = _NOT_A_WORD.sub("-", plain.lower()).strip("-")[:MAX_SLUG].strip("-") or "task"
    issue = str(task.issue) if task.issue else task.id[-8:].lower()
    return template.format(issue=issue, slug=slug, task=task.id.lower())


async def commit(task: Task, ctx: Ctx, parent: str, taken: Taken) -> str:
    """Commit what an agent changed; the same work is the same SHA, whoever does it again."""
    tests = task.phase is Phase.E2E_TEST_GENERATION
    subject = f"Test end to end: {task.title}" if tests else task.title
    message = commit_message(task, at=task.cursor, subject=subject)
    return await ctx.workspace.commit(parent, taken, message=message, when=task.created_at)


async def publish(task: Task, ctx: Ctx, sha: str, *, expected: str) -> None:
    """Push the branch to `sha`, once; `expected` is where it has to be before."""
    branch = task.facts.branch

    async def call() -> Remote:
        await ctx.workspace.push(branch, sha, expected=expected)
        return Remote(id=sha)

    async def look_up(_since: float) -> Remote | None:
        found = await ctx.workspace.remote(branch)
        return Remote(id=sha) if found == sha else None

    request = {"branch": branch, "sha": sha, "expected": expected}
    await ctx.effects.ensure(EffectKind.PUSH, f"{branch}@{sha}", request, call, look_up)


async def show_pull(task: Task, ctx: Ctx, repo: Repo, what: str) -> Facts:
    """The facts with the task's one pull request, which shows this head's evidence; `what` changed
    is said when it is opened.
    """
    if not task.facts.pull:
        return await _open(task, ctx, repo, what)
    await _refresh(task, ctx, repo)
    return task.facts


async def _refresh(task: Task, ctx: Ctx, repo: Repo) -> None:
    facts = task.facts

    async def call() -> Remote:
        body = (await repo.pull(facts.pull)).body
        shown = with_evidence(body, facts)
        if shown != body:
            await repo.update_pull(facts.pull, body=shown)
        return Remote(id=str(facts.pull))

    await ctx.effects.ensure(EffectKind.PULL_UPDATE, facts.head_sha, {}, call)


async def _open(task: Task, ctx: Ctx, repo: Repo, what: str) -> Facts:
    facts = task.facts
    template = await _template(ctx, facts.base_sha)
    title = pull_title(task, ctx.config.pull.title)
    body = pull_body(ctx.view(task), what=what, template=template)

    async def call() -> Remote:
        made = await _create(repo, facts, title, body, draft=ctx.config.pull.draft)
        return Remote(id=f"{made.number} {made.node_id}", url=made.url)

    async def look_up(_since: float) -> Remote | None:
        for pull in await repo.pulls(head=facts.branch, state="all"):
            return Remote(id=f"{pull.number} {pull.node_id}", url=pull.html_url)
        return None

    request = {"head": facts.branch, "base": facts.base_ref, "title": title, "body": body}
    made = await ctx.effects.ensure(EffectKind.PULL, facts.branch, request, call, look_up)
    number, _, node = made.id.partition(" ")
    return replace(facts, pull=int(number), pull_node=node)


async def _template(ctx: Ctx, sha: str) -> str:
    """The repository's own template for pull requests; empty without one."""
    for path in TEMPLATES:
        found = await ctx.workspace.read(sha, path, MAX_TEMPLATE)
        if found is not None:
            return found.decode("utf-8", "replace")
    return ""


async def _create(repo: Repo, facts: Facts, title: str, body: str, *, draft: bool) -> Made:
    """A draft; an ordinary pull request where the repository's plan has no drafts."""
    try:
        return await repo.create_pull(
            title=title, head=facts.branch, base=facts.base_ref, body=body, draft=draft
        )
    except Refused as error:
        if not draft or error.status != 422 or "draft" not in error.body.lower():
            raise
    return await repo.create_pull(
        title=title, head=facts.branch, base=facts.base_ref, body=body, draft=False
    )
