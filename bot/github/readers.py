"""What a delivery means: one small reader for each event that we listen to.

A reader takes the payload and returns an event, or None where the payload does not say enough.
Fields: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import re
from collections.abc import Callable

from bot.domain import Actor, RepoRef
from bot.events import (
    BlockerRemoved,
    CheckButton,
    CheckSuiteEnded,
    CommentCreated,
    Deployed,
    Event,
    InstallationChanged,
    IssueEdited,
    IssueGone,
    IssueLabeled,
    IssueSnapshot,
    IssueUnlabeled,
    MergeGroupAsked,
    ProtectionAsked,
    PullChanged,
    Pushed,
    RepositoryChanged,
    ReviewSubmitted,
    RunEnded,
)
from bot.github import names
from bot.github.fields import Fields

GHOST = Actor(login="ghost", id=0)  #: who acted has since deleted the account

_RUN_IN_URL = re.compile(r"/actions/runs/([0-9]{1,18})/deployment_protection_rule$")


def event_of(
    event_name: str, payload: Fields, repo: RepoRef | None, *, app_id: int = 0
) -> Event | None:
    """The event in this payload of this repository, or None: not ours, not known, not enough."""
    if event_name in {"installation", "installation_repositories"}:
        return _installation(payload)
    if repo is None:
        return None
    if (
        event_name == "check_suite"
        and app_id
        and payload["check_suite"]["app"].number("id") == app_id
    ):
        return None  # our own checks; we know what we said
    reader = _READERS.get((event_name, payload.text("action"))) or _READERS.get((event_name, "*"))
    return reader(payload, repo, actor_of(payload["sender"])) if reader is not None else None


def repo_of(payload: Fields) -> RepoRef | None:
    """The payload's repository; None where it has none that could be one."""
    return repo_from(payload["repository"], installation_id=payload["installation"].number("id"))


def repo_from(given: Fields, *, installation_id: int) -> RepoRef | None:
    """A repository object (full or the short one of installation events)."""
    owner, _, name = given.text("full_name").partition("/")
    owner = given["owner"].text("login") or owner
    name = given.text("name") or name
    number = given.number("id")
    if not (number and names.is_owner(owner) and names.is_repo_name(name)):
        return None
    branch = given.text("default_branch")
    return RepoRef(
        id=number,
        owner=owner,
        name=name,
        installation_id=installation_id,
        default_branch=branch if names.is_ref(branch) else "main",
    )


def actor_of(given: Fields) -> Actor:
    """A user object; the ghost where it is null."""
    login = given.text("login", limit=120)
    if not names.is_login(login):
        return GHOST
    is_bot = given.text("type") == "Bot" or login.endswith("[bot]")
    return Actor(login=login, id=given.number("id"), is_bot=is_bot)


def issue_of(given: Fields) -> IssueSnapshot | None:
    """An issue object, which a pull request's conversation is too."""
    number = given.number("number")
    if not number:
        return None
    return IssueSnapshot(
        number=number,
        title=given.text("title", limit=1_000),
        body=given.text("body"),
        author=actor_of(given["user"]),
        labels=labels_of(given),
        is_pull=given.has("pull_request"),
        state=given.text("state") or "open",
        html_url=given.text("html_url", limit=2_000),
        updated_at=given.text("updated_at", limit=40),
    )


def labels_of(given: Fields) -> tuple[str, ...]:
    """Names of an issue's labels; GitHub sends objects, and plain names in some answers."""
    objects = [label.text("name", limit=200) for label in given.items("labels")]
    return tuple([name for name in (*objects, *given.texts("labels")) if name])


def repository_of(issue: Fields) -> str:
    """The owner/name that an issue object is of; empty where it does not say."""
    return "/".join(issue.text("repository_url", limit=2_000).split("/repos/")[-1].split("/")[:2])


Reader = Callable[[Fields, RepoRef, Actor], Event | None]


def _labeled(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    issue, label = issue_of(payload["issue"]), payload["label"].text("name", limit=200)
    if issue is None or not label:
        return None
    return IssueLabeled(repo=repo, sender=sender, issue=issue, label=label)


def _unlabeled(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    issue, label = issue_of(payload["issue"]), payload["label"].text("name", limit=200)
    if issue is None or not label:
        return None
    return IssueUnlabeled(repo=repo, sender=sender, issue=issue, label=label)


def _edited(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    issue = issue_of(payload["issue"])
    return IssueEdited(repo=repo, sender=sender, issue=issue) if issue is not None else None


def _gone(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    issue, how = issue_of(payload["issue"]), payload.text("action")
    if issue is None:
        return None
    return IssueGone(repo=repo, sender=sender, issue=issue, how=how)


def _unblocked(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    blocker = payload["blocking_issue"]
    if not blocker.number("number"):
        return None
    return BlockerRemoved(
        repo=repo,
        sender=sender,
        blocker=blocker.number("number"),
        blocker_repository=repository_of(blocker) or repo.full_name,
    )


def _comment(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    issue, comment = issue_of(payload["issue"]), payload["comment"]
    if issue is None or not comment.number("id"):
        return None
    return CommentCreated(
        repo=repo,
        sender=sender,
        issue=issue,
        comment_id=comment.number("id"),
        body=comment.text("body"),
    )


def _review(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    review, pull = payload["review"], payload["pull_request"].number("number")
    if not (pull and review.number("id")):
        return None
    return ReviewSubmitted(
        repo=repo,
        sender=sender,
        pull=pull,
        review_id=review.number("id"),
        state=review.text("state", limit=40).lower(),
        body=review.text("body"),
        commit_sha=_sha(review, "commit_id"),
        node=review.text("node_id", limit=200),
    )


def _button(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    check = payload["check_run"]
    asked = payload["requested_action"].text("identifier", limit=40)
    identifier = "rerequested" if payload.text("action") == "rerequested" else asked
    if not (check.number("id") and identifier):
        return None
    return CheckButton(
        repo=repo,
        sender=sender,
        check_run_id=check.number("id"),
        check_name=check.text("name", limit=200),
        external_id=check.text("external_id", limit=200),
        head_sha=_sha(check, "head_sha"),
        identifier=identifier,
        head_ref=check["check_suite"].text("head_branch"),
    )


def _suite(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    suite = payload["check_suite"]
    if not _sha(suite, "head_sha"):
        return None
    return CheckSuiteEnded(
        repo=repo,
        sender=sender,
        head_sha=_sha(suite, "head_sha"),
        conclusion=suite.text("conclusion", limit=40),
    )


def _run(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    run = payload["workflow_run"]
    if not run.number("id"):
        return None
    path = run.text("path", limit=500) or payload["workflow"].text("path", limit=500)
    return RunEnded(
        repo=repo,
        sender=sender,
        run_id=run.number("id"),
        workflow=path.partition("@")[0],
        title=run.text("display_title", limit=1_000),
        conclusion=run.text("conclusion", limit=40),
        head_sha=_sha(run, "head_sha"),
        html_url=run.text("html_url", limit=2_000),
        event=run.text("event", limit=60),
    )


def _deployed(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    deployment, status = payload["deployment"], payload["deployment_status"]
    if not (deployment.number("id") and status.text("state")):
        return None
    return Deployed(
        repo=repo,
        sender=sender,
        deployment_id=deployment.number("id"),
        environment=deployment.text("environment", limit=260),
        state=status.text("state", limit=40),
        environment_url=status.text("environment_url", limit=2_000),
        run_id=payload["workflow_run"].number("id"),
    )


def _protection(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    run = _RUN_IN_URL.search(payload.text("deployment_callback_url", limit=2_000))
    environment = payload.text("environment", limit=260)
    if run is None or not environment:
        return None
    return ProtectionAsked(
        repo=repo,
        sender=sender,
        environment=environment,
        run_id=int(run.group(1)),
    )


def _push(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    ref = payload.text("ref", limit=300)
    if not names.is_ref(ref):
        return None
    before, after = _sha(payload, "before"), _sha(payload, "after")
    return Pushed(repo=repo, sender=sender, ref=ref, before=before, after=after)


def _pull(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    pull = payload["pull_request"]
    number, action = pull.number("number"), payload.text("action", limit=60)
    head_ref, base_ref = pull["head"].text("ref"), pull["base"].text("ref")
    if not (number and action and names.is_ref(head_ref) and names.is_ref(base_ref)):
        return None
    return PullChanged(
        repo=repo,
        sender=sender,
        pull=number,
        action=action,
        head_ref=head_ref,
        head_sha=_sha(pull["head"], "sha"),
        base_ref=base_ref,
        merged=pull.flag("merged"),
        merge_sha=_sha(pull, "merge_commit_sha") if pull.flag("merged") else "",
    )


def _merge_group(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    group = payload["merge_group"]
    sha, ref = _sha(group, "head_sha"), group.text("head_ref")
    return MergeGroupAsked(repo=repo, sender=sender, head_sha=sha, head_ref=ref) if sha else None


def _repository(payload: Fields, repo: RepoRef, sender: Actor) -> Event | None:
    return RepositoryChanged(repo=repo, sender=sender, action=payload.text("action"))


def _installation(payload: Fields) -> Event | None:
    number, action = payload["installation"].number("id"), payload.text("action", limit=60)
    if not (number and action):
        return None
    lists = ("repositories", "repositories_added", "repositories_removed")
    given = (one for name in lists for one in payload.items(name))
    found = (repo_from(one, installation_id=number) for one in given)
    return InstallationChanged(
        sender=actor_of(payload["sender"]),
        installation_id=number,
        action=action,
        repos=tuple(repo for repo in found if repo is not None),
    )


def _sha(given: Fields, name: str) -> str:
    text = given.text(name, limit=64)
    return text if names.is_sha(text) else ""


_READERS: dict[tuple[str, str], Reader] = {
    ("issues", "labeled"): _labeled,
    ("issues", "unlabeled"): _unlabeled,
    ("issues", "edited"): _edited,
    ("issues", "closed"): _gone,
    ("issues", "deleted"): _gone,
    ("issues", "transferred"): _gone,
    ("issue_dependencies", "blocked_by_removed"): _unblocked,
    ("issue_comment", "created"): _comment,
    ("pull_request_review", "submitted"): _review,
    ("check_run", "requested_action"): _button,
    ("check_run", "rerequested"): _button,
    ("check_suite", "completed"): _suite,
    ("workflow_run", "completed"): _run,
    ("deployment_status", "*"): _deployed,
    ("deployment_protection_rule", "requested"): _protection,
    ("push", "*"): _push,
    ("pull_request", "*"): _pull,
    ("merge_group", "checks_requested"): _merge_group,
    ("repository", "renamed"): _repository,
    ("repository", "archived"): _repository,
    ("repository", "unarchived"): _repository,
    ("repository", "transferred"): _repository,
    ("repository", "deleted"): _repository,
}
