"""What the agents of a task were heard to say and do: as JSON, and as pages.

Transcripts were masked before they were stored. They are numbered in the order of the runs.
"""

from dataclasses import dataclass

from pydantic import BaseModel
from starlette.responses import Response

from bot.agents.agent import EventKind, Usage
from bot.errors import NotFound
from bot.web.call import Call, answer
from bot.web.frame import frame
from bot.web.render import page
from bot.web.shapes import Tokens
from bot.workflow.transcripts import KEPT_DAYS, Line, Transcript, unpacked

#: Signs that every font has.
ICONS = {
    EventKind.STARTED: "○",
    EventKind.MESSAGE: "“",
    EventKind.TOOL_CALL: "→",
    EventKind.TOOL_RESULT: "←",
    EventKind.PERMISSION: "?",
    EventKind.USAGE: "Σ",
    EventKind.WARNING: "!",
    EventKind.FINISHED: "●",
}


class RunOut(BaseModel):
    """One run of an agent. A cost that nobody knows is null."""

    n: int
    phase: str
    which: str  #: the round, and the turn where it is not the first
    role: str
    agent: str
    outcome: str
    error: str
    seconds: float
    requests: int
    tokens: Tokens
    cost_usd: float | None
    counted_by: str
    tool_calls: int


class LineOut(BaseModel):
    """One thing that was heard; `exit_code` is a command's."""

    seconds: float
    kind: str
    tool: str
    text: str
    exit_code: int | None
    tokens: Tokens | None
    cost_usd: float | None


class TranscriptOut(RunOut):
    """A run with its lines; of a long one the beginning and the end."""

    lines: list[LineOut]
    left_out: int


class Runs(BaseModel):
    """The runs of a task, the first one first."""

    task_id: str
    runs: list[RunOut]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A run with its number in the task."""

    n: int
    run: Transcript


async def runs_of(call: Call, task_id: str) -> list[Numbered]:
    """Every run that is kept."""
    stored = await call.parts.lasting.transcripts(task_id)
    return [Numbered(n=n, run=unpacked(text)) for n, text in enumerate(stored.values(), 1)]


async def listing(call: Call) -> Response:
    """The agents' runs of a task: who, how it ended, what it cost."""
    task = await call.task()
    runs = [_run_out(one) for one in await runs_of(call, task.id)]
    return answer(Runs(task_id=task.id, runs=runs))


async def show(call: Call) -> Response:
    """One run with what was said and done in it, secrets blanked."""
    one = await _asked(call)
    lines = [_line_out(line) for line in one.run.lines]
    out = _run_out(one).model_dump()
    return answer(TranscriptOut(**out, lines=lines, left_out=one.run.left_out))


async def run_page(call: Call) -> Response:
    """One run of an agent, for people."""
    task, one = await call.task(), await _asked(call)
    return page(
        "run.html",
        **frame(call, moves=False),
        task=task,
        run=one.run,
        days=KEPT_DAYS,
        run_icon=ICONS,
    )


async def _asked(call: Call) -> Numbered:
    """Raises NotFound."""
    task, n = await call.task(), str(call.request.path_params["n"])
    found = next((one for one in await runs_of(call, task.id) if str(one.n) == n), None)
    if found is None:
        raise NotFound(f"There is no run {n[:20]!r} of this task; they are kept {KEPT_DAYS} days.")
    return found


def _run_out(one: Numbered) -> RunOut:
    run = one.run
    return RunOut(
        n=one.n,
        phase=run.phase,
        which=run.which,
        role=run.role,
        agent=run.agent,
        outcome=run.outcome,
        error=run.error,
        seconds=run.duration_ms / 1000,
        requests=run.usage.requests,
        tokens=_tokens(run.usage),
        cost_usd=run.usage.cost_usd,
        counted_by=run.usage.source,
        tool_calls=run.tool_calls,
    )


def _line_out(line: Line) -> LineOut:
    used = line.used
    return LineOut(
        seconds=line.at_ms / 1000,
        kind=line.kind,
        tool=line.tool,
        text=line.text,
        exit_code=line.exit_code,
        tokens=_tokens(used) if used is not None else None,
        cost_usd=used.cost_usd if used is not None else None,
    )


def _tokens(usage: Usage) -> Tokens:
    return Tokens(input=usage.input_tokens, output=usage.output_tokens)
