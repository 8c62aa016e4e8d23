"""Merging a pull request with real git, and what follows from a merge."""

import re
from dataclasses import dataclass

from bot.localhub import events, gitrepo, issuing, pulling, pushes
from bot.localhub.auth import Actor
from bot.localhub.errors import Refused
from bot.localhub.gitrepo import GitFailed, Signature
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account
from bot.localhub.state_issues import Issue, Pull
from bot.localhub.world import World

#: https://docs.github.com/en/issues/tracking-your-work-with-issues/using-issues/linking-a-pull-request-to-an-issue
_CLOSING = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+#(\d+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to merge: the method, and the words of the commit where the caller gave some."""

    method: str  #: "merge", "squash" or "rebase"
    title: str | None
    text: str | None
    by: Signature


async def check_mergeable(repo: Repository, one: Issue, part: Pull, sha: str | None) -> None:
    """405 or 409 where GitHub would refuse to merge."""
    await pulling.refresh(repo, part)
    if sha is not None and sha != part.head_sha:
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    if part.merged_at is not None or one.state != "open":
        raise Refused(405, "Pull Request is not mergeable")
    if part.draft:
        raise Refused(405, "Pull Request is still a draft")
    if part.stats is None or part.stats.conflicts:
        raise Refused(405, "Pull Request is not mergeable")
    if part.base_ref == repo.default_branch:
        _check_rules(repo, part)


def _check_rules(repo: Repository, part: Pull) -> None:
    missing = pulling.missing_checks(repo, part.head_sha)
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        raise Refused(
            405, f"Repository rule violations found\n\nRequired status check {names} is expected."
        )
    if pulling.approvals(part) < repo.rules.required_approvals:
        raise Refused(
            405, "Repository rule violations found\n\nAt least one approving review is required."
        )
    if repo.rules.merge_queue:
        raise Refused(
            405, "Repository rule violations found\n\nChanges must be made through the merge queue"
        )
    if repo.rules.strict and part.stats and part.stats.base != part.base_sha:
        raise Refused(405, "Head branch is not up to date with the base branch.")


async def merge(
    world: World,
    repo: Repository,
    one: Issue,
    part: Pull,
    actor: Actor,
    *,
    recipe: Recipe,
) -> str:
    """Put the pull request into its base; returns the SHA that the base is at then."""
    base = pulling.base_tip(repo, part)
    sha = await _commit(repo, one, part, base, recipe)
    try:
        ref = f"refs/heads/{part.base_ref}"
        await gitrepo.git(repo.path, "update-ref", ref, sha, base)
    except GitFailed as error:
        raise Refused(405, "Base branch was modified. Review and try the merge again.") from error
    account = actor.account or repo.owner
    finish(world, repo, one, part, account, sha=sha, base=base)
    moved = {f"refs/heads/{part.base_ref}": (base, sha)}
    await pushes.moved(world, repo, actor, moved)
    if repo.delete_branch_on_merge:
        ref = f"refs/heads/{part.head_ref}"
        await pushes.move_ref(world, repo, actor, ref, new=None, old=part.head_sha)
    return sha


async def _commit(repo: Repository, one: Issue, part: Pull, base: str, recipe: Recipe) -> str:
    """The commit (or, rebasing, the tip) that the base shall be at."""
    if recipe.method == "rebase":
        tip = await gitrepo.rebased(repo.path, base, part.head_sha, recipe.by)
        if tip is None:
            raise Refused(405, "This branch can't be rebased")
        return tip
    tree = await gitrepo.merged_tree(repo.path, base, part.head_sha)
    if tree is None:
        raise Refused(405, "Pull Request is not mergeable")
    squash = recipe.method == "squash"
    if squash:
        parents, default = [base], f"{one.title} (#{one.number})"
    else:
        parents = [base, part.head_sha]
        default = f"Merge pull request #{one.number} from {repo.owner.login}/{part.head_ref}"
    body = recipe.text if recipe.text is not None else ("" if squash else one.title)
    whole = f"{recipe.title or default}\n\n{body}".rstrip()
    return await _in_thread(repo, tree, parents, whole, recipe.by)


async def _in_thread(
    repo: Repository, tree: str, parents: list[str], message: str, by: Signature
) -> str:
    args = [arg for parent in parents for arg in ("-p", parent)]
    return await gitrepo.git(
        repo.path, "commit-tree", tree, *args, env=by.env(), stdin=message.encode()
    )


def finish(
    world: World,
    repo: Repository,
    one: Issue,
    part: Pull,
    account: Account,
    *,
    sha: str,
    base: str,
) -> None:
    """Write down the merge; close it and the issues that its text says it closes."""
    part.merged_at, part.merged_by, part.merge_commit_sha = world.now(), account, sha
    part.base_sha = base
    part.queued_at = None
    issuing.record(world, one, "merged", account, commit_id=sha)
    issuing.close(world, repo, one, account, None)
    if part.base_ref != repo.default_branch:
        return
    for number in {int(found) for found in _CLOSING.findall(one.body or "")}:
        closed = repo.issues.get(number)
        if closed is not None and closed.state == "open" and closed.pull is None:
            issuing.close(world, repo, closed, account, "completed")


async def enqueue(world: World, repo: Repository, one: Issue, part: Pull) -> str:
    """Put a pull request into the (emulated) merge queue; returns the merge group's SHA.

    The group's checks are asked for at once; ``try_queue`` merges when they are green.
    """
    await pulling.refresh(repo, part)
    base = pulling.base_tip(repo, part)
    by = Signature(name="GitHub", email="noreply@localhub.test", at=world.now())
    tree = await gitrepo.merged_tree(repo.path, base, part.head_sha)
    if tree is None or part.draft:
        raise Refused(422, "Pull request is not mergeable")
    message = f"Merge pull request #{one.number} from {repo.owner.login}/{part.head_ref}"
    sha = await _in_thread(repo, tree, [base, part.head_sha], message, by)
    part.queued_at = world.now()
    branch = queue_branch(one, part, base)
    await gitrepo.git(repo.path, "update-ref", f"refs/heads/{branch}", sha)
    events.merge_group(world, repo, one, head_sha=sha, head_ref=branch)
    return sha


def queue_branch(one: Issue, part: Pull, base: str) -> str:
    """The name of the branch that a merge group lives on."""
    return f"gh-readonly-queue/{part.base_ref}/pr-{one.number}-{base}"


async def try_queue(world: World, repo: Repository) -> None:
    """Merge what stands in the queue and whose group is green on all required checks."""
    for one in list(repo.issues.values()):
        part = one.pull
        if part is None or part.queued_at is None:
            continue
        base = pulling.base_tip(repo, part)
        branch = queue_branch(one, part, base)
        sha = gitrepo.ref_sha(repo.path, f"refs/heads/{branch}")
        if sha is None or pulling.missing_checks(repo, sha):
            continue
        actor = Actor(via="user", account=one.user)
        await gitrepo.git(repo.path, "update-ref", f"refs/heads/{part.base_ref}", sha, base)
        await gitrepo.git(repo.path, "update-ref", "-d", f"refs/heads/{branch}", sha)
        finish(world, repo, one, part, one.user, sha=sha, base=base)
        await pushes.moved(world, repo, actor, {f"refs/heads/{part.base_ref}": (base, sha)})
