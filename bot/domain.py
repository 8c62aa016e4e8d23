"""The nouns of Chimera: what a task is, where it stands, and what can happen to it.

Read this file first and `bot/workflow/flow.py` next; everything else is detail. Nothing here
does I/O. `bot/facts.py`, `bot/events.py` and `bot/effects.py` have the nouns around it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from bot.facts import Facts, Spend

DEFAULT_PRIORITY = 5
MIN_PRIORITY = 1
MAX_PRIORITY = 10
MAX_FEATURE = 60_000  #: characters of a wish: an issue of GitHub, with our lines, has 65,536


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

    @property
    def ends_by_time(self) -> bool:
        """Its time ends it; of every other wait the time says when to look again."""
        return self in _BY_TIME

    @property
    def is_work(self) -> bool:
        """It counts as the task's own time; people, limits and what is down take none of that."""
        return self in _WORK


_WORK = frozenset({WaitFor.RETRY, WaitFor.QUIET, WaitFor.RUN, WaitFor.CI, WaitFor.MERGE_QUEUE})
_BY_TIME = frozenset(
    {WaitFor.RETRY, WaitFor.RATE_LIMIT, WaitFor.QUIET, WaitFor.BREAKER, WaitFor.BUDGET}
)
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
    since: float = 0.0  #: Unix seconds, UTC


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One wish on its way: the row, and the only job there is."""

    id: str
    feature: str  #: title, blank line, body, as snapshotted
    title: str
    repo: RepoRef | None = None  #: None: a local run without a hub
    issue: int = 0  #: its number; 0 on a local run, and until one is opened for the API
    text_sha256: str = ""  #: of `feature`, for the evidence
    requester: str = ""  #: login of whoever asked, or the name of a token
    target_url: str = ""  #: what the tests are run against, where nothing of ours is deployed
    priority: int = DEFAULT_PRIORITY  #: higher goes first
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
    run_at: float = 0.0  #: not before; this and the instants below are Unix seconds, UTC
    created_at: float = 0.0
    started_at: float | None = None  #: None until a worker has claimed it for the first time
    finished_at: float | None = None
    updated_at: float = 0.0

    @property
    def phase(self) -> Phase:
        return self.cursor.phase

    @property
    def waits_for(self) -> Wait | None:
        """What holds it up now: a wait that is over stays in `wait`, for the step to which it led.

        A hold is the one wait that is in the queue.
        """
        holds = self.wait is not None and self.wait.on is WaitFor.HOLD
        return self.wait if holds or self.status is Status.WAITING else None

    def is_parked_for(self, on: WaitFor) -> bool:
        """Whether it waits, and for just this."""
        return self.status is Status.WAITING and self.wait is not None and self.wait.on is on


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
