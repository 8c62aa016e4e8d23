"""What a pull request looks like against its base: diff, conflicts, whether it may be merged."""

from bot.localhub import shapes_code
from bot.localhub.gitrepo import changes, git, merge_base, merged_tree, ref_sha
from bot.localhub.state import Repository
from bot.localhub.state_issues import DiffStats, Issue, Pull
from bot.localhub.state_runs import CheckRun
from bot.localhub.types import Json
from bot.localhub.world import World

GREEN = ("success", "neutral", "skipped")


def base_tip(repo: Repository, part: Pull) -> str:
    """Where the base branch is now (its last known place where it has been deleted)."""
    return ref_sha(repo.path, f"refs/heads/{part.base_ref}") or part.base_sha


async def refresh(repo: Repository, part: Pull) -> None:
    """Work out diff and conflicts again where base or head have moved."""
    base, head = base_tip(repo, part), part.head_sha
    if part.merged_at is not None:
        return
    if part.stats and (part.stats.base, part.stats.head) == (base, head):
        return
    fork = await merge_base(repo.path, base, head) or base
    files = await changes(repo.path, fork, head)
    part.stats = DiffStats(
        base=base,
        head=head,
        commits=int(await git(repo.path, "rev-list", "--count", f"{base}..{head}")),
        additions=sum(each.additions for each in files),
        deletions=sum(each.deletions for each in files),
        changed_files=len(files),
        conflicts=await merged_tree(repo.path, base, head) is None,
    )


def latest_checks(repo: Repository, sha: str) -> list[CheckRun]:
    """The newest run of each name and App on a commit."""
    newest: dict[tuple[str, int], CheckRun] = {}
    for one in repo.checks.values():
        if one.head_sha == sha:
            newest[one.name, one.suite.app.id] = one
    return list(newest.values())


def missing_checks(repo: Repository, sha: str) -> list[str]:
    """The required checks that are not green on a commit."""
    green = {
        one.name
        for one in latest_checks(repo, sha)
        if one.status == "completed" and one.conclusion in GREEN
    }
    newest = {one.context: one.state for one in repo.statuses if one.sha == sha}
    green |= {context for context, state in newest.items() if state == "success"}
    return [name for name in repo.rules.required_checks if name not in green]


def approvals(part: Pull) -> int:
    """How many people approve, each by the last thing that they said."""
    last = {
        one.user.id: one.state
        for one in part.reviews
        if one.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")
    }
    return sum(state == "APPROVED" for state in last.values())


def mergeable_state(repo: Repository, one: Issue, part: Pull) -> str:
    """GitHub's word for what stands between a pull request and its merge."""
    if one.state != "open" or part.stats is None:
        return "unknown"
    if part.stats.conflicts:
        return "dirty"
    if part.draft:
        return "draft"
    if _blocked(repo, part):
        return "blocked"
    checks = latest_checks(repo, part.head_sha)
    if any(each.conclusion not in GREEN for each in checks):
        return "unstable"
    return "clean"


def _blocked(repo: Repository, part: Pull) -> bool:
    if part.base_ref != repo.default_branch:
        return False
    short = approvals(part) < repo.rules.required_approvals
    return short or bool(missing_checks(repo, part.head_sha))


async def shape(world: World, repo: Repository, one: Issue, part: Pull) -> Json:
    """The whole pull request as ``GET`` answers."""
    await refresh(repo, part)
    state = mergeable_state(repo, one, part)
    return shapes_code.full_pull(world, repo, one, part, state)


def find(repo: Repository, head: str, base: str) -> Issue | None:
    """The open pull request between two branches."""
    for one in repo.issues.values():
        part = one.pull
        if part and one.state == "open" and (part.head_ref, part.base_ref) == (head, base):
            return one
    return None
