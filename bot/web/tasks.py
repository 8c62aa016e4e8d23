"""The API over tasks: submit, look, cancel, retry, priority."""

import hashlib
import re
from collections.abc import Sequence

from starlette.responses import Response

from bot.domain import Status, Task
from bot.web.bodies import (
    DeadFilter,
    NewPriority,
    NewTask,
    Retry,
    Rules,
    TaskFilter,
    read_body,
    read_query,
)
from bot.web.call import Call, answer
from bot.web.parts import Submission
from bot.web.phases import TaskDetail, task_detail
from bot.web.problem import RETRY_AFTER_S, Problem, Wrong, json_response
from bot.web.queued import on_hold
from bot.web.shapes import Accepted, TaskPage, journal_out, task_out

_KEY = re.compile(r"[!-~]{1,255}")


async def submit(call: Call) -> Response:
    """Accept a wish: its labelled issue is opened, and the task goes the way of every other."""
    settings = call.parts.settings
    if call.parts.draining():
        raise Problem(503, "Shutting down.", headers={"retry-after": str(RETRY_AFTER_S)})
    rules = Rules(
        default_repository=settings.default_repository, allowed_hosts=settings.allowed_hosts
    )
    key = _idempotency_key(call)
    wish = await read_body(call.request, NewTask, rules)
    task = await call.parts.submit(
        Submission(
            feature=wish.feature,
            repository=wish.repository,
            target_url=wish.target_url,
            priority=wish.priority,
            issue=wish.issue or 0,
            by=call.who.name,
            by_repos=call.who.repos,
            idempotency_key=f"{call.who.token_id}:{key}" if key else "",
            request_hash=hashlib.sha256(wish.model_dump_json().encode()).hexdigest(),
        )
    )
    return answer(Accepted(task_id=task.id, status=task.status), 202)


async def show(call: Call) -> Response:
    """One task, with its place in the queue while it has one."""
    return answer(await _shown(call, await call.task()))


async def listing(call: Call) -> Response:
    """Tasks, newest first."""
    wanted = read_query(call.request, TaskFilter)
    return await _page(call, wanted, [wanted.status] if wanted.status is not None else [])


async def dead(call: Call) -> Response:
    """What broken machinery has stopped, newest first."""
    return await _page(call, read_query(call.request, DeadFilter), [Status.DEAD])


async def discard(call: Call) -> Response:
    """Give a dead task up for good; only a dead one (409)."""
    task = await call.task()
    return answer(await _shown(call, await call.parts.discard(task.id, call.who.name)))


async def cancel(call: Call) -> Response:
    """End a task that has not ended (409). A running step stops at its next safe point."""
    task = await call.task()
    if task.status.ended:
        raise Problem(409, f"The task has ended: {task.status}. Only a live one can be cancelled.")
    return answer(await _shown(call, await call.parts.cancel(task.id, call.who.name)))


async def retry(call: Call) -> Response:
    """Let a task go on that ended badly or waits (409 else); what was made is adopted."""
    wanted = await read_body(call.request, Retry)
    return await _gone_on(call, await call.task(), wanted)


async def requeue(call: Call) -> Response:
    """Let a dead task go on, from where it stopped or from a phase; only a dead one (409)."""
    wanted = await read_body(call.request, Retry)
    task = await call.task()
    if task.status is not Status.DEAD:
        raise Problem(409, f"The task is {task.status}. Only a dead one can be requeued.")
    return await _gone_on(call, task, wanted)


async def _gone_on(call: Call, task: Task, wanted: Retry) -> Response:
    changed = await call.parts.retry(task.id, call.who.name, wanted.phase)
    return answer(await _shown(call, changed))


async def reprioritise(call: Call) -> Response:
    """Another priority for a live task (409 for an ended one)."""
    wanted = await read_body(call.request, NewPriority)
    task = await call.task()
    if task.status.ended:
        raise Problem(409, f"The task has ended: {task.status}.")
    changed = await call.parts.reprioritise(task.id, call.who.name, wanted.priority)
    return answer(await _shown(call, changed))


async def journal(call: Call) -> Response:
    """Every recorded step of a task."""
    task = await call.task()
    return answer(journal_out(task.id, await call.parts.queue.journal(task.id)))


async def evidence(call: Call) -> Response:
    """The evidence bundle: what was asked, run, found and done, chained by hashes."""
    task = await call.task()
    headers = {"content-disposition": f'inline; filename="{task.id}.json"'}
    return json_response(dict(await call.parts.evidence(task)), headers=headers)


async def _page(call: Call, wanted: DeadFilter, status: Sequence[Status]) -> Response:
    page = await call.parts.queue.page(
        status=status,
        phase=wanted.phase,
        repo=wanted.repository or "",
        among=call.who.repos,
        limit=wanted.limit,
        cursor=wanted.cursor,
    )
    seen = [task_out(task) for task in page.tasks if call.who.may_see(task)]
    return answer(TaskPage(tasks=seen, next=page.cursor))


async def _shown(call: Call, task: Task) -> TaskDetail:
    queue, queued = call.parts.queue, task.status is Status.QUEUED
    position = await queue.position(task.id) if queued else None
    if queued:
        task = on_hold(task, await queue.lane(task.repo), call.parts.now())
    return task_detail(task, await queue.journal(task.id), position=position)


def _idempotency_key(call: Call) -> str:
    key = call.request.headers.get("idempotency-key", "")
    if key and _KEY.fullmatch(key) is None:
        text = "1 to 255 printable ASCII characters without spaces."
        raise Problem(
            400, "Bad Idempotency-Key.", wrong=[Wrong(where="Idempotency-Key", detail=text)]
        )
    return key
