"""Issues and pull requests, what is said on them, and reviews, as rows of the hub."""

from dataclasses import dataclass, field

from bot.localhub.state_apps import Account, App
from bot.localhub.types import Json


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
    reactions: list[Reaction] = field(default_factory=list)


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
    moved_to: tuple[int, int] | None = None  #: the other repository's id, its number there
    app: "App | None" = None
    comments: list[Comment] = field(default_factory=list)
    events: list[IssueEvent] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    blocked_by: list[int] = field(default_factory=list)  #: ids of issues, of any repository
    pull: Pull | None = None
