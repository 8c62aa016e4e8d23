"""The dashboard: overview, a task, statistics. Server-rendered; works without any script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import RedirectResponse, Response

from bot.domain import JournalLine, Outcome, Phase, Status, Task
from bot.web.auth import Principal, Scope
from bot.web.bodies import read_form
from bot.web.call import Call
from bot.web.gantt import chart
from bot.web.problem import Problem
from bot.web.render import OUTCOME_ICONS, page
from bot.web.session import COOKIE, Sessions
from bot.web.statistics import statistics

REFRESH_S = 15  #: how often a page that shows something moving reloads itself
SHOWN = 60  #: cards of one kind
RECENT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """A phase as the task's table shows it."""

    phase: Phase
    icon: str
    words: str
    steps: int
    seconds: float


async def overview(call: Call) -> Response:
    """What a person wants to know first, first."""
    waiting = await _tasks(call, Status.WAITING)
    queued = await _tasks(call, Status.QUEUED)
    places = {task.id: await call.parts.queue.position(task.id) for task in queued}
    return page(
        "overview.html",
        **_frame(call),
        needs_person=[t for t in waiting if t.wait is not None and t.wait.on.needs_person],
        running=await _tasks(call, Status.RUNNING),
        failed=await _tasks(call, Status.FAILED, Status.DEAD, limit=RECENT),
        queued=sorted(queued, key=lambda task: places[task.id] or 0),
        positions={task_id: place for task_id, place in places.items() if place},
        waiting=[t for t in waiting if t.wait is None or not t.wait.on.needs_person],
        recent=await _tasks(call, Status.COMPLETED, Status.CANCELLED, limit=RECENT),
    )


async def task_page(call: Call) -> Response:
    """Everything about one task."""
    task = await call.task()
    lines = await call.parts.queue.journal(task.id)
    queued = task.status is Status.QUEUED
    return page(
        "task.html",
        **_frame(call, live=not task.status.ended),
        task=task,
        lines=lines,
        phases=phase_rows(task, lines),
        chart=chart(lines),
        position=await call.parts.queue.position(task.id) if queued else None,
        hub=call.parts.settings.hub_html_url.rstrip("/"),
        may_act=call.who.may(Scope.WRITE),
    )


async def statistics_page(call: Call) -> Response:
    """The numbers of `/api/metrics`, for people. Not for a token of some repositories only."""
    if call.who.repos:
        raise Problem(403, "Statistics are for tokens of all repositories.")
    numbers = await statistics(call.parts)
    return page("statistics.html", **_frame(call), numbers=numbers)


async def act(call: Call) -> Response:
    """A button of a task's page: the form carries a token that only our pages know."""
    await _require_own_form(call)
    task = await call.task()
    match call.request.path_params["verb"]:
        case "cancel":
            await call.parts.cancel(task.id, call.who.name)
        case "retry":
            await call.parts.retry(task.id, call.who.name, None)
        case verb:
            raise Problem(404, f"There is no button {verb[:20]!r}.")
    return RedirectResponse(f"/tasks/{task.id}", 303)


async def sign_out(call: Call) -> Response:
    """Forget the session on this browser."""
    await _require_own_form(call)
    gone = RedirectResponse("/sign-in", 303)
    gone.delete_cookie(COOKIE)
    return gone


def phase_rows(task: Task, lines: Sequence[JournalLine]) -> list[PhaseRow]:
    """The seven phases: what the last step of each said, and what all of its steps took."""
    shown = [phase for phase in Phase if phase not in (Phase.COMPLETE, Phase.FAILED)]
    return [_phase_row(task, phase, [x for x in lines if x.phase is phase]) for phase in shown]


def _phase_row(task: Task, phase: Phase, lines: Sequence[JournalLine]) -> PhaseRow:
    here = task.phase is phase and not task.status.ended
    icon, words = ("○", "not yet")
    if lines:
        icon, words = OUTCOME_ICONS[lines[-1].outcome], _said(lines[-1])
    if here:
        icon, words = ("◷", "waiting") if task.status is Status.WAITING else ("●", "now")
    return PhaseRow(
        phase=phase,
        icon=icon,
        words=words,
        steps=len(lines),
        seconds=sum(line.seconds for line in lines),
    )


def _said(line: JournalLine) -> str:
    word = "skipped" if line.outcome is Outcome.SKIP else line.outcome.value
    return f"{word}: {line.summary}"


async def _tasks(call: Call, *status: Status, limit: int = SHOWN) -> list[Task]:
    found = await call.parts.queue.page(status=status, limit=limit)
    return [task for task in found.tasks if call.who.may_see(task)]


async def _require_own_form(call: Call) -> None:
    form = await read_form(call.request)
    if not call.sessions.owns_form(form.get("form_token", ""), call.who.token_id):
        raise Problem(403, "The form is too old. Go back, reload the page and try again.")


def _frame(call: Call, *, live: bool = True) -> dict[str, Any]:
    paused = call.request.query_params.get("live") == "0"
    return frame(
        call.who,
        call.sessions,
        refresh_s=REFRESH_S if live and not paused else 0,
    )


def frame(who: Principal | None, sessions: Sessions, *, refresh_s: int = 0) -> dict[str, Any]:
    """What `base.html` needs on every page."""
    token = sessions.form_token(who.token_id) if who is not None else ""
    return {"who": who, "form_token": token, "refresh_s": refresh_s}
