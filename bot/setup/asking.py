"""One short question to each model in use: only when the doctor is asked to, for it costs money.

The model library takes seconds to import; the doctor imports this module only when it is needed.
"""

import asyncio

from pydantic_ai import ModelRequest
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.settings import ModelSettings

from bot.agents.llm import ModelChoice
from bot.agents.llm_models import open_model
from bot.config.choices import AgentUse
from bot.config.settings import Settings
from bot.errors import ConfigError
from bot.log import mask
from bot.setup.agents import AREA, models_of
from bot.setup.finding import Finding, bad, good
from bot.workflow.registry import choice_of

WITHIN_S = 60.0
MAX_TOKENS = 64  #: of the answer
_QUESTION = "Answer with the one word: ready"


async def models_answer(settings: Settings) -> list[Finding]:
    """Whether each model answers, the fallbacks included."""
    return [await _answers(choice) for choice in _choices(settings)]


def _choices(settings: Settings) -> list[ModelChoice]:
    named = models_of(settings, frozenset({AgentUse.LLM}))
    return [choice_of(settings, model, base_url) for model, base_url in named]


async def _answers(choice: ModelChoice) -> Finding:
    asked = [ModelRequest.user_text_prompt(_QUESTION)]
    try:
        model = open_model(choice.model, base_url=choice.base_url, api_key=choice.api_key)
        async with asyncio.timeout(WITHIN_S):
            wish = ModelSettings(max_tokens=MAX_TOKENS)
            await model_request(model, asked, model_settings=wish)
    except TimeoutError:
        return bad(AREA, f"{choice.model} was silent for {WITHIN_S:.0f} s", "Try again later.")
    except (AgentRunError, UserError, ConfigError) as error:
        fix = (
            "Check the model's name, its provider's key and, if `base_url` names one, the address."
        )
        return bad(AREA, f"{choice.model} does not answer: {mask(str(error))[:300]}", fix)
    return good(AREA, f"{choice.model} answers")
