"""The smallest piece of a recorded session."""

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """One thing that the model said: exactly one of `say`, `call` and `reply`."""

    model_config = ConfigDict(extra="forbid")

    say: str | None = None
    call: str | None = None
    arguments: dict[str, object] = Field(default_factory=dict, alias="with")
    reply: dict[str, object] | None = None
