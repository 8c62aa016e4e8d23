"""The agents that a server or a run is set up with."""

import functools
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bot.agents.acp import AcpAgent
from bot.agents.agent import Agent
from bot.agents.command import CommandAgent
from bot.agents.fallback import FallbackAgent
from bot.agents.gateway_dialects import Upstream, family_of
from bot.agents.llm import LlmAgent, ModelChoice
from bot.agents.providers import provider_of
from bot.agents.replay import Recording, ReplayAgent
from bot.config.choices import AgentUse
from bot.config.repo import AgentChoice
from bot.config.settings import AgentSettings, Settings
from bot.domain import Role
from bot.errors import ConfigError, InputError
from bot.workflow.model_keys import key_of, lack_of


def agents_of(settings: Settings) -> Mapping[Role, Agent]:
    """An agent for each role that has one; a role without is told when it is needed."""
    made = {role: _agent(settings, role, settings.agent(role)) for role in Role}
    return {role: agent for role, agent in made.items() if agent is not None}


def agents_with_keys(settings: Settings) -> Mapping[Role, Agent]:
    """As `agents_of`, for a run that somebody waits for. Raises ConfigError for a missing key."""
    for role in Role:
        _check_key(settings, settings.agent(role))
    return agents_of(settings)


def chooser(settings: Settings) -> Callable[[Role, AgentChoice], Agent]:
    """Makes the agent that a repository's own file asks for, within what the server provides.

    A repository may name another model of a provider whose key the server has, and one of the
    ways that the server has set up for the role; never a program or an address.
    """

    @functools.cache
    def made(role: Role, use: AgentUse | None, model: str | None) -> Agent:
        server = settings.agent(role)
        asked = {"use": use or server.use, "model": model or server.model}
        agent = _agent(settings, role, server.model_copy(update=asked))
        if agent is None:
            raise ConfigError(f"agents.{role.replace('-', '_')}: name a model, or leave it out")
        return agent

    return lambda role, choice: made(role, choice.use, choice.model)


def agent_named(text: str, settings: Settings, shows: Sequence[Path] = ()) -> Mapping[Role, Agent]:
    """`llm:MODEL`, `command:PROGRAM` or `replay:FILE` for every role.

    `shows` are paths that a command sees in its cage, besides the files that it names by their
    whole path. Raises InputError, ConfigError for a missing key.
    """
    kind, _, value = text.partition(":")
    if not value.strip() or kind not in _NAMED:
        raise InputError(f"--agent {text!r}: must be one of {', '.join(_NAMED.values())}")
    if shows and kind != AgentUse.COMMAND:
        raise InputError(f"--show is for command agents; --agent is {text!r}")
    if kind == AgentUse.REPLAY and not Path(value).is_file():
        raise InputError(f"--agent {text!r}: there is no file {value}")
    return dict.fromkeys(Role, _made(settings, AgentUse(kind), value, shows))


#: What `--agent` may say; acp agents are named in the settings, where their arguments have room.
_NAMED = {
    AgentUse.LLM: "llm:PROVIDER:MODEL",
    AgentUse.COMMAND: "command:PROGRAM",
    AgentUse.REPLAY: "replay:FILE",
}


def _made(settings: Settings, use: AgentUse, value: str, shows: Sequence[Path]) -> Agent:
    if use is AgentUse.COMMAND:
        return CommandAgent(command=value, shows=(*_named(value), *(p.absolute() for p in shows)))
    chosen = AgentSettings(
        use=use,
        model=value if use is AgentUse.LLM else "",
        recording=Path(value) if use is AgentUse.REPLAY else None,
    )
    _check_key(settings, chosen)
    agent = _agent(settings, Role.CODER, chosen)
    assert agent is not None, "only a model's name can be missing, and it is not"
    return agent


def _named(command: str) -> list[Path]:
    """The files that a command names by their whole path, and that the cage does not show anyway.

    What follows an interpreter is as much the program as what stands alone.
    """
    try:
        paths = [Path(word) for word in shlex.split(command)]
    except ValueError:
        return []  # the shell in the cage will say what is wrong with it
    return [path for path in paths if path.is_absolute() and path.is_file() and not _shown(path)]


def _shown(path: Path) -> bool:
    return path.resolve().is_relative_to("/usr")


def _agent(settings: Settings, role: Role, chosen: AgentSettings) -> Agent | None:
    first, behind = _one(settings, role, chosen), chosen.fallback_agent
    if first is None or behind is None:
        return first
    named = behind if behind.model else behind.model_copy(update={"model": settings.model})
    second = _agent(settings, role, named)
    if second is None:
        raise ConfigError(f"agents.{role}.fallback_agent: name a model, or leave it out")
    return FallbackAgent(first, second)


def _one(settings: Settings, role: Role, chosen: AgentSettings) -> Agent | None:
    match chosen.use:
        case AgentUse.LLM:
            return _llm(settings, chosen)
        case AgentUse.COMMAND:
            shows = tuple(path for word in chosen.command for path in _named(word))
            return CommandAgent(command=_command_line(role, chosen), shows=shows)
        case AgentUse.REPLAY:
            if chosen.recording is None:
                raise ConfigError(f"agents.{role}.recording: replay needs a recorded session")
            return ReplayAgent(Recording.load(chosen.recording))
        case AgentUse.ACP:
            return _acp(settings, role, chosen)


def _llm(settings: Settings, chosen: AgentSettings) -> Agent | None:
    if not chosen.model:
        return None
    choices = [choice_of(settings, chosen.model, chosen.base_url)]
    if chosen.fallback:  # of another provider it is where that one's models are
        same = provider_of(chosen.fallback) == provider_of(chosen.model)
        choices.append(choice_of(settings, chosen.fallback, chosen.base_url if same else ""))
    return LlmAgent(*choices)


def choice_of(settings: Settings, model: str, base_url: str) -> ModelChoice:
    return ModelChoice(
        model=model, base_url=base_url or None, api_key=key_of(settings, model) or None
    )


def _acp(settings: Settings, role: Role, chosen: AgentSettings) -> Agent | None:
    """The key stays with the gateway; the program is told that there is one."""
    if not chosen.command:
        raise ConfigError(f"agents.{role}.command: the program that speaks ACP is missing")
    if not chosen.model:
        return None
    family = family_of(chosen.model)
    if family is None:
        raise ConfigError(
            f"agents.{role}.model: the gateway speaks for openai, anthropic and google, not for "
            f"{chosen.model!r}; a server that speaks like OpenAI is `openai:…` with a base_url"
        )
    models = [chosen.model, *([chosen.fallback] if chosen.fallback else [])]
    if any(family_of(model) is not family for model in models):
        raise ConfigError(f"agents.{role}.fallback: must be a model of the same provider")
    return AcpAgent(
        command=chosen.command,
        upstream=Upstream(
            family=family,
            models=tuple(model.partition(":")[2] for model in models),
            key=key_of(settings, chosen.model),
            base_url=chosen.base_url,
        ),
    )


def _check_key(settings: Settings, chosen: AgentSettings) -> None:
    """Raises ConfigError where the model cannot be asked, for certain."""
    if chosen.use is not AgentUse.LLM or not chosen.model:
        return
    lack = lack_of(settings, chosen.model, chosen.base_url)
    if lack is not None and lack.is_sure:
        raise ConfigError(f"{lack.text}. {lack.fix}")


def _command_line(role: Role, chosen: AgentSettings) -> str:
    if not chosen.command:
        raise ConfigError(f"agents.{role}.command: the program is missing")
    if len(chosen.command) == 1:
        return chosen.command[0]
    return shlex.join(chosen.command)
