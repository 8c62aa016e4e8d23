"""The agents that a server or a run is set up with."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from bot.agents.agent import Agent
from bot.agents.command import CommandAgent
from bot.agents.llm import LlmAgent, ModelChoice
from bot.agents.replay import Recording, ReplayAgent
from bot.config.choices import AgentUse
from bot.config.settings import AgentSettings, Settings
from bot.domain import Role
from bot.errors import ConfigError, InputError


def agents_of(settings: Settings) -> Mapping[Role, Agent]:
    """An agent for each role that has one; a role without is told when it is needed."""
    made = {role: _agent(settings, role, settings.agent(role)) for role in Role}
    return {role: agent for role, agent in made.items() if agent is not None}


def agent_named(text: str, settings: Settings) -> Mapping[Role, Agent]:
    """`llm:MODEL`, `command:PROGRAM` or `replay:FILE` for every role. Raises InputError."""
    kind, _, value = text.partition(":")
    if not value or kind not in set(AgentUse):
        known = ", ".join(f"{use}:…" for use in AgentUse)
        raise InputError(f"--agent {text!r}: must be one of {known}")
    chosen = AgentSettings(
        use=AgentUse(kind),
        model=value if kind == AgentUse.LLM else "",
        command=(value,) if kind == AgentUse.COMMAND else (),
        recording=Path(value) if kind == AgentUse.REPLAY else None,
    )
    agent = _agent(settings, Role.CODER, chosen)
    assert agent is not None
    return dict.fromkeys(Role, agent)


def _agent(settings: Settings, role: Role, chosen: AgentSettings) -> Agent | None:
    match chosen.use:
        case AgentUse.LLM:
            return _llm(settings, chosen)
        case AgentUse.COMMAND:
            return CommandAgent(command=_command_line(role, chosen))
        case AgentUse.REPLAY:
            if chosen.recording is None:
                raise ConfigError(f"agents.{role}.recording: replay needs a recorded session")
            return ReplayAgent(Recording.load(chosen.recording))
        case AgentUse.ACP:
            raise ConfigError(f"agents.{role}.use: acp is not available in this version")


def _llm(settings: Settings, chosen: AgentSettings) -> Agent | None:
    if not chosen.model:
        return None
    models = [chosen.model, *([chosen.fallback] if chosen.fallback else [])]
    choices = [_choice(settings, model, chosen.base_url) for model in models]
    return LlmAgent(*choices)


def _choice(settings: Settings, model: str, base_url: str) -> ModelChoice:
    provider = model.partition(":")[0].partition("-")[0]
    key = settings.model_keys.get(provider)
    return ModelChoice(
        model=model,
        base_url=base_url or None,
        api_key=key.get_secret_value() if key is not None else None,
    )


def _command_line(role: Role, chosen: AgentSettings) -> str:
    if not chosen.command:
        raise ConfigError(f"agents.{role}.command: the program is missing")
    if len(chosen.command) == 1:
        return chosen.command[0]
    return shlex.join(chosen.command)
