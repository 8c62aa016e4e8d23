"""Whether a person has allowed this task to weaken tests, and who.

By a label on the issue or the pull request, put on by somebody who may write to the repository;
or by a trailer in a commit on the branch that is not ours: only who may write can push one there.
"""

from bot.config.choices import RepoRole
from bot.domain import Actor, Task
from bot.github.repo import Repo
from bot.workflow.phases.step import Ctx
from bot.workflow.report.pull import step_trailers
from bot.workflow.report.words import sha7

TRAILER = "Chimera-Allow: weaker-tests"
LEAST = RepoRole.WRITE


async def weakening_allowed(task: Task, ctx: Ctx) -> str:
    """The person and the way, for people to read; empty where nobody has allowed it."""
    by_label = await _by_label(task, ctx, ctx.repo) if ctx.repo is not None else ""
    return by_label or await _by_trailer(task, ctx)


async def _by_label(task: Task, ctx: Ctx, repo: Repo) -> str:
    """The newest event of the label counts: whoever takes it off takes the word back."""
    name = ctx.config.labels.weaker_tests.name
    for number in filter(None, (task.issue, task.facts.pull)):
        newest = (await repo.history(number)).newest(name)
        if newest is not None and newest.added and await _may(repo, newest.actor):
            return f"{newest.actor.login}, by the label {name} on #{number}"
    return ""


async def _may(repo: Repo, actor: Actor) -> bool:
    role = "none" if actor.is_bot else await repo.role_of(actor.login)
    return role in set(RepoRole) and RepoRole(role).covers(LEAST)


async def _by_trailer(task: Task, ctx: Ctx) -> str:
    """Of commits that are the branch's own; what came in from the base was said there, of that."""
    facts, workspace = task.facts, ctx.workspace
    ours = step_trailers(task.id, task.cursor)[0]
    base = await workspace.at(facts.base_ref)
    for sha in await workspace.commits(facts.base_sha, facts.head_sha):
        trailers = (await workspace.message(sha)).strip().rpartition("\n\n")[2].splitlines()
        if TRAILER in trailers and ours not in trailers and not await workspace.contains(base, sha):
            return f"{await workspace.author(sha)}, by the trailer of {sha7(sha)}"
    return ""
