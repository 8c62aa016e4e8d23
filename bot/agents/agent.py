"""The contract of every thinker: a `Brief` goes in, events come out on the way, a `Reply` ends it.

Truth is never the agent's word: whoever asked looks at the diff and runs the tests itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from bot.agents.cage import Cage
from bot.agents.cage_policy import CageLimits, WayOut
from bot.agents.dependency import Breakers, NoBreakers
from bot.domain import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one run of an agent; reaching one ends it with `Outcome.LIMIT` or `TIMEOUT`."""

    wall_s: float = 1800
    idle_s: float = 300  #: without a sign of life; a dead provider is silent for ever
    command_s: float = 600  #: one command of the agent
    turns: int = 100  #: requests to the model
    tool_calls: int = 400
    tokens: int = 5_000_000  #: holds even where nobody knows the price
    cost_usd: float = 5.0
    cpu_s: float = 1800
    memory_mb: int = 4096
    pids: int = 512
    file_mb: int = 2048
    open_files: int = 4096

    def for_cage(self, *, wall_s: float, idle_s: float | None = None) -> CageLimits:
        """The part that the cage enforces, for one command of at most `wall_s`."""
        return CageLimits(
            wall_s=wall_s,
            idle_s=idle_s,
            cpu_s=self.cpu_s,
            memory_mb=self.memory_mb,
            pids=self.pids,
            file_mb=self.file_mb,
            open_files=self.open_files,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """Everything that an agent learns, and everything that it may use."""

    run_id: str  #: "<task>/<phase>/<round>": the same step run again has the same
    role: Role
    workspace: Path  #: a checkout that nobody else uses meanwhile
    cage: Cage
    instructions: str  #: who the agent is; ours
    prompt: str  #: what to do; may hold text of strangers, fenced
    reply_type: type[BaseModel]
    limits: Limits = field(default_factory=Limits)
    protect: Sequence[str] = ()  #: paths in the checkout that cannot be written
    read_only: bool = False  #: nothing in the checkout can be written, no command can be run
    env: Mapping[str, str] = field(default_factory=dict)  #: for commands in the cage; no secrets
    network: Sequence[WayOut] = ()
    breakers: Breakers = field(default_factory=NoBreakers)  #: of what it needs from outside


class EventKind(StrEnum):
    """What an agent tells on its way."""

    STARTED = "started"
    MESSAGE = "message"  #: words of the model
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    PERMISSION = "permission"  #: it asked whether it may, and what we said
    USAGE = "usage"
    WARNING = "warning"
    FINISHED = "finished"


class UsageSource(StrEnum):
    """Who counted."""

    LIBRARY = "library"  #: the model library, from the provider's answers
    AGENT = "agent"  #: the agent's own report
    GATEWAY = "gateway"  #: our proxy in front of the provider
    TRANSCRIPT = "transcript"  #: the run's own events, where it ended before it could reply
    NONE = "none"  #: nobody; no model was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run used. A price that nobody knows is None, never 0."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    source: UsageSource = UsageSource.NONE


EVENT_TEXT = 4000  #: characters of one event


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """One line of the transcript; `at_ms` counts from the start of the run."""

    at_ms: int
    kind: EventKind
    text: str = ""
    tool: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    used: Usage | None = None  #: what one answer of a model has cost, as it was billed


class Outcome(StrEnum):
    """How a run of an agent ended."""

    COMPLETED = "completed"  #: with an output that fits the reply type
    FAILED = "failed"  #: it gave up, or never gave a readable answer
    CANCELLED = "cancelled"  #: the agent itself was told to stop by somebody else
    CRASHED = "crashed"  #: its program died before it could answer, or could not be started
    TIMEOUT = "timeout"
    LIMIT = "limit"  #: turns, tool calls, tokens, money, memory …; `error` says which


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a run came to."""

    outcome: Outcome
    output: BaseModel | None = None  #: an instance of the brief's reply type, if completed
    error: str = ""  #: one line, if not completed
    usage: Usage = field(default_factory=Usage)
    duration_ms: int = 0
    session: str = ""  #: the run as `replay` plays it (JSON), where the agent can tell


Emit = Callable[[AgentEvent], None]


class Agent(Protocol):
    """A way to be an agent."""

    @property
    def name(self) -> str:
        """For people: `llm (anthropic:…)`, `replay`, `command`."""
        ...

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """Works on `brief.workspace` until done; cancel it by cancelling the asyncio task.

        Every answer of a model is told with what it cost (`AgentEvent.used`) when it comes, so
        that a run which never gets to its reply can be billed. Raises StepError for trouble
        outside the agent: a provider that is down or refuses our key, a cage that cannot be set
        up.
        """
        ...
