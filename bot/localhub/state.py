"""The rows of the hub: what GitHub would keep in its database.

Rows change in place, for they stand for a database; what leaves the hub is made from them by
``shapes``. Instants are seconds since the epoch (UTC).
"""

from dataclasses import dataclass, field
from pathlib import Path

from bot.localhub.state_apps import Account
from bot.localhub.state_issues import Issue, Label
from bot.localhub.state_runs import (
    CheckRun,
    CheckSuite,
    CommitStatus,
    Deployment,
    Environment,
    Run,
    Workflow,
)

#: Repository roles, weakest first. A custom role would sit between two of them.
ROLES = ("none", "read", "triage", "write", "maintain", "admin")


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
