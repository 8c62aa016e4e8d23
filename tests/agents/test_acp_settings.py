"""How a coding agent is named in the settings, and what its program may know of the key."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.agents.acp import AcpAgent
from bot.agents.acp_environment import environment
from bot.agents.gateway_dialects import Family
from bot.config.choices import AgentUse
from bot.config.settings import AgentSettings, Settings
from bot.domain import Role
from bot.errors import ConfigError
from bot.workflow.registry import agents_of

KEY = "sk-CANARY-93c1-settings"


def settings(tmp_path: Path, **chosen: Any) -> Settings:
    coder = AgentSettings(use=AgentUse.ACP, **chosen)
    return Settings(
        data_dir=tmp_path, agents={Role.CODER: coder}, model_keys={"openai": SecretStr(KEY)}
    )


def test_a_coding_agent_is_a_program_in_front_of_one_provider(tmp_path: Path) -> None:
    chosen = settings(
        tmp_path, command=("codex-acp",), model="openai:gpt-5.2", fallback="openai:gpt-4o"
    )
    made = agents_of(chosen)[Role.CODER]
    assert isinstance(made, AcpAgent)
    assert made.name == "acp (codex-acp, gpt-5.2)"
    assert made.upstream.models == ("gpt-5.2", "gpt-4o")
    assert made.upstream.credentials() == {"authorization": f"Bearer {KEY}"}
    assert KEY not in repr(made)


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"model": "openai:gpt-4o"}, "the program that speaks ACP is missing"),
        ({"command": ("x",), "model": "mistral:large"}, "openai, anthropic and google, not for"),
        (
            {"command": ("x",), "model": "openai:gpt-4o", "fallback": "anthropic:claude-sonnet-5"},
            "fallback: must be a model of the same provider",
        ),
    ],
)
def test_settings_that_cannot_work_say_why(
    tmp_path: Path, chosen: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        agents_of(settings(tmp_path, **chosen))


def test_a_coding_agent_without_a_model_is_none(tmp_path: Path) -> None:
    assert Role.CODER not in agents_of(settings(tmp_path, command=("codex-acp",)))


@pytest.mark.parametrize("family", list(Family))
def test_a_program_is_told_its_model_and_a_placeholder_for_the_key(family: Family) -> None:
    told = environment(family, "the-model")
    assert any(value == "the-model" for value in told.values())
    keys = {value for name, value in told.items() if name.endswith("_API_KEY")}
    assert keys == {"the-gateway-has-the-key"}
