"""What each role answers; models and programs fill these in, so everything has a limit."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_FINDINGS = 10  #: more are noise, and GitHub's review has to stay readable

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000)]
RepoPath = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Answer(BaseModel):
    """What all replies have in common: unknown members are an error that a model can mend."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WrittenTests(Answer):
    """The end-to-end tester's: tests that fail now and pass when the feature is there."""

    summary: Text = Field(description="What the tests check, in a few sentences.")
    files: list[RepoPath] = Field(
        default_factory=list, max_length=200, description="The test files you wrote."
    )


class ThreadAnswer(Answer):
    """A word to a reviewer."""

    thread: int = Field(description="The number of the review comment you were given.")
    body: Text


class WrittenCode(Answer):
    """The coder's."""

    summary: Text = Field(description="What you changed and why, in a few sentences.")
    answers: list[ThreadAnswer] = Field(
        default_factory=list, max_length=100, description="One for each review comment you got."
    )


class Decision(StrEnum):
    """What a review says."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"


class Severity(StrEnum):
    """How much a remark weighs."""

    BLOCKER = "blocker"  #: must not be merged like this
    WARNING = "warning"  #: should be changed
    NIT = "nit"  #: taste


class Side(StrEnum):
    """Of the diff, in GitHub's words."""

    LEFT = "LEFT"  #: the line as it was
    RIGHT = "RIGHT"  #: the line as it is


class Comment(Answer):
    """A remark on one line of the change."""

    path: RepoPath
    line: int = Field(ge=1, description="A line that the diff shows.")
    side: Side = Side.RIGHT
    severity: Severity
    body: Text = Field(description="What is wrong, how it shows, what would mend it.")


class Review(Answer):
    """The guardian's."""

    decision: Decision
    summary: Text
    comments: list[Comment] = Field(default_factory=list, max_length=100)


class Risk(StrEnum):
    """What a deployment may break."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class DeployPlan(Answer):
    """The deployment agent's: it plans, and somebody else acts."""

    what: Line = Field(description="The change and its commit.")
    where: Line = Field(description="The environment.")
    proceed: bool = Field(description="Whether to deploy now.")
    risk: Risk
    rollback: Line = Field(description="How to get back, and to which commit.")
    summary: Text


DiffLines = Mapping[tuple[str, Side], frozenset[int]]  #: the lines that a diff shows


def checked_review(review: Review, shown: DiffLines) -> Review:
    """`review` as it may be published: nothing off the diff, not too much, severity decides.

    A blocker means changes, whatever the decision says; so does a decision without a blocker
    that asks for them, unless none of its remarks is on the diff: then it has nothing to ask for.
    The gravest remarks come first and are the last to be cut.
    """
    order = list(Severity)
    kept = [c for c in review.comments if c.line in shown.get((c.path, c.side), frozenset())]
    kept.sort(key=lambda comment: order.index(comment.severity))
    blocked = any(comment.severity is Severity.BLOCKER for comment in kept)
    unfounded = bool(review.comments) and not kept
    decision = Decision.REQUEST_CHANGES if blocked else review.decision
    decision = Decision.APPROVE if unfounded else decision
    return review.model_copy(update={"decision": decision, "comments": kept[:MAX_FINDINGS]})
