"""What clients get: the JSON shapes of a task, its journal and their lists."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from bot.domain import Cause, JournalLine, Task, Wait, WaitFor
from bot.facts import Spend
from bot.tasks.inbox import InboxRow
from bot.web.parts import repository_of
from bot.workflow.flow import ChimeraWorkflow


class Result(BaseModel):
    """What the workflow has made so far; a member is empty until its phase has made it."""

    test_path: str
    code_pr_id: int | None
    deployment_url: str


class WaitOut(BaseModel):
    """Why a task is parked and when it goes on by itself."""

    on: WaitFor
    reason: str
    until: str | None
    needs_person: bool


class Tokens(BaseModel):
    """What the models read and wrote."""

    input: int
    output: int


class Accepted(BaseModel):
    """The answer to a submission."""

    task_id: str
    status: str


class TaskOut(BaseModel):
    """A task as it stands. Instants are ISO 8601 in UTC; a cost that nobody knows is null."""

    task_id: str
    status: str
    phase: str
    result: Result
    title: str
    feature: str
    priority: int
    repository: str
    issue: int | None
    pull_request: int | None
    branch: str
    head_sha: str
    target_url: str
    round: int
    turn: int
    attempt: int
    wait: WaitOut | None
    cause: Cause | None
    summary: str
    requester: str
    cost_usd: float | None
    budget_usd: float | None
    tokens: Tokens
    position: int | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    updated_at: str


class TaskPage(BaseModel):
    """Tasks, newest first; `next` is the cursor of the following page, null at the end."""

    tasks: list[TaskOut]
    next: str | None


class LineOut(BaseModel):
    """One recorded step."""

    task_id: str
    n: int
    phase: str
    round: int
    turn: int
    attempt: int
    outcome: str
    summary: str
    cause: Cause | None
    started_at: str
    seconds: float
    cost_usd: float | None
    tokens: Tokens
    by: str
    evidence: Any


class Journal(BaseModel):
    """Every recorded step of a task, oldest first."""

    task_id: str
    lines: list[LineOut]


class DeliveryOut(BaseModel):
    """A stored delivery and what became of it."""

    delivery_id: str
    event: str
    action: str
    state: str
    received_at: str
    tries: int
    note: str
    error: str


class DeliveryPage(BaseModel):
    """Deliveries, newest first; `next` is the cursor of the following page, null at the end."""

    deliveries: list[DeliveryOut]
    next: str | None


class Replayed(BaseModel):
    """A delivery that will be read once more."""

    delivery_id: str


def task_out(task: Task, *, position: int | None = None) -> TaskOut:
    """The task as the API shows it; `position` is its place in the queue, 1 is next."""
    made = ChimeraWorkflow(task=task).result
    return TaskOut(
        task_id=task.id,
        status=task.status,
        phase=task.phase,
        result=Result(
            test_path=made.test_path,
            code_pr_id=made.code_pr_id or None,
            deployment_url=made.deployment_url,
        ),
        title=task.title,
        feature=task.feature,
        priority=task.priority,
        repository=repository_of(task.repo),
        issue=task.issue or None,
        pull_request=task.facts.pull or None,
        branch=task.facts.branch,
        head_sha=task.facts.head_sha,
        target_url=task.target_url,
        round=task.cursor.round,
        turn=task.cursor.turn,
        attempt=task.cursor.attempt,
        wait=_wait_out(task.waits_for),
        cause=task.cause,
        summary=task.summary,
        requester=task.requester,
        cost_usd=task.spend.cost_usd,
        budget_usd=task.budget_usd,
        tokens=_tokens(task.spend),
        position=position,
        created_at=iso(task.created_at),
        started_at=iso_or_none(task.started_at),
        finished_at=iso_or_none(task.finished_at),
        updated_at=iso(task.updated_at),
    )


def line_out(line: JournalLine) -> LineOut:
    """A step as the API and the event streams show it."""
    return LineOut(
        task_id=line.task_id,
        n=line.n,
        phase=line.phase,
        round=line.cursor.round,
        turn=line.cursor.turn,
        attempt=line.cursor.attempt,
        outcome=line.outcome,
        summary=line.summary,
        cause=line.cause,
        started_at=iso(line.started_at),
        seconds=round(line.seconds, 3),
        cost_usd=line.spend.cost_usd,
        tokens=_tokens(line.spend),
        by=line.by,
        evidence=evidence_of(line),
    )


def delivery_out(row: InboxRow) -> DeliveryOut:
    return DeliveryOut(
        delivery_id=row.delivery_id,
        event=row.event_name,
        action=row.action,
        state=row.state,
        received_at=iso(row.received_at),
        tries=row.tries,
        note=row.note,
        error=row.error,
    )


def journal_out(task_id: str, lines: Sequence[JournalLine]) -> Journal:
    return Journal(task_id=task_id, lines=[line_out(line) for line in lines])


def evidence_of(line: JournalLine) -> Any:
    """The evidence as JSON; as text where it is none; null where nothing was kept."""
    if not line.evidence:
        return None
    try:
        return json.loads(line.evidence)
    except ValueError:
        return line.evidence


def iso(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(seconds: float | None) -> str | None:
    return iso(seconds) if seconds is not None else None


def _wait_out(wait: Wait | None) -> WaitOut | None:
    if wait is None:
        return None
    return WaitOut(
        on=wait.on,
        reason=wait.reason,
        until=iso_or_none(wait.until),
        needs_person=wait.on.needs_person,
    )


def _tokens(spend: Spend) -> Tokens:
    return Tokens(input=spend.input_tokens, output=spend.output_tokens)
