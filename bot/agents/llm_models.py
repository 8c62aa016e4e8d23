"""Makes the model library's model out of what configuration says."""

from collections.abc import Sequence
from typing import Any

import pydantic_ai.exceptions as library
from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.providers import Provider, infer_provider_class

from bot.errors import ConfigError


def open_model(name: str, *, base_url: str | None, api_key: str | None) -> Model:
    """The model called `name`, such as "anthropic:claude-…". Raises ConfigError."""
    given = {"base_url": base_url, "api_key": api_key}

    def provider(family: str) -> Provider[Any]:
        made = infer_provider_class(family)(**{k: v for k, v in given.items() if v is not None})
        if hasattr(made.client, "max_retries"):  # the clients of OpenAI and Anthropic
            made.client.max_retries = 0  # the executor retries, at a time and with a limit
        return made

    try:
        return infer_model(name, provider)
    except (library.UserError, ValueError, TypeError, ImportError) as problem:
        raise ConfigError(f"model {name!r} cannot be used: {problem}") from problem


def first_that_answers(models: Sequence[Model]) -> Model:
    """The first of `models`; the next ones are asked when it fails."""
    return models[0] if len(models) == 1 else FallbackModel(models[0], *models[1:])
