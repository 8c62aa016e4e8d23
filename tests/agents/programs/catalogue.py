"""The coding agents that the driver is measured with, by name and version, and where they are.

They are large, so nothing is fetched unasked: `INSTALL_PROGRAMS=1` (or
`REQUIRE_ALL=1`, which also turns "not measured" into a failure) installs what is missing
from npm into `PROGRAMS_DIR`, by default a folder in the user's cache.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bot.agents.gateway_dialects import Family

INSTALL_S = 600


class NotMeasured(Exception):
    """A program that is not here; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One coding agent."""

    name: str  #: of its command
    package: str
    version: str
    family: Family
    model: str
    arguments: tuple[str, ...] = ()
    entry: str = ""  #: its executable below node_modules, where it is not in .bin

    def command(self) -> tuple[str, ...]:
        """What to start. Raises NotMeasured."""
        return (str(self._installed()), *self.arguments)

    def _installed(self) -> Path:
        folder = cache() / f"{self.name}-{self.version}"
        program = folder / "node_modules" / (self.entry or f".bin/{self.name}")
        if not program.exists():
            self._install(folder)
        return program

    def _install(self, folder: Path) -> None:
        if not wanted():
            raise NotMeasured(f"{self.name} is not installed; INSTALL_PROGRAMS=1 does it")
        if shutil.which("npm") is None:
            raise NotMeasured(f"{self.name} comes from npm, which is not on this machine")
        folder.mkdir(parents=True, exist_ok=True)
        words = ["npm", "install", "--prefix", str(folder), "--no-fund", "--no-audit"]
        ran = subprocess.run(
            [*words, "--ignore-scripts", f"{self.package}@{self.version}"],
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
        if ran.returncode:
            raise NotMeasured(f"npm cannot install {self.package}: {ran.stderr[-500:]}")


def cache() -> Path:
    """Where the programs are."""
    usual = Path.home() / ".cache" / "chimera-programs"
    return Path(os.environ.get("PROGRAMS_DIR") or usual)


def wanted() -> bool:
    """Whether what is missing may be fetched."""
    return bool(os.environ.get("INSTALL_PROGRAMS") or required())


def required() -> bool:
    """Whether "not measured" is a failure."""
    return bool(os.environ.get("REQUIRE_ALL"))


CODEX = Program(
    name="codex-acp",
    package="@agentclientprotocol/codex-acp",
    version="2.6.0",
    family=Family.OPENAI,
    model="gpt-5.2-codex",
)
OTHERS = (
    Program(
        name="claude-agent-acp",
        package="@agentclientprotocol/claude-agent-acp",
        version="0.49.0",
        family=Family.ANTHROPIC,
        model="claude-sonnet-5",
    ),
    Program(
        name="opencode",
        package="opencode-ai",
        version="1.18.33",
        family=Family.OPENAI,
        model="gpt-5.2-codex",
        arguments=("acp",),
        entry="opencode-linux-x64/bin/opencode",  # what its install script would link to
    ),
    Program(
        name="gemini",
        package="@google/gemini-cli",
        version="0.61.0",
        family=Family.GOOGLE,
        model="gemini-2.5-pro",
        arguments=("--experimental-acp",),
    ),
    Program(
        name="qwen",
        package="@qwen-code/qwen-code",
        version="0.15.10",
        family=Family.OPENAI,
        model="gpt-4o",
        arguments=("--acp",),
    ),
)
