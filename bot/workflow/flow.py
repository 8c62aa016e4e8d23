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


def bounds_of(config: RepoConfig) -> Bounds:
    """What a repository's configuration allows."""
    limits = config.limits
    return Bounds(rounds=limits.rounds, turns=limits.turns, attempts=limits.attempts)


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


def _back(at: Cursor, to: Phase, bounds: Bounds) -> Cursor:
    if to is Phase.CODE_IMPLEMENTATION:
        return _within(
            at.round, bounds.rounds, at, replace(at, phase=to, turn=1, round=at.round + 1)
        )
    moved = replace(at, phase=to, turn=1, attempt=at.attempt + 1)
    return _within(at.attempt, bounds.attempts, at, moved)


def _within(used: int, allowed: int, at: Cursor, moved: Cursor) -> Cursor:
    return moved if used < allowed else _failed(at)


def _failed(at: Cursor) -> Cursor:
    return replace(at, phase=Phase.FAILED)


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
