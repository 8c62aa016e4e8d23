"""Transcripts: what an agent was heard to say and do in one run, as it is stored and read again.

Everything in one is masked before it is stored. Of a long run the beginning and the end are kept.
`session` is the run as `replay` plays it; one that is too long to keep cannot be played again.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import BaseModel, TypeAdapter

from bot.agents.agent import AgentEvent, EventKind, Outcome, Reply, Usage
from bot.agents.replay import Recording
from bot.agents.replay_part import Part
from bot.domain import Phase, Role
from bot.errors import InputError
from bot.log import masked
from bot.workflow.gates import Change
from bot.workflow.workspace import Taken

MAX_EVENTS = 200_000  #: characters of one run's events, as JSON
MAX_SESSION = 1_000_000  #: characters of what a replay needs, as JSON
KEPT_DAYS = 30  #: after this they are forgotten
_CLAIM = "@"  #: a run and the claim under which it ran, in the stored name


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRun:
    """One run that has ended, however it did."""

    run_id: str
    role: Role
    agent: str  #: its name, for people
    events: Sequence[AgentEvent]
    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event, as it was kept."""

    at_ms: int
    kind: EventKind
    tool: str = ""
    text: str = ""
    exit_code: int | None = None
    used: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One run, as it was kept."""

    run_id: str  #: "<task>/<phase>/<which>"
    role: Role
    agent: str
    outcome: Outcome
    error: str
    duration_ms: int
    usage: Usage
    lines: tuple[Line, ...]
    left_out: int = 0  #: events between the beginning and the end
    session: list[list[dict[str, object]]] | None = None  #: None: not told, or too long

    @property
    def phase(self) -> Phase:
        return Phase(self.run_id.split("/")[1])

    @property
    def which(self) -> str:
        """The run within its phase: the round, and the turn where it is not the first."""
        return self.run_id.rpartition("/")[2]

    @property
    def tool_calls(self) -> int:
        return sum(line.kind is EventKind.TOOL_CALL for line in self.lines)


_TRANSCRIPT = TypeAdapter(Transcript)


def stored_name(run_id: str, fence: int) -> str:
    """A step that is done again under another claim has asked, and paid, a second time."""
    return f"{run_id}{_CLAIM}{fence}"


def session_of(taken: Taken, output: BaseModel) -> str:
    """A run without a session of its own (a program's) as one: its files, and its reply.

    Empty where a replay could not write them: what is no text, and what no commit may have.
    """
    try:
        calls = [call for change in taken.files for call in _calls(change)]
    except UnicodeDecodeError:
        return ""
    reply = {"reply": output.model_dump(mode="json")}
    return "" if taken.odd else json.dumps([*([calls] if calls else []), [reply]])


def _calls(change: Change) -> Iterator[dict[str, object]]:
    """The tools that make this change."""
    name = shlex.quote(change.path)
    if change.new is None:
        yield _call("run_command", command=f"rm -- {name}")
        return
    yield _call("write_file", path=change.path, content=change.new.decode())
    bits = "a+x" if change.mode & 0o111 else "a-x"
    yield _call("run_command", command=f"chmod {bits} -- {name}")


def _call(tool: str, **arguments: str) -> dict[str, object]:
    return {"call": tool, "with": arguments}


def packed(run: AgentRun) -> str:
    """The run as it is stored: bounded, and without secrets."""
    reply = run.reply
    lines, left_out = _bounded([_line(event) for event in run.events])
    kept = Transcript(
        run_id=run.run_id,
        role=run.role,
        agent=run.agent,
        outcome=reply.outcome,
        error=reply.error,
        duration_ms=reply.duration_ms,
        usage=reply.usage,
        lines=tuple(lines),
        left_out=left_out,
        session=_session(reply),
    )
    return json.dumps(masked(asdict(kept)), ensure_ascii=False)


def unpacked(stored: str) -> Transcript:
    """The run that was stored."""
    return _TRANSCRIPT.validate_json(stored)


def recording_of(runs: Sequence[Transcript], about: str) -> Recording:
    """The newest go at every run, as `replay` plays it. Raises InputError where one is missing."""
    newest = {f"{run.role}#{run.which}": run for run in runs if run.outcome is Outcome.COMPLETED}
    if not newest:
        raise InputError(f"no agent's run of {about} is kept; transcripts are for {KEPT_DAYS} days")
    lost = sorted(key for key, run in newest.items() if run.session is None)
    if lost:
        raise InputError(
            f"{', '.join(lost)}: nothing to play; what is no text, or longer than {MAX_SESSION} "
            "characters, is not kept"
        )
    return Recording(about=about, runs={key: _turns(run) for key, run in newest.items()})


def _turns(run: Transcript) -> list[list[Part]]:
    return [[Part.model_validate(part) for part in turn] for turn in run.session or []]


def _session(reply: Reply) -> list[list[dict[str, object]]] | None:
    if not reply.session or len(reply.session) > MAX_SESSION:
        return None
    turns: list[list[dict[str, object]]] = json.loads(reply.session)
    return turns


def _line(event: AgentEvent) -> Line:
    code = event.data.get("exit_code")
    return Line(
        at_ms=event.at_ms,
        kind=event.kind,
        tool=event.tool,
        text=event.text or _exchange(event.data),
        exit_code=code if isinstance(code, int) else None,
        used=event.used,
    )


def _exchange(data: Mapping[str, object]) -> str:
    """What passed through the gateway: the request and what came of it."""
    if "request" not in data:
        return ""
    return f"{data['path']} {data['status']}\n{data['request']}\n{data['answer']}"


def _bounded(lines: Sequence[Line]) -> tuple[list[Line], int]:
    """The first and the last ones that fit, half each, and how many lie between them."""
    head = _fitting(lines)
    tail = _fitting(lines[len(head) :][::-1])[::-1]
    return [*head, *tail], len(lines) - len(head) - len(tail)


def _fitting(lines: Sequence[Line]) -> list[Line]:
    room, kept = MAX_EVENTS // 2, list[Line]()
    for line in lines:
        room -= len(line.text) + 100
        if room < 0:
            break
        kept.append(line)
    return kept
