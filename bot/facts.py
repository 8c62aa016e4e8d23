"""What the phases have learned about a change: proofs, approvals, deployments, cost."""

from dataclasses import dataclass


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
    counted: bool = False  #: whether its runner came to the line in which it says all this
    log: str = ""  #: the end of its output, secrets blanked
    at: float = 0.0

    @property
    def green(self) -> bool:
        """Passed by exit code; but a run in which every test was skipped shows nothing."""
        return self.exit_code == 0 and (self.passed > 0 or not self.skipped)


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

    requester_id: int = 0  #: of the person on GitHub who asked; 0: it was asked by no such person
    base_ref: str = ""
    base_sha: str = ""
    branch: str = ""
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
    attempts_given: int = 0  #: by people, who push or retry; they use up none of those allowed
    worked_s: float = 0.0  #: in steps, and in waits for runs and checks; never in the queue
    plan: str = ""  #: the deployment agent's plan for the present environment
    skipped: tuple[str, ...] = ()  #: "PHASE: reason" of every phase that did not apply
