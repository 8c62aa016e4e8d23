"""Plays a recorded session: the model's words are read from a file, everything else is real.

The tools, the cage, the limits and the check of the final answer are those of the built-in agent.
A replay does not think and fits only what was recorded, and every screen that shows one says so.

A recording is one JSON file: `{"version": 1, "runs": {"coder#2": [[part, ...], ...]}}`. A run has
the role and the last word of its run id, which is the round: the same step played again after a
crash gets the same answers. A turn is a list of parts: `{"say": text}`,
`{"call": tool, "with": arguments}` or, at the end, `{"reply": {...}}`.
"""

import asyncio
import importlib
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.agents.agent import Brief, Emit, Outcome, Reply, Usage
from bot.agents.misfit import misfit
from bot.agents.replay_part import Part
from bot.errors import ConfigError

VERSION = 1


class Recording(BaseModel):
    """A recorded session."""

    model_config = ConfigDict(extra="forbid")

    version: int = VERSION
    about: str = ""  #: for people: what was recorded, when and with which model
    runs: dict[str, list[list[Part]]] = Field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Recording":
        """Raises ConfigError with the file's name where it is not a recording."""
        try:
            found = cls.model_validate_json(path.read_bytes())
        except OSError as problem:
            raise ConfigError(f"{path}: cannot be read: {problem.strerror}") from problem
        except ValidationError as problem:
            raise ConfigError(f"{path}: not a recorded session: {misfit(problem)}") from problem
        if found.version != VERSION:
            raise ConfigError(f"{path}: recording version {found.version}, this reads {VERSION}")
        return found


def key_of(brief: Brief) -> str:
    """Which run of a recording answers `brief`: its role and its round."""
    return f"{brief.role}#{brief.run_id.rpartition('/')[2]}"


@dataclass(frozen=True, slots=True)
class ReplayAgent:
    """Answers every brief from one recording."""

    recording: Recording
    name: str = "replay"

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """See `Agent.run`; fails where the recording has nothing for this role and round."""
        turns = self.recording.runs.get(key_of(brief))
        if turns is None:
            known = ", ".join(sorted(self.recording.runs)) or "nothing"
            error = f"the recording has no {key_of(brief)}; it has {known}"
            return Reply(outcome=Outcome.FAILED, error=error)
        await asyncio.to_thread(importlib.import_module, "bot.agents.replay_model")
        from bot.agents.llm_loop import converse  # noqa: PLC0415 - loaded above
        from bot.agents.replay_model import recorded_model  # noqa: PLC0415 - loaded above

        reply = await converse(
            recorded_model(turns), brief, lambda event: emit(replace(event, used=None))
        )
        return replace(reply, usage=Usage())  # nobody was asked, and nothing is to be paid
