"""The nouns of Chimera: what a task is, where it stands, and what can happen to it.

Read this file first and `bot/workflow/flow.py` next; everything else is detail. Nothing here
does I/O and nothing here imports another module of ours.
"""

from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT_PRIORITY = 5
MIN_PRIORITY = 1
MAX_PRIORITY = 10


class Phase(StrEnum):
    """The seven stations of a workflow; the last one is COMPLETE or FAILED."""

    E2E_TEST_GENERATION = "E2E_TEST_GENERATION"  #: end-to-end tests that fail on the base
    CODE_IMPLEMENTATION = "CODE_IMPLEMENTATION"  #: the change that makes them pass
    GUARDIAN_REVIEW = "GUARDIAN_REVIEW"  #: machine gates, then a read-only reviewer
    STAGING_DEPLOYMENT = "STAGING_DEPLOYMENT"  #: the exact SHA, deployed where it can be tried
    E2E_VALIDATION = "E2E_VALIDATION"  #: the frozen tests against what was deployed
    PRODUCTION_DEPLOYMENT = "PRODUCTION_DEPLOYMENT"  #: approval, merge, deploy, validate
    COMPLETE = "COMPLETE"  #: done, with evidence
    FAILED = "FAILED"  #: ended without reaching its goal; what was made is kept


class Status(StrEnum):
    """What the queue does with a task now."""

    QUEUED = "QUEUED"  #: waits for a free slot
    RUNNING = "RUNNING"  #: a worker holds its lease
    WAITING = "WAITING"  #: parked, with a reason; an event or a deadline wakes it
    COMPLETED = "COMPLETED"  #: ended well
    FAILED = "FAILED"  #: ended with a verdict that nothing could mend
    CANCELLED = "CANCELLED"  #: ended because a person said so
    DEAD = "DEAD"  #: broken machinery used up its tries; kept for a person

    @property
    def ended(self) -> bool:
        """Only a person's explicit command leaves such a status."""
        return self in ENDED


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.DEAD})


class Role(StrEnum):
    """The four agents."""

    E2E_TESTER = "e2e-tester"
    CODER = "coder"
    GUARDIAN = "guardian"
    DEPLOYMENT = "deployment"


class Cause(StrEnum):
    """Why something failed or is being tried again; metrics, API, comment and docs share it."""

    TRANSIENT = "transient"  #: a network or server error that usually passes
    RATE_LIMIT = "rate_limit"  #: GitHub or a model provider asked us to slow down
    TIMEOUT = "timeout"  #: a deadline of ours ran out
    AUTH = "auth"  #: a credential was refused
    PERMISSION = "permission"  #: the App, or a person, may not do this
    CONFLICT = "conflict"  #: the world moved: branch, base or object changed under us
    BAD_OUTPUT = "bad_output"  #: an agent's reply does not fit its schema or its limits
    POISON = "poison"  #: the same step ended the process or failed again and again
    CONFIG = "config"  #: settings or the repository's chimera.yml are wrong or missing
    NOT_RED = "not_red"  #: the new tests pass, or break, on the unchanged base
    NOT_GREEN = "not_green"  #: the coder used up its rounds without passing tests
    GATE = "gate"  #: a machine gate refused the change
    REVIEW = "review"  #: the guardian or a person asked for changes
    CI = "ci"  #: the repository's own checks are red
    DEPLOY = "deploy"  #: a deployment run failed or deployed something else
    VALIDATION = "validation"  #: the end-to-end tests are red on what was deployed
    BUDGET = "budget"  #: money, tokens, turns or minutes are used up
    PERSON = "person"  #: a person cancelled, rejected or closed it
    BUG = "bug"  #: an error of ours that nothing else explains


class WaitFor(StrEnum):
    """What a parked task waits for; shown in comment, API and dashboard."""

    RETRY = "retry"  #: the next try after a passing failure
    RATE_LIMIT = "rate_limit"  #: a limit of GitHub or of a provider to reset
    QUIET = "quiet"  #: an unanswered write to become visible, before it is looked up
    RUN = "run"  #: an Actions run to end
    CI = "ci"  #: the repository's own checks on the pull request
    MERGE_QUEUE = "merge_queue"  #: the merge queue to merge
    BREAKER = "breaker"  #: a dependency that is down to answer again
    BLOCKED = "blocked"  #: another issue to be finished first
    APPROVAL = "approval"  #: a person to approve production
    ENVIRONMENT = "environment"  #: the reviewers of an environment, who hold up a run of ours
    DECISION = "decision"  #: a person to say how to go on
    RELABEL = "relabel"  #: the text was edited before pickup; a new label confirms it
    BUDGET = "budget"  #: a person to raise the budget, or tomorrow
    CONFIGURATION = "configuration"  #: a person to mend the configuration
    ACCESS = "access"  #: a person to let the App in: suspended, archived, locked, not permitted
    PAUSED = "paused"  #: a person to resume
    HOLD = "hold"  #: the repository's hold to be lifted
    REVIEWERS = "reviewers"  #: open pull requests to be looked at first

    @property
    def needs_person(self) -> bool:
        """Nothing but a person ends this wait."""
        return self in _FOR_A_PERSON


_FOR_A_PERSON = frozenset(
    {
        WaitFor.APPROVAL,
        WaitFor.ENVIRONMENT,
        WaitFor.DECISION,
        WaitFor.RELABEL,
        WaitFor.BUDGET,
        WaitFor.CONFIGURATION,
        WaitFor.ACCESS,
        WaitFor.PAUSED,
        WaitFor.HOLD,
    }
)


class Outcome(StrEnum):
    """The kinds of verdict."""

    PASS = "pass"  #: the phase reached its goal
    SKIP = "skip"  #: the phase does not apply here; shown as skipped, never as passed
    AGAIN = "again"  #: the same phase once more, one turn further
    BACK = "back"  #: an earlier phase has to be done again
    FAIL = "fail"  #: nothing can mend this
    WAIT = "wait"  #: GitHub or a person is busy on our behalf


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why a task is parked, what wakes it early, and when it wakes by itself."""

    on: WaitFor
    reason: str  #: one line for people
    key: str = ""  #: an event with this key wakes the task; empty: only the deadline does
    until: float | None = None  #: Unix seconds, UTC; None only while a person is needed
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a phase says at the end of a step."""

    outcome: Outcome
    summary: str  #: one line for people, without names of files we keep
    cause: Cause | None = None  #: with BACK and FAIL
    to: Phase | None = None  #: with BACK
    wait: Wait | None = None  #: with WAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a task stands. Each turn of an agent is a step of its own."""

    phase: Phase = Phase.E2E_TEST_GENERATION
    round: int = 1  #: how many times the work has entered CODE_IMPLEMENTATION
    turn: int = 1  #: the agent's turn in this phase
    attempt: int = 1  #: of the deployments; a new one gets new dispatches


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How often a workflow may go back."""

    rounds: int = 3  #: times through CODE_IMPLEMENTATION
    turns: int = 5  #: of an agent in one phase
    attempts: int = 5  #: deployments of one change


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoRef:
    """A repository; the number is its identity, the names may change."""

    id: int
    owner: str
    name: str
    installation_id: int = 0
    default_branch: str = "main"

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it."""

    login: str
    id: int
    is_bot: bool = False


# ── what happened on GitHub ──────────────────────────────────────────────────────────────────


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
    app_slug: str = ""


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
    callback_url: str
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


# ── the task ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenFile:
    """A test file as it was accepted; path relative to the checkout, POSIX."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A test command that really ran: what it ran on, its exit code and what it counted."""

    command: str
    sha: str
    exit_code: int
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    log: str = ""  #: the end of its output, secrets blanked
    at: float = 0.0

    @property
    def green(self) -> bool:
        return self.exit_code == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's word for production, bound to the SHA that was shown."""

    by: str
    sha: str
    at: float
    via: str = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment run as we know it."""

    name: str  #: environment/round.attempt: unique within the task
    environment: str
    sha: str
    run_id: int = 0
    run_url: str = ""
    url: str = ""
    state: str = "dispatched"  #: dispatched, success, failure
    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What the agents used. A price that nobody knows is None, never 0."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None

    def __add__(self, other: "Spend") -> "Spend":
        known = [c for c in (self.cost_usd, other.cost_usd) if c is not None]
        return Spend(
            requests=self.requests + other.requests,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=sum(known) if known else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark of a reviewer on a line of the change."""

    path: str
    line: int
    severity: str  #: blocker, warning or nit
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A person's remark on a line of the pull request, to be answered in its thread."""

    id: int  #: of the first comment of the thread
    path: str
    line: int
    body: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything the phases have learned. Stored as one JSON value, so members only grow."""

    base_ref: str = ""
    base_sha: str = ""
    branch: str = ""
    config_yaml: str = ""  #: the repository's own configuration as read at the base SHA
    config_sha: str = ""  #: the commit whose configuration counts to the end; the base's first
    tests: tuple[FrozenFile, ...] = ()
    red: Proof | None = None
    base_checks: Proof | None = None  #: the repository's own tests on the unchanged base
    green: tuple[Proof, ...] = ()
    wip_sha: str = ""  #: local commit of a turn that is not green yet
    last_failure: str = ""  #: hashes of the last turn's failure and work: is the loop stuck?
    test_sha: str = ""  #: the commit that added the tests
    head_sha: str = ""  #: the commit to be reviewed, staged and validated
    head_tree: str = ""
    pull: int = 0
    pull_node: str = ""  #: the pull request's name in GraphQL
    feedback: tuple[str, ...] = ()  #: what the coder has to answer in this round
    threads: tuple[Thread, ...] = ()  #: people's, not answered yet
    findings: tuple[Finding, ...] = ()
    review_summary: str = ""
    tests_compared: str = ""  #: how closely the changed tests were compared, in words
    weaker_tests_by: str = ""  #: who allowed tests to be weakened, and how
    reviewed_sha: str = ""  #: the head that the guardian let pass
    staging: Deployment | None = None
    validated_sha: str = ""
    validated_tree: str = ""
    validation: Proof | None = None
    approval: Approval | None = None
    rollback_sha: str = ""  #: what answered before; "none" where nothing did
    merge_sha: str = ""
    production: Deployment | None = None
    production_validation: Proof | None = None
    production_trouble: str = ""  #: why production was put back
    rollback: Deployment | None = None
    rollback_by: str = ""  #: the person who asked for it
    waited_s: float = 0.0  #: for people, which does not count as work
    plan: str = ""  #: the deployment agent's plan for the present environment
    skipped: tuple[str, ...] = ()  #: "PHASE: reason" of every phase that did not apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One wish on its way: the row, and the only job there is."""

    id: str
    feature: str  #: title, blank line, body, as snapshotted
    title: str
    repo: RepoRef | None = None  #: None: a local run without a hub
    issue: int = 0
    text_sha256: str = ""
    requester: str = ""
    target_url: str = ""
    priority: int = DEFAULT_PRIORITY
    status: Status = Status.QUEUED
    cursor: Cursor = field(default_factory=Cursor)
    facts: Facts = field(default_factory=Facts)
    wait: Wait | None = None
    spend: Spend = field(default_factory=Spend)
    budget_usd: float | None = None  #: None: the configured limit
    fence: int = 0  #: grows with every claim; a write names the one it holds
    tries: int = 0  #: failed tries of the present step
    cause: Cause | None = None
    summary: str = ""  #: the last verdict's line
    cancel_by: str = ""  #: who asked for cancellation; the next record ends the task
    delivery: str = ""  #: the GUID of the delivery that made it, or moved it last
    traceparent: str = ""  #: the trace in which that was read (W3C); empty: nobody traces
    run_at: float = 0.0
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None
    updated_at: float = 0.0

    @property
    def phase(self) -> Phase:
        return self.cursor.phase


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLine:
    """One step that was recorded."""

    task_id: str
    n: int  #: 1, 2, 3 … within the task
    phase: Phase
    cursor: Cursor
    outcome: Outcome
    summary: str
    cause: Cause | None = None
    started_at: float
    seconds: float
    spend: Spend = field(default_factory=Spend)
    by: str = ""  #: the person, where a person did it
    evidence: str = ""  #: JSON text kept for the bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one step of a phase hands to the executor."""

    verdict: Verdict
    facts: Facts
    spend: Spend = field(default_factory=Spend)
    evidence: str = ""


# ── what we do to GitHub ─────────────────────────────────────────────────────────────────────


class EffectKind(StrEnum):
    """Every kind of outward effect; each has a row in docs/reliability.md."""

    TASK_ISSUE = "task_issue"  #: the issue that an API submission opens
    STATUS_COMMENT = "status_comment"
    COMMENT_EDIT = "comment_edit"
    PIN = "pin"
    LABEL_ADD = "label_add"
    LABEL_REMOVE = "label_remove"
    LABEL_CREATE = "label_create"
    REACTION_ADD = "reaction_add"
    REACTION_REMOVE = "reaction_remove"
    PUSH = "push"  #: branch and commits
    BRANCH_DELETE = "branch_delete"
    PULL = "pull"
    PULL_READY = "pull_ready"
    PULL_UPDATE = "pull_update"
    PULL_CLOSE = "pull_close"
    CHECK = "check"
    CHECK_UPDATE = "check_update"
    REVIEW = "review"
    THREAD_REPLY = "thread_reply"
    DISPATCH = "dispatch"
    RUN_CANCEL = "run_cancel"
    MERGE = "merge"
    ENQUEUE = "enqueue"
    PROTECTION_ANSWER = "protection_answer"
    ISSUE_CLOSE = "issue_close"
    REVERT_PULL = "revert_pull"


class EffectState(StrEnum):
    INTENDED = "intended"  #: written down, not yet tried
    SENT = "sent"  #: the call went out, or the process ended around it
    CONFIRMED = "confirmed"  #: GitHub has it, and we know its id
    UNCERTAIN = "uncertain"  #: no readable answer; looked up after the quiet window
    FAILED = "failed"  #: GitHub refused it for good


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A row of the ledger."""

    key: str
    task_id: str
    kind: EffectKind
    state: EffectState
    intent_at: float
    fence: int
    request_hash: str
    remote_id: str = ""
    remote_url: str = ""
    error: str = ""
