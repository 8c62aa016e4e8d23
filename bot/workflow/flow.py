"""ChimeraWorkflow: seven phases, and where a verdict leads.

```
E2E_TEST_GENERATION → CODE_IMPLEMENTATION → GUARDIAN_REVIEW → STAGING_DEPLOYMENT
                            ↑      ↑               │ back            ↑      │
                            │      └───────────────┘                 │      ↓
                            └──────────────── back ──────────── E2E_VALIDATION
                                                                     │
                         COMPLETE ← PRODUCTION_DEPLOYMENT ←──────────┘   (any) → FAILED
```
"""

from dataclasses import dataclass, replace

from bot.config.repo import RepoConfig
from bot.domain import Bounds, Cursor, Outcome, Phase, Status, Task, Verdict

ORDER = (
    Phase.E2E_TEST_GENERATION,
    Phase.CODE_IMPLEMENTATION,
    Phase.GUARDIAN_REVIEW,
    Phase.STAGING_DEPLOYMENT,
    Phase.E2E_VALIDATION,
    Phase.PRODUCTION_DEPLOYMENT,
    Phase.COMPLETE,
)
TERMINAL = frozenset({Phase.COMPLETE, Phase.FAILED})
DEFAULT_BOUNDS = Bounds()


def follow(at: Cursor, verdict: Verdict, bounds: Bounds = DEFAULT_BOUNDS) -> Cursor:
    """Where a verdict leads. A terminal cursor stays where it is."""
    if at.phase in TERMINAL:
        return at
    match verdict.outcome:
        case Outcome.PASS | Outcome.SKIP:
            return replace(at, phase=after(at.phase), turn=1)
        case Outcome.AGAIN:
            return replace(at, turn=at.turn + 1) if at.turn < bounds.turns else _failed(at)
        case Outcome.BACK:
            return _back(at, verdict.to or Phase.CODE_IMPLEMENTATION, bounds)
        case Outcome.FAIL:
            return _failed(at)
        case Outcome.WAIT:
            return at


def bounds_of(config: RepoConfig, attempts_given: int = 0) -> Bounds:
    """What a repository's configuration allows, with the attempts that people have given."""
    limits = config.limits
    attempts = limits.attempts + attempts_given
    return Bounds(rounds=limits.rounds, turns=limits.turns, attempts=attempts)


def after(phase: Phase) -> Phase:
    """The phase that follows when this one passed or was skipped."""
    return ORDER[ORDER.index(phase) + 1]


def status_at(cursor: Cursor, verdict: Verdict) -> Status:
    """What the queue does with a task that stands at `cursor` because of `verdict`."""
    if cursor.phase is Phase.COMPLETE:
        return Status.COMPLETED
    if cursor.phase is Phase.FAILED:
        return Status.FAILED
    return Status.WAITING if verdict.outcome is Outcome.WAIT else Status.RUNNING


def exhausted(at: Cursor, verdict: Verdict, bounds: Bounds = DEFAULT_BOUNDS) -> bool:
    """Whether the verdict asks for another go and none is left."""
    asks = verdict.outcome in (Outcome.AGAIN, Outcome.BACK)
    return asks and follow(at, verdict, bounds).phase is Phase.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowResult:
    """What a finished workflow leaves behind; a member is empty where its phase was skipped."""

    test_path: str
    code_pr_id: int  #: the pull request's number; 0 on a local run
    deployment_url: str  #: of ours, else the task's `target_url` once the tests passed there
    branch: str
    head_sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChimeraWorkflow:
    """One task on its way through the seven phases, as a program sees it."""

    task: Task

    @property
    def phase(self) -> Phase:
        return self.task.phase

    @property
    def status(self) -> Status:
        return self.task.status

    @property
    def result(self) -> WorkflowResult:
        facts = self.task.facts
        live = facts.production or facts.staging
        deployed = live.url if live is not None else ""
        validated = facts.validation is not None and facts.validation.green
        return WorkflowResult(
            test_path=facts.tests[0].path if facts.tests else "",
            code_pr_id=facts.pull,
            deployment_url=deployed or (self.task.target_url if validated else ""),
            branch=facts.branch,
            head_sha=facts.head_sha,
        )


def _back(at: Cursor, to: Phase, bounds: Bounds) -> Cursor:
    """Work that is written anew is another round; what is only done again, another attempt."""
    if to is Phase.CODE_IMPLEMENTATION:
        moved, is_left = replace(at, round=at.round + 1), at.round < bounds.rounds
    else:
        moved, is_left = replace(at, attempt=at.attempt + 1), at.attempt < bounds.attempts
    return replace(moved, phase=to, turn=1) if is_left else _failed(at)


def _failed(at: Cursor) -> Cursor:
    return replace(at, phase=Phase.FAILED)
