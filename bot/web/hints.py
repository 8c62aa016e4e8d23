"""`/events`: tells open pages that a task which they may show has changed, and nothing about it.

The page fetches itself anew, by the way that checks who may see what.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator, Collection

from starlette.responses import Response, StreamingResponse

from bot.errors import NotFound
from bot.web.call import MAX_ID, Call
from bot.web.events import KEEP_ALIVE_S, Welcome, refuse_too_many, rung

SPACING_S = 1.0  #: between two hints; what changes meanwhile shares the next one
NAMED = 20  #: tasks that one hint names; more are "several"
_MAX_DIGITS = 20


async def stream(call: Call) -> Response:
    """Hints that a task (`?task=`), or any, has changed; `?since=` is what the page has seen."""
    refuse_too_many(call)
    wanted = call.request.query_params.get("task", "")[:MAX_ID]
    given = call.request.headers.get("last-event-id") or call.request.query_params.get("since", "")
    seen = int(given) if given.isascii() and given.isdigit() and len(given) < _MAX_DIGITS else -1
    return StreamingResponse(
        _hints(call, wanted, seen),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


def address(call: Call, task_id: str = "") -> str:
    """Where a page that is made now hears of what comes after it."""
    task = f"&task={task_id}" if task_id else ""
    return f"/events?since={call.parts.queue.bells.changes.last}{task}"


async def _hints(call: Call, wanted: str, seen: int) -> AsyncIterator[str]:
    changes = call.parts.queue.bells.changes
    with changes.listening():
        yield "retry: 2000\n\n"
        welcome = Welcome(call)
        while await welcome.lasts():
            bell, changed, seen = changes.bell, changes.since(seen), changes.last
            if changed is None or (changed := await _shown(call, changed, wanted)):
                yield _hint(seen, changed)
                await asyncio.sleep(SPACING_S)
            elif not await rung(bell, KEEP_ALIVE_S):
                yield ": nothing new\n\n"


def _hint(number: int, changed: Collection[str] | None) -> str:
    several = changed is None or len(changed) > NAMED
    names = "several" if changed is None or several else " ".join(sorted(changed))
    return f"id: {number}\nevent: changed\ndata: {names}\n\n"


async def _shown(call: Call, changed: set[str], wanted: str) -> set[str]:
    """Those of the tasks that this page shows and this person may see."""
    if wanted:
        changed = changed & {wanted}
    if call.who.repos is None:
        return changed
    return {task_id for task_id in changed if await _may_see(call, task_id)}


async def _may_see(call: Call, task_id: str) -> bool:
    try:
        return call.who.may_see(await call.parts.queue.get(task_id))
    except NotFound:  # tidied away meanwhile
        return False
