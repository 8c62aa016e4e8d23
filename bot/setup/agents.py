"""What the doctor sees of the agents without asking any: models, keys, programs."""

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from bot.agents.cage import base_environment
from bot.config.choices import AgentUse
from bot.config.settings import AgentSettings, Settings
from bot.domain import Role
from bot.errors import ConfigError
from bot.setup.finding import Finding, bad, good, warning
from bot.workflow.model_keys import lack_of
from bot.workflow.registry import agents_of

AREA = "agents"
_ON_MODELS = frozenset({AgentUse.LLM, AgentUse.ACP})


def agents(settings: Settings) -> Iterator[Finding]:
    """Whether every role has an agent, and each agent what it needs; nobody is called."""
    try:
        made = agents_of(settings)
    except (ConfigError, OSError) as error:
        yield bad(AREA, str(error), "Mend `agents` in the settings.")
        return
    missing = [role for role in Role if role not in made]
    if missing:
        fix = "Set CHIMERA_MODEL and its provider's key, or `agents` in the settings."
        yield bad(AREA, f"no model provider for {', '.join(missing)}", fix)
    for name in sorted({agent.name for agent in made.values()}):
        yield good(AREA, name)
    for model, base_url in models_of(settings, _ON_MODELS):
        yield from _model(settings, model, base_url)
    yield from _programs(settings)


def models_of(settings: Settings, uses: frozenset[AgentUse]) -> list[tuple[str, str]]:
    """Each model of the agents of these kinds with its own address, those behind them included."""
    return sorted(
        {
            (model, one.base_url)
            for one in _all(settings)
            if one.use in uses
            for model in (one.model, one.fallback)
            if model
        }
    )


def _all(settings: Settings) -> Iterator[AgentSettings]:
    """The agent of each role, and the one behind it."""
    for role in Role:
        one: AgentSettings | None = settings.agent(role)
        while one is not None:
            yield one if one.model else one.model_copy(update={"model": settings.model})
            one = one.fallback_agent


def _model(settings: Settings, model: str, base_url: str) -> Iterator[Finding]:
    """Whether the name has a provider that we have a key for."""
    if lack := lack_of(settings, model, base_url):
        yield (bad if lack.is_sure else warning)(AREA, lack.text, lack.fix)


def _programs(settings: Settings) -> Iterator[Finding]:
    """Programs that are not there."""
    for program, where in sorted({found for one in _all(settings) for found in _program(one)}):
        if not (Path(program).is_file() if "/" in program else shutil.which(program, path=where)):
            fix = "Install it, or name it with its whole path in `agents` in the settings."
            yield bad(AREA, f"the program {program} was not found", fix)


def _program(one: AgentSettings) -> Iterator[tuple[str, str]]:
    """The agent's program and the PATH that it is looked for on.

    A command in one piece is a line for the shell, of which only a path is looked at.
    """
    if one.use is AgentUse.ACP and one.command:
        yield one.command[0], os.environ.get("PATH", os.defpath)
    if one.use is AgentUse.COMMAND and one.command:
        line = one.command[0] if len(one.command) == 1 else shlex.join(one.command)
        first = shlex.split(line)[0]
        if "/" in first or len(one.command) > 1:
            yield first, base_environment(())["PATH"]
