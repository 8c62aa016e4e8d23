"""Repositories, roles, branches, rules and the contents API."""

import asyncio
import base64
import binascii

from bot.localhub import pushes, shapes, shapes_code
from bot.localhub.errors import Refused, invalid, not_found, unprocessable
from bot.localhub.gitrepo import GitFailed, git, log, resolve, run_bytes
from bot.localhub.rest_git import build_tree, commit_of
from bot.localhub.state import Repository
from bot.localhub.types import Json
from bot.localhub.wire import Answer, Call

#: GitHub folds the five roles into the four words of ``permission``.
FOLDED = {"maintain": "write", "triage": "read"}


async def get(call: Call) -> Answer:
    repo = call.repo
    shape = shapes.full_repository(call.world, repo)
    if call.actor.via == "user":
        shape["permissions"] = _permissions(call, repo)
    return Answer(json=shape)


def _permissions(call: Call, repo: Repository) -> Json:
    names = {
        "pull": "read",
        "triage": "triage",
        "push": "write",
        "maintain": "maintain",
        "admin": "admin",
    }
    return {key: call.world.may(repo, call.actor.account, role) for key, role in names.items()}


async def by_id(call: Call) -> Answer:
    return await get(call)


async def permission(call: Call) -> Answer:
    """A person's role: ``permission`` folded into four words, ``role_name`` as it is."""
    account = call.world.account(call.params["username"])
    role = call.world.role_of(call.repo, account)
    folded = FOLDED.get(role, role)
    names = {
        "pull": "read",
        "triage": "triage",
        "push": "write",
        "maintain": "maintain",
        "admin": "admin",
    }
    may = {key: call.world.may(call.repo, account, least) for key, least in names.items()}
    user = shapes.user(call.world, account) | {"permissions": may, "role_name": role}
    return Answer(json={"permission": folded, "role_name": role, "user": user})


async def is_collaborator(call: Call) -> Answer:
    account = call.world.account(call.params["username"])
    if call.world.role_of(call.repo, account) == "none":
        raise not_found()
    return Answer(status=204)


async def branches(call: Call) -> Answer:
    listing = await git(
        call.repo.path, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads"
    )
    rows = [line.rsplit(" ", 1) for line in listing.splitlines()]
    return call.page(rows, lambda row: _branch_brief(call, row[0], row[1]))


def _branch_brief(call: Call, name: str, sha: str) -> Json:
    url = f"{call.world.api}/repos/{call.repo.full_name}/commits/{sha}"
    return {
        "name": name,
        "commit": {"sha": sha, "url": url},
        "protected": _protected(call.repo, name),
    }


def _protected(repo: Repository, name: str) -> bool:
    rules = repo.rules
    asks = rules.required_checks or rules.merge_queue or rules.required_approvals
    return name == repo.default_branch and bool(asks)


async def branch(call: Call) -> Answer:
    name = call.params["branch"]
    try:
        found = await log(call.repo.path, f"refs/heads/{name}", limit=1)
    except GitFailed as error:
        raise Refused(404, "Branch not found") from error
    url = f"{call.world.api}/repos/{call.repo.full_name}/branches/{name}"
    html = f"{call.world.base_url}/{call.repo.full_name}/tree/{name}"
    protected = _protected(call.repo, name)
    body = {
        "name": name,
        "commit": shapes_code.commit(call.world, call.repo, found[0]),
        "_links": {"self": url, "html": html},
        "protected": protected,
        "protection": {"enabled": False},
        "protection_url": f"{url}/protection",
    }
    return Answer(json=body)


async def rules(call: Call) -> Answer:
    """The rules of a branch: only the default branch has any here."""
    if call.params["branch"] != call.repo.default_branch:
        return Answer(json=[])
    return call.page(_rules(call.repo), dict)


def _rules(repo: Repository) -> list[Json]:
    from_here: Json = {
        "ruleset_source_type": "Repository",
        "ruleset_source": repo.full_name,
        "ruleset_id": repo.id,
    }
    found: list[Json] = []
    if repo.rules.required_checks:
        checks = [{"context": name} for name in repo.rules.required_checks]
        parameters = {
            "required_status_checks": checks,
            "strict_required_status_checks_policy": repo.rules.strict,
            "do_not_enforce_on_create": False,
        }
        found.append({"type": "required_status_checks", "parameters": parameters, **from_here})
    if repo.rules.merge_queue:
        found.append({"type": "merge_queue", "parameters": dict(_QUEUE), **from_here})
    if repo.rules.required_approvals:
        parameters = {
            "required_approving_review_count": repo.rules.required_approvals,
            "dismiss_stale_reviews_on_push": False,
            "require_code_owner_review": False,
            "require_last_push_approval": False,
            "required_review_thread_resolution": False,
        }
        found.append({"type": "pull_request", "parameters": parameters, **from_here})
    return found


_QUEUE: Json = {
    "check_response_timeout_minutes": 60,
    "grouping_strategy": "ALLGREEN",
    "max_entries_to_build": 5,
    "max_entries_to_merge": 5,
    "merge_method": "MERGE",
    "min_entries_to_merge": 1,
    "min_entries_to_merge_wait_minutes": 5,
}


async def contents(call: Call) -> Answer:
    """A file with its content, or the list of a folder."""
    ref = call.query.get("ref") or call.repo.default_branch
    sha = await resolve(call.repo.path, ref)
    if sha is None:
        raise Refused(404, f"No commit found for the ref {ref}")
    path = call.params.get("path", "").strip("/")
    kind, blob = await _entry(call, sha, path)
    if kind == "tree":
        return Answer(json=await _folder(call, sha, path, ref))
    content = await asyncio.to_thread(run_bytes, call.repo.path, "cat-file", "blob", blob)
    encoded = base64.encodebytes(content).decode()
    shape = _file(call, path, blob, len(content), ref)
    return Answer(json=shape | {"encoding": "base64", "content": encoded})


async def _entry(call: Call, sha: str, path: str) -> tuple[str, str]:
    spec = f"{sha}:{path}" if path else f"{sha}^{{tree}}"
    try:
        blob = await git(call.repo.path, "rev-parse", "--verify", "--end-of-options", spec)
    except GitFailed as error:
        raise not_found() from error
    return await git(call.repo.path, "cat-file", "-t", blob), blob


async def _folder(call: Call, sha: str, path: str, ref: str) -> list[Json]:
    listing = await git(call.repo.path, "ls-tree", "-l", "-z", f"{sha}:{path}")
    found = []
    for line in filter(None, listing.split("\0")):
        about, name = line.split("\t", 1)
        _, kind, blob, size = about.split()
        whole = f"{path}/{name}".lstrip("/")
        shape = _file(call, whole, blob, int(size) if size.isdigit() else 0, ref)
        found.append(shape | {"type": "dir" if kind == "tree" else "file"})
    return found


def _file(call: Call, path: str, blob: str, size: int, ref: str) -> Json:
    base = f"{call.world.api}/repos/{call.repo.full_name}"
    html = f"{call.world.base_url}/{call.repo.full_name}"
    links = {
        "self": f"{base}/contents/{path}?ref={ref}",
        "git": f"{base}/git/blobs/{blob}",
        "html": f"{html}/blob/{ref}/{path}",
    }
    return {
        "type": "file",
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": blob,
        "size": size,
        "url": links["self"],
        "git_url": links["git"],
        "html_url": links["html"],
        "download_url": f"{html}/raw/{ref}/{path}",
        "_links": links,
    }


async def put_contents(call: Call) -> Answer:
    """Make or change one file with a commit of its own; ``sha`` guards what is there."""
    message = call.text("message", "Commit")
    try:
        data = base64.b64decode(call.body.get("content", ""), validate=False)
    except (binascii.Error, TypeError) as error:
        raise unprocessable("content is not valid Base64") from error
    path, branch_name = call.params["path"], call.body.get("branch") or call.repo.default_branch
    parent = await resolve(call.repo.path, f"refs/heads/{branch_name}")
    if parent is None:
        raise Refused(404, f"Branch {branch_name} not found")
    old = await _old_blob(call, parent, path)
    given = call.body.get("sha")
    if old and not given:
        raise invalid("Contents", "sha", "missing_field", '"sha" wasn\'t supplied.')
    if given and given != old:
        raise Refused(409, f"{path} does not match {given}")
    entry = {"path": path, "mode": "100644", "type": "blob", "content": data}
    tree = await build_tree(call, f"{parent}^{{tree}}", [entry])
    sha = await commit_of(call, tree, [parent], message)
    await pushes.move_ref(
        call.world, call.repo, call.actor, f"refs/heads/{branch_name}", new=sha, old=parent
    )
    commit = (await log(call.repo.path, sha, limit=1))[0]
    _, blob = await _entry(call, sha, path)
    body = {
        "content": _file(call, path, blob, len(data), branch_name),
        "commit": shapes_code.git_commit(call.world, call.repo, commit),
    }
    return Answer(status=200 if old else 201, json=body)


async def _old_blob(call: Call, commit: str, path: str) -> str | None:
    try:
        return await git(call.repo.path, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    except GitFailed:
        return None
