"""What happened on GitHub, as far as it means something to a task.

The webhook receiver reads a delivery into one of these, and the reconcilers find the same facts
where a delivery never came.
"""

from dataclasses import dataclass

from bot.domain import Actor, RepoRef


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSnapshot:
    """An issue as the delivery that made the task showed it."""

    number: int
    title: str
    body: str
    author: Actor
    labels: tuple[str, ...] = ()
    is_pull: bool = False
    state: str = "open"
    html_url: str = ""
    updated_at: str = ""  #: ISO 8601, as GitHub writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLabeled:
    repo: RepoRef
    sender: Actor
    issue: IssueSnapshot
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueUnlabeled:
    repo: RepoRef
    sender: Actor
    issue: IssueSnapshot
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueEdited:
    repo: RepoRef
    sender: Actor
    issue: IssueSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueGone:
    """Closed, deleted or transferred; `how` says which."""

    repo: RepoRef
    sender: Actor
    issue: IssueSnapshot
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockerRemoved:
    """An issue does not wait any more for that one, which may be another repository's."""

    repo: RepoRef
    sender: Actor
    blocker: int
    blocker_repository: str  #: owner/name


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentCreated:
    """A comment on an issue or in the conversation of a pull request."""

    repo: RepoRef
    sender: Actor
    issue: IssueSnapshot
    comment_id: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSubmitted:
    repo: RepoRef
    sender: Actor
    pull: int
    review_id: int
    state: str  #: approved, changes_requested, commented
    body: str
    commit_sha: str
    node: str = ""  #: the review's name in GraphQL


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckButton:
    """A person pressed a button of one of our checks, or asked for a re-run (`rerequested`)."""

    repo: RepoRef
    sender: Actor
    check_run_id: int
    check_name: str
    external_id: str
    head_sha: str
    identifier: str
    head_ref: str = ""  #: of the suite; in a merge queue it names the pull request


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSuiteEnded:
    """Another App's checks on a commit have ended."""

    repo: RepoRef
    sender: Actor
    head_sha: str
    conclusion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """An Actions run has completed."""

    repo: RepoRef
    sender: Actor
    run_id: int
    workflow: str  #: path of the workflow file
    title: str  #: `display_title`, which echoes `run-name`
    conclusion: str
    head_sha: str
    html_url: str
    event: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A deployment has a new status."""

    repo: RepoRef
    sender: Actor
    deployment_id: int
    environment: str
    state: str
    environment_url: str
    run_id: int = 0  #: of the run whose job made it; 0 where the delivery does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionAsked:
    """An environment's custom protection rule asks us (deployment_protection_rule)."""

    repo: RepoRef
    sender: Actor
    environment: str
    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    repo: RepoRef
    sender: Actor
    ref: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PullChanged:
    """Opened, synchronize, closed, reopened, ready_for_review …; `action` says which."""

    repo: RepoRef
    sender: Actor
    pull: int
    action: str
    head_ref: str
    head_sha: str
    base_ref: str
    merged: bool = False
    merge_sha: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeGroupAsked:
    repo: RepoRef
    sender: Actor
    head_sha: str
    head_ref: str = ""  #: such as `refs/heads/gh-readonly-queue/main/pr-12-<sha>`


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationChanged:
    """Created, deleted, suspend, unsuspend, or its repositories changed."""

    sender: Actor
    installation_id: int
    action: str
    repos: tuple[RepoRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryChanged:
    """Renamed, archived, transferred, deleted."""

    repo: RepoRef
    sender: Actor
    action: str


Event = (
    IssueLabeled
    | IssueUnlabeled
    | IssueEdited
    | IssueGone
    | BlockerRemoved
    | CommentCreated
    | ReviewSubmitted
    | CheckButton
    | CheckSuiteEnded
    | RunEnded
    | Deployed
    | ProtectionAsked
    | Pushed
    | PullChanged
    | MergeGroupAsked
    | InstallationChanged
    | RepositoryChanged
)
