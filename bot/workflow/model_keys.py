"""The key of a model's provider: which it is, and what to do where nobody has given it.

What is said here stops a run that somebody waits for, and is what the doctor tells of a server.
"""

from dataclasses import dataclass

from bot.agents.providers import LOGINS, provider_of
from bot.config.environment import MODEL_KEYS
from bot.config.meant import nearest
from bot.config.settings import Settings

KEYLESS = LOGINS | {"ollama", "bedrock"}  #: providers that need no key of ours
SLIP = 0.8  #: of 1: a slip of the pen; providers that we do not know are less alike than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What keeps a model from being asked; or may keep it, where we cannot know."""

    text: str
    fix: str
    is_sure: bool = True


def key_of(settings: Settings, model: str) -> str:
    """Of the model's provider; empty where there is none."""
    key = settings.model_keys.get(provider_of(model))
    return key.get_secret_value() if key is not None else ""


def lack_of(settings: Settings, model: str, base_url: str) -> Lack | None:
    """Why a model cannot be asked; a server of one's own, at `base_url`, need not want a key."""
    family, colon, name = model.partition(":")
    if not (family and colon and name):
        fix = f"Write PROVIDER:MODEL, such as anthropic:{model.strip(':')}."
        return Lack(text=f"the model {model!r} names no provider", fix=fix)
    provider = provider_of(model)
    if base_url or provider in KEYLESS or key_of(settings, model):
        return None
    if provider in MODEL_KEYS:
        variable = MODEL_KEYS[provider]
        fix = f"Set {variable}, or {variable}_FILE to the name of a file that holds it."
        return Lack(text=f"no key for {provider}, which {model} needs", fix=fix)
    if near := nearest(provider, [*MODEL_KEYS, *sorted(KEYLESS)], alike=SLIP):
        return Lack(text=f"no provider is called {provider!r}", fix=f"Did you mean {near}:{name}?")
    fix = "`chimera doctor --models` asks it; the provider's own library reads its key."
    text = f"{provider} is a provider whose key is not known here"
    return Lack(text=text, fix=fix, is_sure=False)
