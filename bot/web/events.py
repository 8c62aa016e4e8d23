"""Server-sent events: every recorded step, resumable by the id of the last one seen.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from bot.domain import JournalLine
from bot.errors import ChimeraError
from bot.web.auth import Scope, admit
from bot.web.bodies import StreamFrom, read_query
from bot.web.call import Call
from bot.web.problem import RETRY_AFTER_S, Problem, Wrong, masked
from bot.web.shapes import line_out

KEEP_ALIVE_S = 15.0  #: a comment goes out at least this often, so that proxies keep the stream
PAGE = 100  #: steps read at once
RECHECK_S = 15.0  #: between two looks whether who opened a stream would still be let in
MAX_STREAMS = 200  #: open at one time; each holds a connection and no thread
_MAX_ID = 2**62


async def of_everything(call: Call) -> Response:
    """The steps of all tasks that the client may see; without an id, from now on."""
    after = _resume_from(call)
    if after is None:
        after = await call.parts.queue.journal_head()
    return _stream(call, after, None)


async def of_task(call: Call) -> Response:
    """The steps of one task; without an id, from its first."""
    task = await call.task()
    return _stream(call, _resume_from(call) or 0, task.id)


def refuse_too_many(call: Call) -> None:
    """Raises Problem where no more streams may be opened now."""
    if call.parts.queue.bells.changes.listeners >= MAX_STREAMS:
        text = "Too many open event streams."
        raise Problem(503, text, headers={"retry-after": str(RETRY_AFTER_S)})


async def rung(bell: asyncio.Event, within_s: float) -> bool:
    """Whether the bell rang in that time."""
    try:
        async with asyncio.timeout(within_s):
            await bell.wait()
    except TimeoutError:
        return False
    return True


class Welcome:
    """How long a stream goes on: while the server runs, and its listener may hear the same."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._look_at = call.parts.now() + RECHECK_S

    async def lasts(self) -> bool:
        """Asked before every round; the credentials are looked at now and then."""
        parts, call = self._call.parts, self._call
        if parts.draining() or parts.now() < self._look_at:
            return not parts.draining()
        self._look_at = parts.now() + RECHECK_S
        try:
            return await admit(call.request, parts, call.sessions, Scope.READ) == call.who
        except (Problem, ChimeraError):
            return False


def _stream(call: Call, after: int, task_id: str | None) -> Response:
    refuse_too_many(call)
    return StreamingResponse(
        _events(call, after, task_id),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _events(call: Call, after: int, task_id: str | None) -> AsyncIterator[str]:
    visible: dict[str, bool] = {}
    with call.parts.queue.bells.changes.listening():
        yield "retry: 2000\n\n"
        welcome = Welcome(call)
        while await welcome.lasts():
            bell = call.parts.queue.bells.changes.bell
            steps = await call.parts.queue.journal_after(after, task_id=task_id, limit=PAGE)
            for rowid, line in steps:
                after = rowid
                if await _may_see(call, line, visible):
                    yield _event(rowid, line)
            if not steps and not await rung(bell, KEEP_ALIVE_S):
                yield ": nothing new\n\n"


def _event(rowid: int, line: JournalLine) -> str:
    data = json.dumps(masked(line_out(line).model_dump(mode="json")), separators=(",", ":"))
    return f"id: {rowid}\nevent: step\ndata: {data}\n\n"


async def _may_see(call: Call, line: JournalLine, visible: dict[str, bool]) -> bool:
    if call.who.repos is None:
        return True
    if line.task_id not in visible:
        task = await call.parts.queue.get(line.task_id)
        visible[line.task_id] = call.who.may_see(task)
    return visible[line.task_id]


def _resume_from(call: Call) -> int | None:
    given = call.request.headers.get("last-event-id", "")
    if not given:
        return read_query(call.request, StreamFrom).after
    if not (given.isascii() and given.isdigit() and len(given) < 20 and int(given) <= _MAX_ID):
        wrong = Wrong(where="Last-Event-ID", detail="The id of an event that this server sent.")
        raise Problem(400, "Bad Last-Event-ID.", wrong=[wrong])
    return int(given)
