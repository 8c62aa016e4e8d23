"""What follows when refs have moved, by a push or by the API: events, pull requests, workflows."""

from collections.abc import Mapping

from bot.localhub import actions, events, issuing, pulling
from bot.localhub.auth import Actor
from bot.localhub.gitrepo import NULL_SHA, GitFailed, git, log
from bot.localhub.shapes_code import noreply, pushed_commit
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account
from bot.localhub.state_issues import Issue
from bot.localhub.state_runs import CheckSuite
from bot.localhub.types import Json
from bot.localhub.world import World


async def move_ref(
    world: World,
    repo: Repository,
    actor: Actor,
    ref: str,
    *,
    new: str | None,
    old: str | None,
    trigger: bool = True,
) -> None:
    """Move one ref (None: no such ref) if it is still where the caller saw it, and tell.

    Raises GitFailed where it has moved meanwhile.
    """
    if new is None:
        await git(repo.path, "update-ref", "-d", ref, old or NULL_SHA)
    else:
        await git(repo.path, "update-ref", ref, new, old or NULL_SHA)
    await moved(world, repo, actor, {ref: (old, new)}, trigger=trigger)


async def moved(
    world: World,
    repo: Repository,
    actor: Actor,
    refs: Mapping[str, tuple[str | None, str | None]],
    *,
    trigger: bool = True,
) -> None:
    """Tell everybody about refs that moved from their first to their second SHA."""
    sender = actor.account
    if sender is None:
        return
    repo.pushed_at = world.now()
    for ref, (old, new) in refs.items():
        repo.ref_born[ref] = world.now()
        await _tell_push(world, repo, sender, ref, old=old, new=new)
        if ref.startswith("refs/heads/"):
            await _follow_branch(world, repo, sender, ref.removeprefix("refs/heads/"), new)
        #: Events made with GITHUB_TOKEN start no workflow, as on GitHub.
        if new is not None and trigger and actor.via != "workflow":
            payload = repo_push(repo, ref, old, new)
            await actions.trigger(
                world, repo, event="push", ref=ref, sha=new, actor=sender, payload=payload
            )


def repo_push(repo: Repository, ref: str, old: str | None, new: str) -> Json:
    """The part of a push event that workflows look at."""
    return {"ref": ref, "before": old or NULL_SHA, "after": new}


async def _tell_push(
    world: World,
    repo: Repository,
    sender: Account,
    ref: str,
    *,
    old: str | None,
    new: str | None,
) -> None:
    kind = "branch" if ref.startswith("refs/heads/") else "tag"
    short = ref.split("/", 2)[2]
    brief = {"ref": short, "ref_type": kind, "pusher_type": "user"}
    if old is None:
        about = {"master_branch": repo.default_branch, "description": repo.description}
        events.tell(world, repo, sender, "create", payload=brief | about)
    payload = await _payload(world, repo, sender, ref, old=old, new=new)
    events.tell(world, repo, sender, "push", payload=payload)
    if new is None:
        events.tell(world, repo, sender, "delete", payload=brief)


async def _payload(
    world: World,
    repo: Repository,
    sender: Account,
    ref: str,
    *,
    old: str | None,
    new: str | None,
) -> Json:
    shown = []
    if new is not None:
        spec = f"{old}..{new}" if old else new
        found = await log(repo.path, spec, limit=20 if old else 1)
        shown = [pushed_commit(world, repo, one) for one in reversed(found)]
    return {
        "ref": ref,
        "before": old or NULL_SHA,
        "after": new or NULL_SHA,
        "created": old is None,
        "deleted": new is None,
        "forced": bool(old and new) and not await is_ancestor(repo, old or "", new or ""),
        "base_ref": None,
        "compare": f"{world.base_url}/{repo.full_name}/compare/{(old or NULL_SHA)[:12]}"
        f"...{(new or NULL_SHA)[:12]}",
        "commits": shown,
        "head_commit": shown[-1] if shown else None,
        "pusher": {"name": sender.login, "email": noreply(sender)},
    }


async def is_ancestor(repo: Repository, old: str, new: str) -> bool:
    """Whether going from one commit to the other is a fast-forward."""
    try:
        await git(repo.path, "merge-base", "--is-ancestor", old, new)
    except GitFailed:
        return False
    return True


async def _follow_branch(
    world: World, repo: Repository, sender: Account, branch: str, new: str | None
) -> None:
    """Pull requests whose head this is move with it, or close with it."""
    if new is not None:
        _request_checks(world, repo, sender, branch, new)
    for one in list(repo.issues.values()):
        if one.pull is None or one.state != "open" or one.pull.head_ref != branch:
            continue
        if new is None:
            issuing.close(world, repo, one, sender, None)
        elif new != one.pull.head_sha:
            await _synchronize(world, repo, one, sender, new)


async def _synchronize(
    world: World, repo: Repository, one: Issue, sender: Account, new: str
) -> None:
    part = events.part_of(one)
    before, part.head_sha = part.head_sha, new
    part.base_sha = pulling.base_tip(repo, part)
    one.updated_at = world.now()
    await pulling.refresh(repo, part)
    events.pull_request(world, repo, one, sender, "synchronize", before=before, after=new)
    await trigger_pull_request(world, repo, one, sender, "synchronize")


async def trigger_pull_request(
    world: World, repo: Repository, one: Issue, sender: Account, action: str
) -> None:
    """Start the workflows that run on pull requests."""
    part = events.part_of(one)
    payload = {
        "action": action,
        "number": one.number,
        "pull_request": await pulling.shape(world, repo, one, part),
    }
    ref = f"refs/heads/{part.head_ref}"
    await actions.trigger(
        world,
        repo,
        event="pull_request",
        ref=ref,
        sha=part.head_sha,
        actor=sender,
        payload=payload,
    )


def _request_checks(world: World, repo: Repository, sender: Account, branch: str, sha: str) -> None:
    """Every App that writes checks gets a suite for the new commit and hears of it."""
    for installation in world.covering(repo):
        if installation.permissions.get("checks") != "write":
            continue
        if any(s.app is installation.app and s.head_sha == sha for s in repo.suites):
            continue
        suite = CheckSuite(
            id=world.new_id(),
            app=installation.app,
            head_sha=sha,
            head_branch=branch,
            created_at=world.now(),
        )
        repo.suites.append(suite)
        events.check_suite(world, repo, suite, sender, "requested")
