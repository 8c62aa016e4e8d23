"""What GitHub told us, as data: one small class for each kind of thing we ask about."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from bot.domain import Actor, RepoRef

T = TypeVar("T")


class CheckStatus(StrEnum):
    """Of a check run."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class Conclusion(StrEnum):
    """Of a completed check run, as we may set it."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    TIMED_OUT = "timed_out"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Something that now exists: its id, and where a person sees it."""

    id: int
    url: str
    number: int = 0  #: of an issue or pull request
    node_id: str = ""  #: its name in GraphQL


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """A list that was asked for with the tag of its last first page."""

    items: tuple[T, ...] | None  #: None: nothing has changed since
    etag: str  #: to ask with the next time; empty where GitHub gives none


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoInfo:
    ref: RepoRef
    private: bool
    archived: bool
    html_url: str
    merge_methods: tuple[str, ...]  #: of merge, squash, rebase: what the repository allows


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    number: int
    repository: str  #: owner/name
    title: str
    body: str
    author: Actor
    labels: tuple[str, ...]
    state: str  #: open, closed
    locked: bool
    is_pull: bool
    html_url: str
    created_at: str  #: ISO 8601, UTC, as all the times below
    updated_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    id: int
    author: Actor
    body: str
    html_url: str
    created_at: str
    app_id: int = 0  #: of the App that wrote it; 0: a person, or not said


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEvent:
    """A label was put on or taken off an issue."""

    id: int
    label: str
    added: bool
    actor: Actor
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What has happened to an issue, as far as it says whether a wish stands."""

    labels: tuple[LabelEvent, ...]  #: oldest first
    closed: int = 0  #: the id of the event that closed it; 0: it is open

    def newest(self, label: str) -> LabelEvent | None:
        """The last time that the label was put on or taken off."""
        ours = [event for event in self.labels if event.label == label]
        return max(ours, key=lambda event: event.id, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    number: int
    node_id: str
    title: str
    body: str
    state: str  #: open, closed
    draft: bool
    merged: bool
    mergeable: bool | None  #: None while GitHub has not worked it out
    mergeable_state: str
    merge_sha: str  #: of the merge, once merged
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    author: Actor
    html_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineComment:
    """A remark on a line of the new side, to go out with a review."""

    path: str
    line: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    id: int
    author: Actor
    state: str  #: approved, changes_requested, commented, dismissed, pending
    body: str
    commit_sha: str
    html_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewComment:
    """A remark on a line of a pull request; `reply_to` names the first of its thread."""

    id: int
    author: Actor
    path: str
    line: int  #: 0: the line is no longer part of the diff
    body: str
    reply_to: int
    review_id: int
    html_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    path: str
    line: int
    level: str  #: notice, warning, failure
    message: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """On a completed check run; at most 20, 40 and 20 characters, three of them."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a check run shall say. An update leaves alone what is empty here, but for the buttons:
    those that are not named any more go.
    """

    status: CheckStatus
    conclusion: Conclusion | None = None
    title: str = ""
    summary: str = ""
    text: str = ""
    details_url: str = ""
    annotations: tuple[Annotation, ...] = ()  #: at most 50; an update adds to those before
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    id: int
    name: str
    head_sha: str
    external_id: str
    status: str
    conclusion: str  #: empty until completed
    app_id: int
    html_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedStatus:
    """The commit statuses of a commit (the older sibling of check runs)."""

    state: str  #: success, pending, failure
    failed: tuple[str, ...]  #: contexts
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    id: int
    name: str
    path: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of an Actions workflow."""

    id: int
    workflow: str  #: the workflow file's path
    title: str
    event: str
    status: str  #: queued, in_progress, completed, waiting …
    conclusion: str
    head_branch: str
    head_sha: str
    attempt: int
    html_url: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of a run; its id is that of its check run, whose annotations it writes."""

    id: int
    name: str
    status: str
    conclusion: str
    failed_steps: tuple[str, ...]
    html_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentInfo:
    id: int
    sha: str
    ref: str
    environment: str
    task: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatus:
    id: int
    state: str
    environment_url: str
    log_url: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    name: str
    html_url: str
    protection: tuple[str, ...]  #: required_reviewers, wait_timer, branch_policy, custom ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What rulesets ask of a branch. Classic protection cannot be read without admin rights."""

    kinds: tuple[str, ...]
    required_checks: tuple[str, ...]
    merge_queue: bool
    approvals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    sha: str
    message: str
