"""The merge of a validated change, and keeping it level with its base before that."""

import re
from dataclasses import dataclass, replace

from bot.domain import Cause, StepResult, Task, WaitFor
from bot.effects import EffectKind, EffectState
from bot.errors import Conflict, Refused
from bot.facts import Facts
from bot.github.repo import Repo
from bot.workflow.effects import Remote
from bot.workflow.neutral import cell
from bot.workflow.phases.step import Ctx, back, restage, review_again, tail, trial_at, waiting
from bot.workflow.publish import publish
from bot.workflow.report.pull import merge_title
from bot.workflow.steering import MERGE_KEY

MAX_REFUSAL = 300  #: characters of GitHub's reason not to merge
#: Of GitHub's reasons not to merge yet, those that only people end; the rest are about checks.
_PEOPLES = re.compile(r"approving review|code owner|conversation|requested changes", re.IGNORECASE)
NOT_YET = 405  #: GitHub's answer while required checks, reviews or a merge queue stand before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A merge, or why there is none yet."""

    sha: str = ""  #: of the merge commit; empty: GitHub does not allow it yet
    refusal: str = ""  #: GitHub's words, on one line

    @property
    def needs_people(self) -> bool:
        """Whether the rules want a person's review, rather than checks or the merge queue."""
        return _PEOPLES.search(self.refusal) is not None


async def update_with_base(task: Task, ctx: Ctx, repo: Repo) -> StepResult | None:
    """Where the base has moved: merge it into the branch, test, push, and stage again.

    None where there is nothing to do, as after a merge by a person.
    """
    facts = task.facts
    _, newest = await ctx.workspace.base()
    pushed = await ctx.workspace.at(facts.branch)
    if pushed not in ("", facts.head_sha):
        return review_again(facts, f"`{pushed[:7]}` was pushed; it is reviewed first")
    if await ctx.workspace.contains(facts.head_sha, newest) or await _is_merged(facts, repo):
        return None
    message = f"Merge {facts.base_ref} into {facts.branch}"
    try:
        sha = await ctx.workspace.merge(
            facts.head_sha, newest, message=message, when=task.created_at
        )
    except Conflict as conflict:
        return waiting(facts, WaitFor.DECISION, _conflict(facts, conflict))
    red = await _red(ctx, sha)
    await publish(task, ctx, sha, expected=facts.head_sha)
    tree = await ctx.workspace.tree(sha)
    facts = replace(facts, head_sha=sha, head_tree=tree, base_sha=newest, approval=None)
    if red is not None:
        said = f"With the newest `{facts.base_ref}` the tests fail"
        return back(facts, said, Cause.CONFLICT, f"{said}:\n\n{red}")
    facts = replace(facts, reviewed_sha=sha)
    return restage(facts, f"`{facts.base_ref}` has moved; staged again with it", Cause.CONFLICT)


def _conflict(facts: Facts, conflict: Conflict) -> str:
    """The coder has no half-merged tree to work on; whoever knows both sides resolves it."""
    return (
        f"`{facts.base_ref}` has moved, and {conflict}. Merge `{facts.base_ref}` into "
        f"`{facts.branch}` and push: it is reviewed, staged and validated again by itself"
    )


async def closed_unmerged(task: Task, repo: Repo) -> StepResult | None:
    """What a pull request that a person has closed waits for; we never open it again ourselves.

    A closing ends the task. So only one that was taken up again, which is another attempt, can
    stand here with it closed.
    """
    facts = task.facts
    if task.cursor.attempt == 1:
        return None
    pull = await repo.pull(facts.pull)
    if pull.merged or pull.state != "closed":
        return None
    said = f"#{facts.pull} was closed without a merge: open it again, and it goes on by itself"
    key = pull_key(repo.repo.id, facts.pull)
    return waiting(facts, WaitFor.DECISION, said, key=key)


async def merged_by_a_person(task: Task, ctx: Ctx) -> bool:
    """Whether the change was found merged already. Only after `update_with_base` had nothing to do:
    the base has what the branch has not, then.
    """
    _, newest = await ctx.workspace.base()
    return not await ctx.workspace.contains(task.facts.head_sha, newest)


async def _is_merged(facts: Facts, repo: Repo) -> bool:
    return (await repo.pull(facts.pull)).merged


async def _red(ctx: Ctx, sha: str) -> str | None:
    checkout = await trial_at(ctx, sha)
    for trial in (await ctx.bench.e2e(checkout, sha), await ctx.bench.checks(checkout, sha)):
        if not trial.proof.green:
            return tail(trial.proof.log)
    return None


async def merge(task: Task, ctx: Ctx, repo: Repo) -> Merge:
    """The merge of exactly the validated head, where GitHub allows it already."""
    facts = task.facts
    await ctx.paint(task)  # a required check of ours must not stand in its own way
    title = merge_title(task)

    async def call() -> Remote:
        merged = await repo.merge(
            facts.pull, sha=facts.head_sha, method=ctx.config.pull.merge.value, title=title
        )
        return Remote(id=merged.sha)

    async def look_up(_since: float) -> Remote | None:
        pull = await repo.pull(facts.pull)
        return Remote(id=pull.merge_sha) if pull.merged else None

    try:
        done = await ctx.effects.ensure(
            EffectKind.MERGE, _name(facts), {"sha": facts.head_sha}, call, look_up
        )
    except Refused as error:
        if error.status != NOT_YET:
            raise
        return await _merged_meanwhile(task, ctx, repo, error)
    except Conflict as error:
        return await _merged_meanwhile(task, ctx, repo, error)
    return Merge(sha=done.id)


async def merge_begun(task: Task, ctx: Ctx) -> bool:
    """Whether this head's merge was sent before: what has moved the base may be our own merge."""
    tried = await ctx.effects.tried(EffectKind.MERGE)
    sent = {EffectState.SENT, EffectState.UNCERTAIN, EffectState.CONFIRMED}
    return any(name == _name(task.facts) and state in sent for name, state in tried)


async def _merged_meanwhile(task: Task, ctx: Ctx, repo: Repo, refusal: Refused | Conflict) -> Merge:
    """A person or the queue may have merged it; where there is a queue, it is put in."""
    facts = task.facts
    pull = await repo.pull(facts.pull)
    if pull.merged:
        return Merge(sha=pull.merge_sha)
    if isinstance(refusal, Conflict):
        raise refusal
    if "merge queue" in refusal.body.lower():

        async def call() -> Remote:
            return Remote(id=await repo.enqueue(facts.pull_node, facts.head_sha))

        await ctx.effects.ensure(EffectKind.ENQUEUE, _name(facts), {}, call)
        await ctx.note(_queue_key(task), {"sha": facts.head_sha})
    return Merge(refusal=cell(str(refusal).partition(": ")[2], MAX_REFUSAL))


async def in_merge_queue(task: Task, ctx: Ctx) -> bool:
    """Whether this head was put into the merge queue."""
    return (await ctx.heard(_queue_key(task))).get("sha") == task.facts.head_sha


def pull_key(repo_id: int, pull: int) -> str:
    """What a task that waits for its pull request to be merged is woken by."""
    return f"{MERGE_KEY}{repo_id}/{pull}"


def approval_key(task: Task) -> str:
    """What a task that waits for an approval is woken by when its pull request is merged."""
    return f"approval:{task.id}"


def _queue_key(task: Task) -> str:
    return f"queued:{task.id}"


def _name(facts: Facts) -> str:
    return f"{facts.pull}@{facts.head_sha}"
