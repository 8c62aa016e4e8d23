"""Commits, pull requests and reviews as GitHub's JSON."""

from bot.localhub.gitrepo import Commit, FileChange
from bot.localhub.moments import iso, stamp
from bot.localhub.shapes import association, label, reactions, repository, user
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account
from bot.localhub.state_issues import Issue, Pull, Review, ReviewComment
from bot.localhub.types import Json
from bot.localhub.world import World, node_id

#: GitHub's answer for a commit that nobody signed.
UNSIGNED: Json = {
    "verified": False,
    "reason": "unsigned",
    "signature": None,
    "payload": None,
    "verified_at": None,
}


def signature(who: tuple[str, str, float]) -> Json:
    """Name, address and date of an author or committer."""
    name, email, at = who
    return {"name": name, "email": email, "date": stamp(at)}


def _account_of(world: World, email: str) -> Json | None:
    """The account that a commit's address belongs to: ``login@...`` or ``id+login@...``."""
    login = email.partition("@")[0].rpartition("+")[2].lower()
    found = world.accounts.get(login)
    return user(world, found) if found else None


def commit(world: World, repo: Repository, one: Commit) -> Json:
    """A commit of the commits API."""
    url = f"{world.api}/repos/{repo.full_name}"
    html = f"{world.base_url}/{repo.full_name}/commit"
    return {
        "sha": one.sha,
        "node_id": node_id("C", int(one.sha[:12], 16)),
        "url": f"{url}/commits/{one.sha}",
        "html_url": f"{html}/{one.sha}",
        "comments_url": f"{url}/commits/{one.sha}/comments",
        "commit": {
            "url": f"{url}/git/commits/{one.sha}",
            "author": signature(one.author),
            "committer": signature(one.committer),
            "message": one.message,
            "comment_count": 0,
            "tree": {"sha": one.tree, "url": f"{url}/git/trees/{one.tree}"},
            "verification": UNSIGNED,
        },
        "author": _account_of(world, one.author[1]),
        "committer": _account_of(world, one.committer[1]),
        "parents": [
            {"sha": p, "url": f"{url}/commits/{p}", "html_url": f"{html}/{p}"} for p in one.parents
        ],
    }


def git_commit(world: World, repo: Repository, one: Commit) -> Json:
    """A commit of the git database API."""
    url = f"{world.api}/repos/{repo.full_name}/git"
    html = f"{world.base_url}/{repo.full_name}/commit"
    return {
        "sha": one.sha,
        "node_id": node_id("C", int(one.sha[:12], 16)),
        "url": f"{url}/commits/{one.sha}",
        "html_url": f"{html}/{one.sha}",
        "author": signature(one.author),
        "committer": signature(one.committer),
        "message": one.message,
        "tree": {"sha": one.tree, "url": f"{url}/trees/{one.tree}"},
        "parents": [
            {"sha": p, "url": f"{url}/commits/{p}", "html_url": f"{html}/{p}"} for p in one.parents
        ],
        "verification": UNSIGNED,
    }


def pushed_commit(world: World, repo: Repository, one: Commit) -> Json:
    """A commit as it stands inside a push webhook."""
    name, email, _ = one.author
    return {
        "id": one.sha,
        "tree_id": one.tree,
        "distinct": True,
        "message": one.message,
        "timestamp": stamp(one.committer[2]),
        "url": f"{world.base_url}/{repo.full_name}/commit/{one.sha}",
        "author": {"name": name, "email": email},
        "committer": {"name": one.committer[0], "email": one.committer[1]},
        "added": [],
        "removed": [],
        "modified": [],
    }


def diff_entry(world: World, repo: Repository, one: FileChange, head: str) -> Json:
    """A changed file of a pull request or comparison."""
    html = f"{world.base_url}/{repo.full_name}"
    url = f"{world.api}/repos/{repo.full_name}/contents/{one.path}?ref={head}"
    entry: Json = {
        "sha": one.sha,
        "filename": one.path,
        "status": one.status,
        "additions": one.additions,
        "deletions": one.deletions,
        "changes": one.additions + one.deletions,
        "blob_url": f"{html}/blob/{head}/{one.path}",
        "raw_url": f"{html}/raw/{head}/{one.path}",
        "contents_url": url,
    }
    if one.patch is not None:
        entry["patch"] = one.patch
    if one.old_path is not None:
        entry["previous_filename"] = one.old_path
    return entry


def _end(world: World, repo: Repository, ref: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(world, repo.owner),
        "repo": repository(world, repo),
    }


def pull(world: World, repo: Repository, one: Issue, part: Pull) -> Json:
    """A pull request as lists show it."""
    base = f"{world.api}/repos/{repo.full_name}"
    url = f"{base}/pulls/{one.number}"
    html = f"{world.base_url}/{repo.full_name}/pull/{one.number}"
    links = {
        "self": url,
        "html": html,
        "issue": f"{base}/issues/{one.number}",
        "comments": f"{base}/issues/{one.number}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{base}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{base}/statuses/{part.head_sha}",
    }
    return {
        "url": url,
        "id": part.id,
        "node_id": node_id("PR", one.id),
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": links["issue"],
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": links["statuses"],
        "number": one.number,
        "state": one.state,
        "locked": one.locked,
        "active_lock_reason": one.lock_reason,
        "title": one.title,
        "body": one.body,
        "user": user(world, one.user),
        "labels": [label(world, repo, each) for each in one.labels],
        "milestone": None,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "closed_at": iso(one.closed_at),
        "merged_at": iso(part.merged_at),
        "merge_commit_sha": part.merge_commit_sha,
        "assignee": user(world, one.assignees[0]) if one.assignees else None,
        "assignees": [user(world, each) for each in one.assignees],
        "requested_reviewers": [user(world, each) for each in part.requested_reviewers],
        "requested_teams": [],
        "head": _end(world, repo, part.head_ref, part.head_sha),
        "base": _end(world, repo, part.base_ref, part.base_sha),
        "_links": {key: {"href": value} for key, value in links.items()},
        "author_association": association(world, repo, one.user),
        "auto_merge": None,
        "draft": part.draft,
    }


def full_pull(world: World, repo: Repository, one: Issue, part: Pull, mergeable_state: str) -> Json:
    """A pull request as ``GET .../pulls/{n}`` and webhooks show it."""
    stats = part.stats
    merged = part.merged_at is not None
    is_open = one.state == "open"
    return pull(world, repo, one, part) | {
        "merged": merged,
        "mergeable": (not stats.conflicts) if stats and is_open else None,
        "rebaseable": (not stats.conflicts) if stats and is_open else None,
        "mergeable_state": mergeable_state if is_open else "unknown",
        "merged_by": user(world, part.merged_by) if part.merged_by else None,
        "comments": len(one.comments),
        "review_comments": sum(len(thread.comments) for thread in part.threads),
        "maintainer_can_modify": False,
        "commits": stats.commits if stats else 0,
        "additions": stats.additions if stats else 0,
        "deletions": stats.deletions if stats else 0,
        "changed_files": stats.changed_files if stats else 0,
    }


def review(world: World, repo: Repository, on: Issue, one: Review) -> Json:
    """A review."""
    html = f"{world.base_url}/{repo.full_name}/pull/{on.number}#pullrequestreview-{one.id}"
    pull_url = f"{world.api}/repos/{repo.full_name}/pulls/{on.number}"
    shape: Json = {
        "id": one.id,
        "node_id": node_id("PRR", one.id),
        "user": user(world, one.user),
        "body": one.body,
        "state": one.state,
        "html_url": html,
        "pull_request_url": pull_url,
        "author_association": association(world, repo, one.user),
        "_links": {"html": {"href": html}, "pull_request": {"href": pull_url}},
        "commit_id": one.commit_id,
    }
    if one.submitted_at is not None:
        shape["submitted_at"] = stamp(one.submitted_at)
    return shape


def review_comment(world: World, repo: Repository, on: Issue, one: ReviewComment) -> Json:
    """A comment on a line."""
    url = f"{world.api}/repos/{repo.full_name}/pulls/comments/{one.id}"
    html = f"{world.base_url}/{repo.full_name}/pull/{on.number}#discussion_r{one.id}"
    pull_url = f"{world.api}/repos/{repo.full_name}/pulls/{on.number}"
    shape: Json = {
        "url": url,
        "pull_request_review_id": one.review_id,
        "id": one.id,
        "node_id": node_id("PRRC", one.id),
        "diff_hunk": one.diff_hunk,
        "path": one.path,
        "commit_id": one.commit_id,
        "original_commit_id": one.commit_id,
        "user": user(world, one.user),
        "body": one.body,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "html_url": html,
        "pull_request_url": pull_url,
        "author_association": association(world, repo, one.user),
        "_links": {
            "self": {"href": url},
            "html": {"href": html},
            "pull_request": {"href": pull_url},
        },
        "start_line": one.start_line,
        "original_start_line": one.start_line,
        "start_side": one.start_side,
        "side": one.side,
        "subject_type": "line",
        "reactions": reactions(one.reactions, url),
    }
    if one.line is not None:
        shape |= {"line": one.line, "original_line": one.line}
    if one.in_reply_to is not None:
        shape["in_reply_to_id"] = one.in_reply_to
    return shape


def pull_brief(world: World, repo: Repository, one: Issue, part: Pull) -> Json:
    """A pull request as it stands inside check runs and workflow runs."""
    where = {"id": repo.id, "url": f"{world.api}/repos/{repo.full_name}", "name": repo.name}
    return {
        "url": f"{world.api}/repos/{repo.full_name}/pulls/{one.number}",
        "id": part.id,
        "number": one.number,
        "head": {"ref": part.head_ref, "sha": part.head_sha, "repo": where},
        "base": {"ref": part.base_ref, "sha": part.base_sha, "repo": where},
    }


def pulls_at(world: World, repo: Repository, sha: str) -> list[Json]:
    """The open pull requests whose head is this commit."""
    return [
        pull_brief(world, repo, one, one.pull)
        for one in repo.issues.values()
        if one.pull and one.state == "open" and one.pull.head_sha == sha
    ]


def noreply(account: Account) -> str:
    """The address GitHub puts on commits that it makes for somebody."""
    return f"{account.id}+{account.login}@users.noreply.localhub.test"
