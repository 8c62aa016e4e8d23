"""Any coding agent that speaks the Agent Client Protocol (agentclientprotocol.com), in the cage.

OpenCode, codex-acp, claude-agent-acp, Gemini CLI, Qwen Code and whatever comes next: the program
sees the checkout and a gateway to one model, and has no key and no network. The protocol knows no
turns, no money and no structured answer, so all of that is watched and asked for from here.
"""

import asyncio
import importlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.agents.agent import Brief, Emit, Reply
from bot.agents.dependency import told
from bot.agents.gateway_dialects import Upstream
from bot.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class AcpAgent:
    """One program, in front of one provider."""

    command: Sequence[str]  #: the program and its arguments
    upstream: Upstream
    shows: Sequence[Path] = ()  #: folders that the program needs besides its own
    env: Mapping[str, str] = field(default_factory=dict)  #: for the program; no secrets

    @property
    def name(self) -> str:
        return f"acp ({Path(self.command[0]).name}, {self.upstream.models[0]})"

    async def run(self, brief: Brief, emit: Emit) -> Reply:
        """See `Agent.run`. Raises ConfigError where the program is not installed."""
        # the protocol's library takes seconds of CPU to import, and only this needs it
        await asyncio.to_thread(importlib.import_module, "bot.agents.acp_run")
        from bot.agents.acp_run import Program, converse  # noqa: PLC0415 - loaded above

        path = program_path(self.command[0])
        program = Program(
            argv=(str(path), *self.command[1:]),
            folders=tuple(dict.fromkeys([*folders_of(path), *self.shows])),
            env=dict(self.env),
        )
        await brief.breakers.admit(self.upstream.provider)
        async with told(self.upstream.provider, brief.breakers):
            return await converse(program, self.upstream, brief, emit)


def program_path(name: str) -> Path:
    """Where `name` is. Raises ConfigError."""
    found = shutil.which(name)
    if found is None:
        raise ConfigError(f"{name}: no such program on this machine; install it, or name its path")
    return Path(found).absolute()


def folders_of(program: Path) -> list[Path]:
    """What has to be shown for `program` to start: its package, and the interpreter it names.

    A program from npm lives in a `node_modules` with all that it needs, one from PyPI in a virtual
    environment; of anything else only the file is shown, for beside it may lie somebody's home.
    """
    real = Path(os.path.realpath(program))
    homes = [_package(program), _package(real)]
    if interpreter := _interpreter(real):
        homes += [_package(interpreter), _installation(Path(os.path.realpath(interpreter)))]
    return [home for home in dict.fromkeys(homes) if not home.is_relative_to("/usr")]


def _package(file: Path) -> Path:
    for parent in reversed(file.parents):  # the outermost one has the dependencies
        if parent.name == "node_modules":
            return parent.parent
    environment = file.parent.parent
    return environment if (environment / "pyvenv.cfg").is_file() else file


def _installation(interpreter: Path) -> Path:
    """Of `…/bin/python3` the folder above, where its library is."""
    prefix = interpreter.parent.parent
    ours = interpreter.parent.name == "bin" and prefix not in {Path("/"), Path.home()}
    return prefix if ours else interpreter


def _interpreter(file: Path) -> Path | None:
    """From a first line such as `#!/usr/bin/env node`."""
    with open(file, "rb") as opened:
        first = opened.readline(256)
    if not first.startswith(b"#!"):
        return None
    words = first[2:].decode("utf-8", "replace").split()
    name = words[-1] if words[0].endswith("/env") else words[0]
    found = shutil.which(name)
    return Path(found).absolute() if found else None
