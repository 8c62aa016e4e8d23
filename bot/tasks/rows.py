"""Tasks, journal lines and effects as rows, and back. JSON stops here."""

import json
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, RepoRef, Status, Task, Wait
from bot.effects import Effect, EffectKind, EffectState
from bot.facts import Facts, Spend
from bot.tasks.store import Row

LOCAL_LANE = "local"  #: tasks without a repository share this one
AGING_S = 3600.0  #: one step of priority is worth an hour of waiting
TURN_S = 900.0  #: from one queued task of a repository to its next: what a task may well take

_FACTS = TypeAdapter(Facts)
_WAIT = TypeAdapter(Wait)
_SPEND = TypeAdapter(Spend)

#: Values are frozen, and nearly every row of a long queue says the same: nothing yet.
_NO_FACTS, _NO_SPEND = Facts(), Spend()
_NOTHING = "{}"


def lane_of(repo: RepoRef | None) -> str:
    """The lane whose tasks share one limit: the repository's number, or `local`."""
    return LOCAL_LANE if repo is None else str(repo.id)


def order_key(enqueued_at: float, priority: int, estimate_s: float) -> float:
    """Smaller goes first. A constant, so that one index serves turn, priority, waiting and length.

    A task that is expected to work ten minutes longer lets pass what came up to ten minutes later.
    """
    return enqueued_at - priority * AGING_S + estimate_s


def task_params(task: Task, now: float) -> dict[str, Any]:
    """The columns that say what a task is; lease, order and picture are the queue's own."""
    repo, wait, facts, at = task.repo, task.wait, task.facts, task.cursor
    return {
        "id": task.id,
        "lane": lane_of(repo),
        "repo_id": repo.id if repo else None,
        "repo_owner": repo.owner if repo else "",
        "repo_name": repo.name if repo else "",
        "installation_id": repo.installation_id if repo else 0,
        "default_branch": repo.default_branch if repo else "",
        "issue": task.issue,
        "feature": task.feature,
        "title": task.title,
        "text_sha256": task.text_sha256,
        "requester": task.requester,
        "target_url": task.target_url,
        "priority": task.priority,
        "status": task.status.value,
        "phase": at.phase.value,
        "round": at.round,
        "turn": at.turn,
        "attempt": at.attempt,
        "facts_json": _dump(_FACTS, facts),
        "branch": facts.branch,
        "pull": facts.pull,
        "head_sha": facts.head_sha,
        "wait_json": None if wait is None else _dump(_WAIT, wait),
        "wait_key": "" if wait is None else wait.key,
        "wait_until": None if wait is None else wait.until,
        "spend_json": _dump(_SPEND, task.spend),
        "budget_usd": task.budget_usd,
        "fence": task.fence,
        "tries": task.tries,
        "cause": None if task.cause is None else task.cause.value,
        "summary": task.summary,
        "cancel_by": task.cancel_by,
        "delivery": task.delivery,
        "traceparent": task.traceparent,
        "run_at": task.run_at,
        "ready": int(task.run_at <= now),
        "created_at": task.created_at,
        "started_at": task.started_at,
        "finished_at": task.finished_at,
        "updated_at": task.updated_at,
    }


def task_from(row: Row) -> Task:
    """The task that a row of `task` holds. Members that an older program lacked are defaults."""
    return Task(
        id=row["id"],
        feature=row["feature"],
        title=row["title"],
        repo=_repo_from(row),
        issue=row["issue"],
        text_sha256=row["text_sha256"],
        requester=row["requester"],
        target_url=row["target_url"],
        priority=row["priority"],
        status=Status(row["status"]),
        cursor=_cursor_from(row),
        facts=_facts_from(row["facts_json"]),
        wait=None if row["wait_json"] is None else _WAIT.validate_json(row["wait_json"]),
        spend=spend_from(row["spend_json"]),
        budget_usd=row["budget_usd"],
        fence=row["fence"],
        tries=row["tries"],
        cause=None if row["cause"] is None else Cause(row["cause"]),
        summary=row["summary"],
        cancel_by=row["cancel_by"],
        delivery=row["delivery"],
        traceparent=row["traceparent"],
        run_at=row["run_at"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        updated_at=row["updated_at"],
    )


def line_params(line: JournalLine) -> dict[str, Any]:
    """The columns of a journal line; its number is given by the store."""
    return {
        "task_id": line.task_id,
        "phase": line.phase.value,
        "round": line.cursor.round,
        "turn": line.cursor.turn,
        "attempt": line.cursor.attempt,
        "outcome": line.outcome.value,
        "summary": line.summary,
        "cause": None if line.cause is None else line.cause.value,
        "started_at": line.started_at,
        "seconds": line.seconds,
        "spend_json": _dump(_SPEND, line.spend),
        "by_whom": line.by,
        "evidence": line.evidence,
    }


def line_from(row: Row) -> JournalLine:
    return JournalLine(
        task_id=row["task_id"],
        n=row["n"],
        phase=Phase(row["phase"]),
        cursor=_cursor_from(row),
        outcome=Outcome(row["outcome"]),
        summary=row["summary"],
        cause=None if row["cause"] is None else Cause(row["cause"]),
        started_at=row["started_at"],
        seconds=row["seconds"],
        spend=spend_from(row["spend_json"]),
        by=row["by_whom"],
        evidence=row["evidence"],
    )


def effect_from(row: Row) -> Effect:
    return Effect(
        key=row["key"],
        task_id=row["task_id"],
        kind=EffectKind(row["kind"]),
        state=EffectState(row["state"]),
        intent_at=row["intent_at"],
        fence=row["fence"],
        request_hash=row["request_hash"],
        remote_id=row["remote_id"],
        remote_url=row["remote_url"],
        error=row["error"],
    )


def _repo_from(row: Row) -> RepoRef | None:
    if row["repo_id"] is None:
        return None
    return RepoRef(
        id=row["repo_id"],
        owner=row["repo_owner"],
        name=row["repo_name"],
        installation_id=row["installation_id"],
        default_branch=row["default_branch"],
    )


def _cursor_from(row: Row) -> Cursor:
    return Cursor(
        phase=Phase(row["phase"]), round=row["round"], turn=row["turn"], attempt=row["attempt"]
    )


def _facts_from(text: str) -> Facts:
    return _NO_FACTS if text == _NOTHING else _FACTS.validate_json(text)


def spend_from(text: str) -> Spend:
    """What a column of spending holds."""
    return _NO_SPEND if text == _NOTHING else _SPEND.validate_json(text)


def _dump(adapter: TypeAdapter[Any], value: Facts | Wait | Spend) -> str:
    if value in (_NO_FACTS, _NO_SPEND):
        return _NOTHING
    try:
        return adapter.dump_json(value, exclude_defaults=True).decode()
    except ValueError:
        # A lone surrogate, which the parser that reads this back would refuse too: a task must
        # never become unreadable because of what somebody wrote.
        text = json.dumps(asdict(value), ensure_ascii=False)
        return text.encode("utf-8", "replace").decode()


#: The names that `task_params` gives, in its order; last, because it is computed by it.
TASK_COLUMNS = tuple(task_params(Task(id="", feature="", title=""), 0.0))
