"""Whose key a model takes: the same for a run, the doctor and the gateway of a coding agent."""

import pytest

from bot.agents.gateway_dialects import Family, family_of
from bot.config.environment import load_settings
from bot.config.settings import Settings
from bot.errors import ConfigError
from bot.workflow.model_keys import key_of, lack_of
from bot.workflow.registry import agent_named


def a_server(**keys: str) -> Settings:
    return load_settings(keys)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai:gpt", "OPENAI_API_KEY"),
        ("openai-chat:gpt", "OPENAI_API_KEY"),
        ("google:gemini", "GEMINI_API_KEY"),
        ("google-decisions:gemini", "GEMINI_API_KEY"),
        ("anthropic:claude", "ANTHROPIC_API_KEY"),
    ],
)
def test_every_name_of_a_provider_takes_its_key(model: str, variable: str) -> None:
    with pytest.raises(ConfigError, match=f"which {model} needs. Set {variable}, or {variable}_F"):
        agent_named(f"llm:{model}", a_server())
    settings = a_server(**{variable: "sk-canary"})
    agent_named(f"llm:{model}", settings)
    assert key_of(settings, model) == "sk-canary"


@pytest.mark.parametrize("model", ["google-cloud:gemini", "openai-chatgpt:gpt", "ollama:qwen"])
def test_a_provider_that_is_logged_in_to_otherwise_is_sent_no_key(model: str) -> None:
    settings = a_server(GEMINI_API_KEY="sk-canary", OPENAI_API_KEY="sk-canary")
    assert key_of(settings, model) == ""
    assert lack_of(settings, model, "") is None
    assert family_of(model) is None, "the gateway of a coding agent adds a key, and there is none"


def test_a_server_of_ones_own_need_not_want_a_key() -> None:
    assert lack_of(a_server(), "openai:qwen", "http://127.0.0.1:8080/v1") is None


def test_a_provider_that_only_the_library_knows_stops_no_run() -> None:
    agent_named("llm:ovhcloud:qwen", a_server())
    lack = lack_of(a_server(), "ovhcloud:qwen", "")
    assert lack is not None
    assert not lack.is_sure


@pytest.mark.parametrize("model", ["claude", ":claude", "anthropic:"])
def test_a_model_without_its_provider_is_refused_with_an_example(model: str) -> None:
    with pytest.raises(ConfigError, match="such as anthropic:"):
        agent_named(f"llm:{model}", a_server())


def test_a_program_in_front_of_the_gateway_is_of_the_same_family() -> None:
    assert family_of("openai-responses:gpt") is Family.OPENAI
    assert family_of("groq:llama") is None
