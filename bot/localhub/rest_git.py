"""The git database: refs, commits, trees, blobs, comparisons."""

import asyncio
import base64
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bot.localhub import pushes, shapes_code
from bot.localhub.errors import Refused, forbidden, invalid, not_found, unprocessable
from bot.localhub.gitrepo import (
    Commit,
    GitFailed,
    changes,
    git,
    log,
    merge_base,
    ref_sha,
    resolve,
    write_blob,
)
from bot.localhub.state import Repository
from bot.localhub.types import Json
from bot.localhub.wire import EMPTY, Answer, Call, created

SHA = re.compile(r"[0-9a-f]{40}\Z")


async def get_ref(call: Call) -> Answer:
    ref = "refs/" + call.params["ref"]
    sha = ref_sha(call.repo.path, ref)
    lag = call.faults.lag_s
    if sha is None or call.world.now() - call.repo.ref_born.get(ref, 0.0) < lag:
        raise not_found()
    return Answer(json=_ref(call, ref, sha))


async def matching_refs(call: Call) -> Answer:
    prefix = "refs/" + call.params["ref"]
    listing = await git(call.repo.path, "for-each-ref", "--format=%(refname) %(objectname)")
    rows = [line.rsplit(" ", 1) for line in listing.splitlines() if line.startswith(prefix)]
    return call.page(rows, lambda row: _ref(call, row[0], row[1]))


def _ref(call: Call, ref: str, sha: str) -> Json:
    base = f"{call.world.api}/repos/{call.repo.full_name}/git"
    return {
        "ref": ref,
        "node_id": f"REF_{ref}",
        "url": f"{base}/{ref}",
        "object": {"sha": sha, "type": "commit", "url": f"{base}/commits/{sha}"},
    }


async def create_ref(call: Call) -> Answer:
    ref, sha = call.text("ref", "Reference"), call.text("sha", "Reference")
    if not ref.startswith("refs/") or ref.count("/") < 2 or not await _good_name(call.repo, ref):
        raise unprocessable(f"{ref} is not a valid ref name.")
    if not await _is_commit(call.repo, sha):
        raise unprocessable("Object does not exist")
    if ref_sha(call.repo.path, ref):
        raise unprocessable("Reference already exists")
    await _check_workflows(call, None, sha)
    await pushes.move_ref(call.world, call.repo, call.actor, ref, new=sha, old=None)
    return created(_ref(call, ref, sha))


async def update_ref(call: Call) -> Answer:
    ref, sha = "refs/" + call.params["ref"], call.text("sha", "Reference")
    old = ref_sha(call.repo.path, ref)
    if old is None:
        raise unprocessable("Reference does not exist")
    if not await _is_commit(call.repo, sha):
        raise unprocessable("Object does not exist")
    if not call.flag("force") and not await pushes.is_ancestor(call.repo, old, sha):
        raise unprocessable("Update is not a fast forward")
    await _check_workflows(call, old, sha)
    await pushes.move_ref(call.world, call.repo, call.actor, ref, new=sha, old=old)
    return Answer(json=_ref(call, ref, sha))


async def delete_ref(call: Call) -> Answer:
    ref = "refs/" + call.params["ref"]
    old = ref_sha(call.repo.path, ref)
    if old is None:
        raise unprocessable("Reference does not exist")
    await pushes.move_ref(call.world, call.repo, call.actor, ref, new=None, old=old)
    return EMPTY


async def _good_name(repo: Repository, ref: str) -> bool:
    try:
        await git(repo.path, "check-ref-format", ref)
    except GitFailed:
        return False
    return True


async def _is_commit(repo: Repository, sha: str) -> bool:
    return bool(SHA.match(sha)) and await resolve(repo.path, sha) == sha


async def touches_workflows(repo: Repository, old: str | None, new: str) -> bool:
    """Whether the workflow files differ between two commits."""
    folder = ".github/workflows"
    base = old or await merge_base(repo.path, f"refs/heads/{repo.default_branch}", new)
    if base is None:
        return bool(await git(repo.path, "ls-tree", new, f"{folder}/"))
    return bool(await git(repo.path, "diff", "--name-only", base, new, "--", folder))


async def _check_workflows(call: Call, old: str | None, new: str) -> None:
    """Apps change workflow files only with the ``workflows`` permission."""
    bound = call.actor.scoped and not call.actor.holds("workflows:write")
    if bound and await touches_workflows(call.repo, old, new):
        raise forbidden()


async def get_git_commit(call: Call) -> Answer:
    return Answer(json=shapes_code.git_commit(call.world, call.repo, await _one(call)))


async def _one(call: Call) -> Commit:
    name = call.params.get("ref") or call.params["commit_sha"]
    sha = await resolve(call.repo.path, name)
    if sha is None:
        raise unprocessable(f"No commit found for SHA: {name}")
    return (await log(call.repo.path, sha, limit=1))[0]


async def create_commit(call: Call) -> Answer:
    """A commit object, dated and signed as the body says, else now and by the caller."""
    message = call.text("message", "Commit")
    tree, parents = call.text("tree", "Commit"), call.body.get("parents", [])
    if not SHA.match(tree) or not all(SHA.match(str(each)) for each in parents):
        raise invalid("Commit", "tree", "invalid")
    try:
        sha = await commit_of(call, tree, parents, message)
    except GitFailed as error:
        raise unprocessable("Tree SHA does not exist") from error
    made = (await log(call.repo.path, sha, limit=1))[0]
    return created(shapes_code.git_commit(call.world, call.repo, made))


async def commit_of(call: Call, tree: str, parents: Sequence[str], message: str) -> str:
    """Write a commit object; ``author`` and ``committer`` of the body count."""
    env = call.signature.env()
    author = call.body.get("author") or {}
    committer = call.body.get("committer") or author
    for role, who in (("AUTHOR", author), ("COMMITTER", committer)):
        for key in ("name", "email", "date"):
            if who.get(key):
                env[f"GIT_{role}_{key.upper()}"] = str(who[key])
    args = [arg for parent in parents for arg in ("-p", parent)]
    return await git(call.repo.path, "commit-tree", tree, *args, env=env, stdin=message.encode())


async def create_tree(call: Call) -> Answer:
    """A tree from entries, on top of ``base_tree`` where it is given."""
    entries = call.body.get("tree")
    if not isinstance(entries, list) or not entries:
        raise invalid("Tree", "tree", "missing_field")
    sha = await build_tree(call, call.optional("base_tree", "Tree"), entries)
    return created(await _tree(call, sha, recursive=False))


async def build_tree(call: Call, base: str | None, entries: Sequence[Json]) -> str:
    """Write a tree object; entries hold ``content`` or a blob's ``sha`` (null removes)."""
    path = call.repo.path
    with tempfile.TemporaryDirectory() as scratch:
        env = {"GIT_INDEX_FILE": f"{scratch}/index"}
        if base:
            await git(path, "read-tree", base, env=env)
        lines = []
        for entry in entries:
            name = str(entry.get("path", ""))
            if "sha" in entry and entry["sha"] is None:
                lines.append(f"0 {'0' * 40}\t{name}")
                continue
            blob = entry.get("sha") or await _blob(path, entry.get("content", ""))
            lines.append(f"{entry.get('mode', '100644')} {blob}\t{name}")
        try:
            text = "\n".join(lines).encode()
            await git(path, "update-index", "--add", "--index-info", env=env, stdin=text)
            return await git(path, "write-tree", env=env)
        except GitFailed as error:
            raise unprocessable(f"tree.path contains a malformed path: {error}") from error


async def get_tree(call: Call) -> Answer:
    sha = await resolve(call.repo.path, call.params["tree_sha"])
    return Answer(json=await _tree(call, sha or call.params["tree_sha"], "recursive" in call.query))


async def _tree(call: Call, name: str, recursive: bool) -> Json:
    flags = ["-l", "-z", *(["-r", "-t"] if recursive else [])]
    try:
        sha = await git(call.repo.path, "rev-parse", "--verify", f"{name}^{{tree}}")
        listing = await git(call.repo.path, "ls-tree", *flags, sha)
    except GitFailed as error:
        raise not_found() from error
    base = f"{call.world.api}/repos/{call.repo.full_name}/git"
    entries = []
    for line in filter(None, listing.split("\0")):
        about, path = line.split("\t", 1)
        mode, kind, blob, size = about.split()
        entry: Json = {"path": path, "mode": mode, "type": kind, "sha": blob}
        if size.isdigit():
            entry["size"] = int(size)
        entries.append(entry | {"url": f"{base}/{kind}s/{blob}"})
    return {"sha": sha, "url": f"{base}/trees/{sha}", "tree": entries, "truncated": False}


async def _blob(path: Path, content: str | bytes) -> str:
    return await asyncio.to_thread(write_blob, path, content)


async def create_blob(call: Call) -> Answer:
    content = call.body.get("content", "")
    data = base64.b64decode(content) if call.body.get("encoding") == "base64" else content.encode()
    sha = await _blob(call.repo.path, data)
    url = f"{call.world.api}/repos/{call.repo.full_name}/git/blobs/{sha}"
    return created({"sha": sha, "url": url})


async def get_commit(call: Call) -> Answer:
    one = await _one(call)
    shape = shapes_code.commit(call.world, call.repo, one)
    base = one.parents[0] if one.parents else EMPTY_TREE
    files = await changes(call.repo.path, base, one.sha)
    additions, deletions = sum(f.additions for f in files), sum(f.deletions for f in files)
    shape["stats"] = {
        "total": additions + deletions,
        "additions": additions,
        "deletions": deletions,
    }
    shape["files"] = [
        shapes_code.diff_entry(call.world, call.repo, each, one.sha) for each in files
    ]
    return Answer(json=shape)


#: git's name for the tree with nothing in it.
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


async def commits(call: Call) -> Answer:
    """The history of a branch (``sha``), newest first; ``path`` narrows it."""
    sha = await resolve(call.repo.path, call.query.get("sha") or call.repo.default_branch)
    if sha is None:
        raise not_found()
    rows = await log(call.repo.path, sha, limit=1000)
    return call.page(rows, lambda one: shapes_code.commit(call.world, call.repo, one))


async def commit_pulls(call: Call) -> Answer:
    """The pull requests that hold a commit: by head, by merge, or by being in the branch."""
    sha = await resolve(call.repo.path, call.params["commit_sha"])
    if sha is None:
        raise unprocessable(f"No commit found for SHA: {call.params['commit_sha']}")
    rows = []
    for one in call.repo.issues.values():
        part = one.pull
        if part is None:
            continue
        inside = sha in (part.head_sha, part.merge_commit_sha)
        if not inside and part.merged_at is None:
            inside = await pushes.is_ancestor(call.repo, sha, part.head_sha)
            inside = inside and not await pushes.is_ancestor(call.repo, sha, part.base_sha)
        if inside:
            rows.append((one, part))
    return call.page(rows, lambda row: shapes_code.pull(call.world, call.repo, *row))


async def compare(call: Call) -> Answer:
    base_name, dots, head_name = call.params["basehead"].partition("...")
    base = await resolve(call.repo.path, base_name.rpartition(":")[2])
    head = await resolve(call.repo.path, head_name.rpartition(":")[2])
    if not dots or base is None or head is None:
        raise not_found()
    fork = await merge_base(call.repo.path, base, head)
    if fork is None:
        raise Refused(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead = await log(call.repo.path, f"{base}..{head}")
    behind = int(await git(call.repo.path, "rev-list", "--count", f"{head}..{base}"))
    status = ("diverged" if behind else "ahead") if ahead else ("behind" if behind else "identical")
    return Answer(json=await _comparison(call, (base, head, fork), ahead, behind, status))


async def _comparison(
    call: Call,
    ends: tuple[str, str, str],
    ahead: list[Commit],
    behind: int,
    status: str,
) -> Json:
    base, head, fork = ends
    url = f"{call.world.api}/repos/{call.repo.full_name}/compare/{base}...{head}"
    html = f"{call.world.base_url}/{call.repo.full_name}/compare/{base}...{head}"
    base_commit = (await log(call.repo.path, base, limit=1))[0]
    fork_commit = (await log(call.repo.path, fork, limit=1))[0]
    files = await changes(call.repo.path, fork, head)

    def shape(one: Commit) -> Json:
        return shapes_code.commit(call.world, call.repo, one)

    return {
        "url": url,
        "html_url": html,
        "permalink_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": shape(base_commit),
        "merge_base_commit": shape(fork_commit),
        "status": status,
        "ahead_by": len(ahead),
        "behind_by": behind,
        "total_commits": len(ahead),
        "commits": [shape(one) for one in reversed(ahead)],
        "files": [shapes_code.diff_entry(call.world, call.repo, f, head) for f in files],
    }
