"""The built-in agent: any model of the model library, with our tools, in this process.

The provider's key stays in this process; commands and file tools work in the cage. The library
takes about two seconds of CPU to import, so that is done at the first run, off the event loop.
"""

import asyncio
import importlib
from dataclasses import dataclass, field

from bot.agents.agent import Brief, Emit, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A model, where it is, and the key to it."""

    model: str  #: "anthropic:claude-…", "openai:gpt-…", "openai-chat:…" for compatible servers
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)


class LlmAgent:
    """Asks a model, runs the tools that it calls, and checks its final answer."""

    def __init__(self, choice: ModelChoice, *fallbacks: ModelChoice) -> None:
        self._choices = (choice, *fallbacks)

    @property
    def name(self) -> str:
        return f"llm ({self._choices[0].model})"

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """See `Agent.run`. Raises ConfigError for a model that the library does not know."""
        for module in ("bot.agents.llm_loop", "bot.agents.llm_models"):
            await asyncio.to_thread(importlib.import_module, module)
        from bot.agents.llm_loop import converse  # noqa: PLC0415 - loaded above
        from bot.agents.llm_models import (  # noqa: PLC0415 - loaded above
            first_that_answers,
            open_model,
        )

        models = [
            open_model(choice.model, base_url=choice.base_url, api_key=choice.api_key)
            for choice in self._choices
        ]
        return await converse(first_that_answers(models), brief, emit)
