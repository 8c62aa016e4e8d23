"""Pull requests: open, change, list, merge."""

from bot.localhub import events, issuing, merging, pulling, pushes, shapes, shapes_code
from bot.localhub.errors import Refused, invalid, unprocessable
from bot.localhub.gitrepo import changes, git, log, merge_base, merged_tree, ref_sha
from bot.localhub.rest_issues import TITLE_LIMIT, change_state
from bot.localhub.state_issues import Issue, Pull
from bot.localhub.types import Json
from bot.localhub.wire import Answer, Call, created, one_of


def pull_of(call: Call) -> tuple[Issue, Pull]:
    """The pull request that the path names. Raises 404."""
    one = call.seen(call.world.issue(call.repo, call.number("pull_number")))
    if one.pull is None:
        raise Refused(404, "Not Found")
    return one, one.pull


async def _shape(call: Call, one: Issue, part: Pull) -> Json:
    return await pulling.shape(call.world, call.repo, one, part)


async def create(call: Call) -> Answer:
    """Open a pull request between two branches of the repository."""
    repo = call.repo
    title = call.text("title", "PullRequest", limit=TITLE_LIMIT)
    body = call.optional("body", "PullRequest")
    head, base = call.text("head", "PullRequest"), call.text("base", "PullRequest")
    head = head.removeprefix(f"{repo.owner.login}:")
    draft = call.flag("draft")
    head_sha, base_sha = _ends(call, head, base)
    if draft and not repo.allow_drafts:
        raise unprocessable("Draft pull requests are not supported in this repository.")
    if pulling.find(repo, head, base):
        said = f"A pull request already exists for {repo.owner.login}:{head}."
        raise invalid("PullRequest", "base", "custom", said)
    if await git(repo.path, "rev-list", "--count", f"{base_sha}..{head_sha}") == "0":
        said = f"No commits between {base} and {head}"
        raise invalid("PullRequest", "base", "custom", said)
    one = issuing.open_issue(call.world, repo, call.actor, call.who, title=title, body=body)
    one.pull = part = Pull(
        id=call.world.new_id(),
        head_ref=head,
        base_ref=base,
        head_sha=head_sha,
        base_sha=base_sha,
        draft=draft,
    )
    await pulling.refresh(repo, part)
    events.pull_request(call.world, repo, one, call.who, "opened")
    if call.actor.via != "workflow":
        await pushes.trigger_pull_request(call.world, repo, one, call.who, "opened")
    return created(await _shape(call, one, part))


def _ends(call: Call, head: str, base: str) -> tuple[str, str]:
    found = []
    for field, name in (("head", head), ("base", base)):
        sha = ref_sha(call.repo.path, f"refs/heads/{name}")
        if sha is None:
            raise invalid("PullRequest", field, "invalid")
        found.append(sha)
    return found[0], found[1]


async def get(call: Call) -> Answer:
    return Answer(json=await _shape(call, *pull_of(call)))


async def update(call: Call) -> Answer:
    """Change title, body, base or state."""
    one, part = pull_of(call)
    changed: Json = {}
    for field in ("title", "body"):
        value = call.optional(field, "PullRequest")
        if field in call.body and value != getattr(one, field):
            changed[field] = {"from": getattr(one, field) or ""}
            setattr(one, field, value or "")
    base = call.optional("base", "PullRequest")
    if base is not None and base != part.base_ref:
        changed["base"] = {"ref": {"from": part.base_ref}, "sha": {"from": part.base_sha}}
        _, part.base_sha = _ends(call, part.head_ref, base)
        part.base_ref = base
    if changed:
        one.updated_at = call.world.now()
        await pulling.refresh(call.repo, part)
        events.pull_request(call.world, call.repo, one, call.who, "edited", changes=changed)
    if "state" in call.body:
        change_state(call, one)
    return Answer(json=await _shape(call, one, part))


async def listing(call: Call) -> Answer:
    """Pull requests, newest first; by state, head (``owner:branch``), base."""
    rows = [
        (one, one.pull)
        for one in call.visible(call.repo.issues.values())
        if one.pull and _matches(call, one, one.pull)
    ]
    by_update = call.query.get("sort") == "updated"
    newest_first = call.query.get("direction", "desc") == "desc"
    rows.sort(
        key=lambda row: (row[0].updated_at if by_update else row[0].created_at, row[0].number),
        reverse=newest_first,
    )
    return call.page(rows, lambda row: shapes_code.pull(call.world, call.repo, *row))


def _matches(call: Call, one: Issue, part: Pull) -> bool:
    head = f"{call.repo.owner.login}:{part.head_ref}"
    return (
        call.query.get("state", "open") in ("all", one.state)
        and call.query.get("head", head) == head
        and call.query.get("base", part.base_ref) == part.base_ref
    )


async def files(call: Call) -> Answer:
    _, part = pull_of(call)
    base = part.base_sha if part.merged_at else pulling.base_tip(call.repo, part)
    fork = await merge_base(call.repo.path, base, part.head_sha) or base
    rows = await changes(call.repo.path, fork, part.head_sha)
    return call.page(
        rows[:3000],
        lambda row: shapes_code.diff_entry(call.world, call.repo, row, part.head_sha),
    )


async def commits(call: Call) -> Answer:
    _, part = pull_of(call)
    base = part.base_sha if part.merged_at else pulling.base_tip(call.repo, part)
    rows = await log(call.repo.path, f"{base}..{part.head_sha}")
    rows.reverse()
    return call.page(rows, lambda row: shapes_code.commit(call.world, call.repo, row))


async def is_merged(call: Call) -> Answer:
    if pull_of(call)[1].merged_at is None:
        raise Refused(404, "Not Found")
    return Answer(status=204)


async def merge(call: Call) -> Answer:
    """Merge with the expected head; GitHub's own refusals are 405 and 409."""
    one, part = pull_of(call)
    method = one_of(
        str(call.body.get("merge_method", "merge")), ("merge", "squash", "rebase"), "merge_method"
    )
    await merging.check_mergeable(call.repo, one, part, call.optional("sha", "PullRequest"))
    if method not in call.repo.merge_methods:
        raise Refused(405, f"{method.capitalize()} merges are not allowed on this repository.")
    recipe = merging.Recipe(
        method=method,
        title=call.optional("commit_title", "PullRequest"),
        text=call.optional("commit_message", "PullRequest"),
        by=call.signature,
    )
    sha = await merging.merge(call.world, call.repo, one, part, call.actor, recipe=recipe)
    return Answer(json={"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


async def update_branch(call: Call) -> Answer:
    """Merge the base into the head branch; 422 where the head is not the expected one."""
    one, part = pull_of(call)
    expected = call.optional("expected_head_sha", "PullRequest")
    if expected is not None and expected != part.head_sha:
        raise unprocessable(f"expected head sha didn't match current head ref: {expected}")
    base = pulling.base_tip(call.repo, part)
    if await pushes.is_ancestor(call.repo, base, part.head_sha):
        raise unprocessable("There are no new commits on the base branch.")
    tree = await merged_tree(call.repo.path, part.head_sha, base)
    if tree is None:
        raise unprocessable("merge conflict between base and head")
    message = f"Merge branch '{part.base_ref}' into {part.head_ref}"
    sha = await git(
        call.repo.path,
        *("commit-tree", tree, "-p", part.head_sha, "-p", base),
        env=call.signature.env(),
        stdin=message.encode(),
    )
    ref = f"refs/heads/{part.head_ref}"
    await pushes.move_ref(call.world, call.repo, call.actor, ref, new=sha, old=part.head_sha)
    url = f"{call.world.api}/repos/{call.repo.full_name}/pulls/{one.number}"
    return Answer(status=202, json={"message": "Updating pull request branch.", "url": url})


async def requested_reviewers(call: Call) -> Answer:
    _, part = pull_of(call)
    users = [shapes.user(call.world, each) for each in part.requested_reviewers]
    return Answer(json={"users": users, "teams": []})


async def request_reviewers(call: Call) -> Answer:
    one, part = pull_of(call)
    for login in call.body.get("reviewers", []):
        account = call.world.account(str(login))
        if account is one.user:
            raise unprocessable("Review cannot be requested from pull request author.")
        if account not in part.requested_reviewers:
            part.requested_reviewers.append(account)
            extra = {"requested_reviewer": shapes.user(call.world, account)}
            events.pull_request(call.world, call.repo, one, call.who, "review_requested", **extra)
    return created(shapes_code.pull(call.world, call.repo, one, part))


async def set_draft(call: Call, one: Issue, part: Pull, draft: bool) -> None:
    """Un-draft or draft a pull request (GraphQL only, as on GitHub)."""
    if part.draft == draft:
        return
    if draft and not call.repo.allow_drafts:
        raise unprocessable("Draft pull requests are not supported in this repository.")
    part.draft = draft
    action = "converted_to_draft" if draft else "ready_for_review"
    issuing.record(call.world, one, "convert_to_draft" if draft else "ready_for_review", call.who)
    events.pull_request(call.world, call.repo, one, call.who, action)
