"""The rows of the hub: what GitHub would keep in its database.

Rows change in place, for they stand for a database; what leaves the hub is made from them by
``shapes``. Instants are seconds since the epoch (UTC).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

#: Repository roles, weakest first. A custom role would sit between two of them.
ROLES = ("none", "read", "triage", "write", "maintain", "admin")


@dataclass(slots=True, kw_only=True)
class Account:
    """A person, an organization, or the bot user of an App."""

    id: int
    login: str
    kind: str  #: "User", "Organization" or "Bot"
    site_admin: bool = False
    token: str = ""
    created_at: float = 0.0


@dataclass(slots=True, kw_only=True)
class Label:
    """A label of a repository; names are equal when they differ by case only."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass(slots=True, kw_only=True)
class Reaction:
    """One person's one emoji."""

    id: int
    user: Account
    content: str
    created_at: float


@dataclass(slots=True, kw_only=True)
class Comment:
    """A comment on an issue or on the conversation of a pull request."""

    id: int
    user: Account
    body: str
    created_at: float
    updated_at: float
    app: "App | None" = None
    pinned_at: float | None = None
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class IssueEvent:
    """One line of an issue's history: labeled, closed, renamed, ..."""

    id: int
    event: str
    actor: Account
    created_at: float
    detail: Json = field(default_factory=dict)
    app: "App | None" = None


@dataclass(slots=True, kw_only=True)
class ReviewComment:
    """A comment on a line of a pull request's diff."""

    id: int
    review_id: int
    user: Account
    body: str
    path: str
    line: int | None
    side: str
    start_line: int | None
    start_side: str | None
    commit_id: str
    diff_hunk: str
    created_at: float
    updated_at: float
    in_reply_to: int | None = None
    reactions: list[Reaction] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Thread:
    """A line comment with its replies; resolved as one."""

    id: int
    comments: list[ReviewComment]
    resolved_by: Account | None = None


@dataclass(slots=True, kw_only=True)
class Review:
    """A review: COMMENTED, APPROVED, CHANGES_REQUESTED, DISMISSED or (not submitted) PENDING."""

    id: int
    user: Account
    body: str
    state: str
    commit_id: str
    submitted_at: float | None


@dataclass(slots=True, kw_only=True)
class DiffStats:
    """What one pair of base and head looks like; kept until one of them moves."""

    base: str
    head: str
    commits: int
    additions: int
    deletions: int
    changed_files: int
    conflicts: bool


@dataclass(slots=True, kw_only=True)
class Pull:
    """The part of a pull request that an issue does not have."""

    id: int
    head_ref: str
    base_ref: str
    head_sha: str
    base_sha: str
    draft: bool
    merged_at: float | None = None
    merged_by: Account | None = None
    merge_commit_sha: str | None = None
    stats: DiffStats | None = None
    reviews: list[Review] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    requested_reviewers: list[Account] = field(default_factory=list)
    queued_at: float | None = None


@dataclass(slots=True, kw_only=True)
class Issue:
    """An issue, or (with ``pull``) a pull request: they share numbers, comments and labels."""

    id: int
    number: int
    title: str
    body: str | None
    user: Account
    created_at: float
    updated_at: float
    edited_at: float | None = None  #: of the text; a new title is an event
    labels: list[Label] = field(default_factory=list)
    assignees: list[Account] = field(default_factory=list)
    state: str = "open"
    state_reason: str | None = None
    closed_at: float | None = None
    closed_by: Account | None = None
    locked: bool = False
    lock_reason: str | None = None
    deleted: bool = False
    moved_to: "tuple[Repository, int] | None" = None
    app: "App | None" = None
    comments: list[Comment] = field(default_factory=list)
    events: list[IssueEvent] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    pull: Pull | None = None


@dataclass(slots=True, kw_only=True)
class CheckSuite:
    """The check runs of one App on one commit."""

    id: int
    app: "App"
    head_sha: str
    head_branch: str | None
    created_at: float
    run_id: int | None = None


@dataclass(slots=True, kw_only=True)
class CheckRun:
    """One named check on one commit."""

    id: int
    suite: CheckSuite
    name: str
    status: str
    created_at: float
    conclusion: str | None = None
    details_url: str | None = None
    external_id: str = ""
    started_at: float | None = None
    completed_at: float | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[Json] = field(default_factory=list)
    actions: list[Json] = field(default_factory=list)

    @property
    def head_sha(self) -> str:
        return self.suite.head_sha


@dataclass(slots=True, kw_only=True)
class CommitStatus:
    """The older kind of check: a state and a context on a commit."""

    id: int
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: Account
    created_at: float


@dataclass(slots=True, kw_only=True)
class Environment:
    """A deployment environment. Its protection is emulated; see the localhub page of the docs."""

    id: int
    name: str
    created_at: float
    reviewers: list[Account] = field(default_factory=list)
    prevent_self_review: bool = False
    protection_apps: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class DeploymentStatus:
    """One state of a deployment."""

    id: int
    state: str
    creator: Account
    created_at: float
    description: str = ""
    environment_url: str = ""
    log_url: str = ""
    app: "App | None" = None


@dataclass(slots=True, kw_only=True)
class Deployment:
    """A request to bring one commit to one environment."""

    id: int
    sha: str
    ref: str
    task: str
    environment: str
    original_environment: str
    payload: Any
    description: str | None
    creator: Account
    created_at: float
    updated_at: float
    transient: bool = False
    production: bool = False
    app: "App | None" = None
    run_id: int | None = None
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Workflow:
    """A workflow file that has been seen in the repository."""

    id: int
    path: str
    name: str
    created_at: float
    state: str = "active"
    runs: int = 0


@dataclass(slots=True, kw_only=True)
class Step:
    """One step of a job, with what it printed."""

    number: int
    name: str
    status: str = "queued"
    conclusion: str | None = None
    started_at: float | None = None
    completed_at: float | None = None


@dataclass(slots=True, kw_only=True)
class Job:
    """One job of a run; its check run has the same id."""

    id: int
    key: str
    name: str
    environment: str | None
    environment_url: str | None
    check: CheckRun
    created_at: float
    needs: list[str] = field(default_factory=list)
    status: str = "queued"
    conclusion: str | None = None
    started_at: float | None = None
    completed_at: float | None = None
    steps: list[Step] = field(default_factory=list)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    deployment: Deployment | None = None


@dataclass(slots=True, kw_only=True)
class Gate:
    """A protected environment that a run waits for."""

    environment: Environment
    deployment: Deployment
    since: float
    #: What a person or a protection App said: "approved" or "rejected".
    decision: str | None = None
    by: Account | None = None
    comment: str = ""
    #: Protection Apps that still have to agree.
    awaits: set[str] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a workflow."""

    id: int
    number: int
    workflow: Workflow
    event: str
    head_branch: str
    head_sha: str
    actor: Account
    display_title: str
    inputs: dict[str, str]
    source: Json
    payload: Json
    suite: CheckSuite
    created_at: float
    updated_at: float
    status: str = "queued"
    conclusion: str | None = None
    started_at: float | None = None
    attempt: int = 1
    cancelled: bool = False
    group: str | None = None
    cancel_in_progress: bool = False
    jobs: list[Job] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    pid: int | None = None
    exit_code: int | None = None


@dataclass(slots=True, kw_only=True)
class Rules:
    """What branch protection (as a ruleset) asks of the default branch."""

    required_checks: list[str] = field(default_factory=list)
    strict: bool = False
    merge_queue: bool = False
    required_approvals: int = 0


@dataclass(slots=True, kw_only=True)
class Repository:
    """A repository: rows here, objects and refs in the bare git repository at ``path``."""

    id: int
    owner: Account
    name: str
    path: Path
    created_at: float
    pushed_at: float
    private: bool = False
    default_branch: str = "main"
    description: str | None = None
    archived: bool = False
    allow_drafts: bool = True
    delete_branch_on_merge: bool = False
    merge_methods: list[str] = field(default_factory=lambda: ["merge", "squash", "rebase"])
    rules: Rules = field(default_factory=Rules)
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    last_number: int = 0
    suites: list[CheckSuite] = field(default_factory=list)
    checks: dict[int, CheckRun] = field(default_factory=dict)
    statuses: list[CommitStatus] = field(default_factory=list)
    environments: dict[str, Environment] = field(default_factory=dict)
    deployments: dict[int, Deployment] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    ref_born: dict[str, float] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"


@dataclass(slots=True, kw_only=True)
class App:
    """A GitHub App as registered: who owns it, what it may ask for, where its hooks go."""

    id: int
    slug: str
    name: str
    owner: Account
    bot: Account
    client_id: str
    client_secret: str
    webhook_secret: str
    hook_url: str
    hook_active: bool
    pem: str
    public_key: str
    permissions: dict[str, str]
    events: list[str]
    external_url: str
    description: str
    created_at: float
    callback_urls: list[str] = field(default_factory=list)  #: where people may be sent back to


@dataclass(slots=True, kw_only=True)
class Installation:
    """An App installed on an account; ``repository_ids`` is None for all repositories."""

    id: int
    app: App
    account: Account
    repository_ids: set[int] | None
    permissions: dict[str, str]
    events: list[str]
    created_at: float
    suspended_at: float | None = None
    suspended_by: Account | None = None


@dataclass(slots=True, kw_only=True)
class Grant:
    """A token that was given out, with what it may do and until when."""

    token: str
    expires_at: float
    permissions: dict[str, str]
    repository_ids: set[int] | None
    installation: Installation | None = None
    app: App | None = None


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One attempt to deliver one webhook."""

    id: int
    guid: str
    event: str
    action: str | None
    app: App
    installation_id: int | None
    repository_id: int | None
    payload: Json
    body: bytes
    created_at: float
    redelivery: bool = False
    delivered_at: float | None = None
    status_code: int = 0
    status: str = "pending"
    duration: float = 0.0
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""


Clock = Callable[[], float]
