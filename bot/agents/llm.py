"""The built-in agent: any model of the model library, with our tools, in this process.

The provider's key stays in this process; commands and file tools work in the cage. The library
takes about two seconds of CPU to import, so that is done at the first run, off the event loop.
"""

import asyncio
import importlib
from dataclasses import dataclass, field

from bot.agents.agent import Brief, Emit, Reply
from bot.agents.dependency import provider_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A model, where it is, and the key to it."""

    model: str  #: "anthropic:claude-…", "openai:gpt-…", "openai-chat:…" for compatible servers
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)

    @property
    def provider(self) -> str:
        """The name of the dependency."""
        family = self.model.partition(":")[0].partition("-")[0]
        return provider_name(family, self.base_url or "")


class LlmAgent:
    """Asks a model, runs the tools that it calls, and checks its final answer."""

    def __init__(self, choice: ModelChoice, *fallbacks: ModelChoice) -> None:
        self._choices = (choice, *fallbacks)

    @property
    def name(self) -> str:
        return f"llm ({self._choices[0].model})"

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """See `Agent.run`. Raises ConfigError for a model that the library does not know."""
        await asyncio.to_thread(importlib.import_module, "bot.agents.llm_loop")
        from bot.agents.llm_loop import converse_aloud  # noqa: PLC0415 - loaded above
        from bot.agents.llm_models import open_model  # noqa: PLC0415 - loaded above

        models = [
            (one.provider, open_model(one.model, base_url=one.base_url, api_key=one.api_key))
            for one in self._choices
        ]
        return await converse_aloud(models, brief, emit)
