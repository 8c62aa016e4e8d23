"""People, repositories, issues and Apps as GitHub's JSON."""

from bot.localhub.moments import iso, stamp
from bot.localhub.state import Repository
from bot.localhub.state_apps import Account, App
from bot.localhub.state_issues import Comment, Issue, IssueEvent, Label, Reaction
from bot.localhub.types import Json
from bot.localhub.world import World, node_id

_USER_LINKS = {
    "followers_url": "followers",
    "following_url": "following{/other_user}",
    "gists_url": "gists{/gist_id}",
    "starred_url": "starred{/owner}{/repo}",
    "subscriptions_url": "subscriptions",
    "organizations_url": "orgs",
    "repos_url": "repos",
    "events_url": "events{/privacy}",
    "received_events_url": "received_events",
}

_REPO_LINKS = (
    "archive_url:{archive_format}{/ref} assignees_url:assignees{/user} blobs_url:git/blobs{/sha} "
    "branches_url:branches{/branch} collaborators_url:collaborators{/collaborator} "
    "comments_url:comments{/number} commits_url:commits{/sha} compare_url:compare/{base}...{head} "
    "contents_url:contents/{+path} contributors_url:contributors deployments_url:deployments "
    "downloads_url:downloads events_url:events forks_url:forks git_commits_url:git/commits{/sha} "
    "git_refs_url:git/refs{/sha} git_tags_url:git/tags{/sha} hooks_url:hooks "
    "issue_comment_url:issues/comments{/number} issue_events_url:issues/events{/number} "
    "issues_url:issues{/number} keys_url:keys{/key_id} labels_url:labels{/name} "
    "languages_url:languages merges_url:merges milestones_url:milestones{/number} "
    "notifications_url:notifications{?since,all,participating} pulls_url:pulls{/number} "
    "releases_url:releases{/id} stargazers_url:stargazers statuses_url:statuses/{sha} "
    "subscribers_url:subscribers subscription_url:subscription tags_url:tags teams_url:teams "
    "trees_url:git/trees{/sha}"
)
REPO_LINKS = dict(pair.split(":", 1) for pair in _REPO_LINKS.split())


def user(world: World, account: Account) -> Json:
    """A simple user, the way one stands inside other objects."""
    url = f"{world.api}/users/{account.login}"
    prefix = {"User": "U", "Organization": "O", "Bot": "BOT"}[account.kind]
    page = f"apps/{account.login.removesuffix('[bot]')}" if account.kind == "Bot" else account.login
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id(prefix, account.id),
        "avatar_url": f"{world.base_url}/avatars/{account.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{world.base_url}/{page}",
        **{key: f"{url}/{tail}" for key, tail in _USER_LINKS.items()},
        "type": account.kind,
        "site_admin": account.site_admin,
    }


def public_user(world: World, account: Account) -> Json:
    """A user as ``GET /users/{username}`` answers."""
    made = stamp(account.created_at)
    return user(world, account) | {
        "name": account.login,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "public_repos": sum(r.owner is account for r in world.repositories.values()),
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": made,
        "updated_at": made,
    }


def repository(world: World, repo: Repository) -> Json:
    """A repository, whole."""
    url = f"{world.api}/repos/{repo.full_name}"
    html = f"{world.base_url}/{repo.full_name}"
    open_issues = sum(i.state == "open" and not i.deleted for i in repo.issues.values())
    return {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": user(world, repo.owner),
        "html_url": html,
        "description": repo.description,
        "fork": False,
        "url": url,
        **{key: f"{url}/{tail}" for key, tail in REPO_LINKS.items()},
        "git_url": f"{html}.git",
        "ssh_url": f"{html}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "created_at": stamp(repo.created_at),
        "updated_at": stamp(repo.pushed_at),
        "pushed_at": stamp(repo.pushed_at),
        "size": 0,
        "stargazers_count": 0,
        "watchers_count": 0,
        "forks_count": 0,
        "open_issues_count": open_issues,
        "forks": 0,
        "open_issues": open_issues,
        "watchers": 0,
        "license": None,
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "has_issues": True,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "has_downloads": True,
        "archived": repo.archived,
        "disabled": False,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "default_branch": repo.default_branch,
    }


def full_repository(world: World, repo: Repository) -> Json:
    """A repository as ``GET /repos/{owner}/{repo}`` answers: with its merge settings."""
    return repository(world, repo) | {
        "allow_merge_commit": "merge" in repo.merge_methods,
        "allow_squash_merge": "squash" in repo.merge_methods,
        "allow_rebase_merge": "rebase" in repo.merge_methods,
        "allow_auto_merge": False,
        "allow_update_branch": True,
        "delete_branch_on_merge": repo.delete_branch_on_merge,
        "network_count": 0,
        "subscribers_count": 0,
    }


def minimal_repository(world: World, repo: Repository) -> Json:
    """A repository as it stands inside webhooks about installations."""
    return {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
    }


def organization(world: World, account: Account) -> Json:
    """An organization as it stands inside webhooks."""
    url = f"{world.api}/orgs/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("O", account.id),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{world.base_url}/avatars/{account.id}",
        "description": None,
    }


def label(world: World, repo: Repository, one: Label) -> Json:
    """A label."""
    return {
        "id": one.id,
        "node_id": node_id("LA", one.id),
        "url": f"{world.api}/repos/{repo.full_name}/labels/{one.name}",
        "name": one.name,
        "color": one.color,
        "default": False,
        "description": one.description,
    }


_EMOJI = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


def reactions(given: list[Reaction], url: str) -> Json:
    """How many of each."""
    counts = {emoji: sum(one.content == emoji for one in given) for emoji in _EMOJI}
    return {"url": f"{url}/reactions", "total_count": len(given), **counts}


def reaction(world: World, one: Reaction) -> Json:
    """One reaction."""
    return {
        "id": one.id,
        "node_id": node_id("REA", one.id),
        "user": user(world, one.user),
        "content": one.content,
        "created_at": stamp(one.created_at),
    }


def association(world: World, repo: Repository, account: Account) -> str:
    """How the author stands to the repository (coarse, as GitHub's word is)."""
    if account is repo.owner:
        return "OWNER"
    role = repo.roles.get(account.login.lower(), "none")
    return "COLLABORATOR" if role not in ("none", "read") else "NONE"


def issue(world: World, repo: Repository, one: Issue) -> Json:
    """An issue; a pull request has the extra key that tells it apart."""
    url = f"{world.api}/repos/{repo.full_name}/issues/{one.number}"
    kind = "pull" if one.pull else "issues"
    html = f"{world.base_url}/{repo.full_name}/{kind}/{one.number}"
    shape: Json = {
        "id": one.id,
        "node_id": node_id("PR" if one.pull else "I", one.id),
        "url": url,
        "repository_url": f"{world.api}/repos/{repo.full_name}",
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": html,
        "number": one.number,
        "title": one.title,
        "body": one.body,
        "user": user(world, one.user),
        "labels": [label(world, repo, each) for each in one.labels],
        "state": one.state,
        "state_reason": one.state_reason,
        "locked": one.locked,
        "active_lock_reason": one.lock_reason,
        "assignee": user(world, one.assignees[0]) if one.assignees else None,
        "assignees": [user(world, each) for each in one.assignees],
        "milestone": None,
        "comments": len(one.comments),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "closed_at": iso(one.closed_at),
        "author_association": association(world, repo, one.user),
        "reactions": reactions(one.reactions, url),
        "performed_via_github_app": app(world, one.app) if one.app else None,
        "issue_dependencies_summary": _dependencies(world, one),
    }
    if one.pull:
        pull = f"{world.api}/repos/{repo.full_name}/pulls/{one.number}"
        shape["draft"] = one.pull.draft
        shape["pull_request"] = {
            "url": pull,
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "merged_at": iso(one.pull.merged_at),
        }
    return shape


def _dependencies(world: World, one: Issue) -> Json:
    """How many issues this one waits for, and how many wait for it: the open ones, and all."""
    ahead = [world.issue_by_id(each)[1] for each in one.blocked_by]
    behind = [row for _, row in world.blocked_by(one.id)]
    return {
        "blocked_by": sum(each.state == "open" for each in ahead),
        "total_blocked_by": len(ahead),
        "blocking": sum(each.state == "open" for each in behind),
        "total_blocking": len(behind),
    }


def full_issue(world: World, repo: Repository, one: Issue) -> Json:
    """An issue as ``GET .../issues/{n}`` answers."""
    closer = user(world, one.closed_by) if one.closed_by else None
    return issue(world, repo, one) | {"closed_by": closer}


def comment(world: World, repo: Repository, on: Issue, one: Comment) -> Json:
    """A comment on an issue's or pull request's conversation."""
    url = f"{world.api}/repos/{repo.full_name}/issues/comments/{one.id}"
    kind = "pull" if on.pull else "issues"
    page = f"{world.base_url}/{repo.full_name}/{kind}/{on.number}"
    return {
        "id": one.id,
        "node_id": node_id("IC", one.id),
        "url": url,
        "html_url": f"{page}#issuecomment-{one.id}",
        "issue_url": f"{world.api}/repos/{repo.full_name}/issues/{on.number}",
        "user": user(world, one.user),
        "body": one.body,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "author_association": association(world, repo, one.user),
        "reactions": reactions(one.reactions, url),
        "performed_via_github_app": app(world, one.app) if one.app else None,
        "pin": None
        if one.pinned_at is None
        else {"pinned_at": stamp(one.pinned_at), "pinned_by": user(world, one.user)},
    }


def issue_event(world: World, repo: Repository, one: IssueEvent) -> Json:
    """One line of an issue's history."""
    return {
        "id": one.id,
        "node_id": node_id("EV", one.id),
        "url": f"{world.api}/repos/{repo.full_name}/issues/events/{one.id}",
        "actor": user(world, one.actor),
        "event": one.event,
        "commit_id": None,
        "commit_url": None,
        "created_at": stamp(one.created_at),
        "performed_via_github_app": app(world, one.app) if one.app else None,
        **one.detail,
    }


def app(world: World, one: App) -> Json:
    """A GitHub App."""
    return {
        "id": one.id,
        "slug": one.slug,
        "client_id": one.client_id,
        "node_id": node_id("A", one.id),
        "owner": user(world, one.owner),
        "name": one.name,
        "description": one.description,
        "external_url": one.external_url,
        "html_url": f"{world.base_url}/apps/{one.slug}",
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "permissions": one.permissions,
        "events": one.events,
    }
