"""The closed sets that configuration chooses from.

Where a set has an order, later members are the tighter ones; `layers` relies on that.
"""

from enum import StrEnum


class RepoRole(StrEnum):
    """GitHub's repository roles (`role_name`), the least first."""

    READ = "read"
    TRIAGE = "triage"
    WRITE = "write"
    MAINTAIN = "maintain"
    ADMIN = "admin"

    def covers(self, least: "RepoRole") -> bool:
        """Whether somebody with this role may do what `least` is required for."""
        order = tuple(RepoRole)
        return order.index(self) >= order.index(least)


class Verb(StrEnum):
    """What a person can say after `/chimera`."""

    HELP = "help"
    STATUS = "status"
    EXPLAIN = "explain"
    START = "start"
    RETRY = "retry"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    PRIORITY = "priority"
    BUDGET = "budget"
    REVIEW = "review"
    DEPLOY = "deploy"
    APPROVE = "approve"
    REJECT = "reject"
    ROLLBACK = "rollback"
    HOLD = "hold"
    UNHOLD = "unhold"
    CONFIG = "config"


class ApprovalMode(StrEnum):
    """What opens the gate to production; the last is the tightest."""

    AUTOMATIC = "automatic"  #: a validated change goes on by itself
    ON_MERGE = "on-merge"  #: a person merges the pull request
    REQUIRED = "required"  #: a person approves the very commit


class RollbackMode(StrEnum):
    MANUAL = "manual"  #: a person says `/chimera rollback`
    AUTOMATIC = "automatic"  #: a red production is put back at once


class DeployOrder(StrEnum):
    MERGE_FIRST = "merge-first"  #: merge, deploy the merge commit, validate
    DEPLOY_FIRST = "deploy-first"  #: deploy the head, validate, then merge


class MergeMethod(StrEnum):
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class DependencyRule(StrEnum):
    """What becomes of a change that adds a dependency; the last is the tightest."""

    REPORT = "report"  #: the reviewer is told
    REFUSE = "refuse"  #: the machine gate fails


class AgentUse(StrEnum):
    """The four ways to be an agent."""

    LLM = "llm"  #: the built-in agent on a model
    ACP = "acp"  #: a coding agent that speaks the Agent Client Protocol
    COMMAND = "command"  #: a program that edits a checkout
    REPLAY = "replay"  #: a recorded session


class CageKind(StrEnum):
    AUTO = "auto"  #: the best that works on this machine; where none does: refuse to run
    BWRAP = "bwrap"
    NONE = "none"  #: no sandbox at all; only by this name


class Profile(StrEnum):
    """How many workflows at once, by temper rather than by number."""

    CONSERVATIVE = "conservative"
    BALANCED = "balanced"
    AGGRESSIVE = "aggressive"
    ENTERPRISE = "enterprise"


PROFILES = {
    Profile.CONSERVATIVE: 3,
    Profile.BALANCED: 5,
    Profile.AGGRESSIVE: 10,
    Profile.ENTERPRISE: 20,
}
