"""Checks, statuses, environments, deployments and Actions runs, as rows of the hub."""

from dataclasses import dataclass, field
from typing import Any

from bot.localhub.state_apps import Account, App
from bot.localhub.types import Json


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
