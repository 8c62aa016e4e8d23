"""What is done to GitHub on a task's behalf: each kind of effect, and how far one has come."""

from dataclasses import dataclass
from enum import StrEnum


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
    PULL = "pull"
    PULL_READY = "pull_ready"
    PULL_UPDATE = "pull_update"
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
