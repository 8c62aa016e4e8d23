"""A real cage and a real git checkout for every test of this room."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.agents.agent import AgentEvent, Brief, Limits
from bot.agents.cage import Cage
from bot.agents.dependency import Breakers, NoBreakers
from bot.agents.roster import ROSTER
from bot.domain import Role

MakeBrief = Callable[..., Brief]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured is always said, for the table in docs/reference/agents.md."""
    said = [
        str(value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == "measured"
    ]
    for line in said:
        terminalreporter.write_line(f"programs: {line}")


@pytest.fixture
async def cage() -> Cage:
    return await Cage.open()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit: an application that greets, and its test."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "greet.py").write_text("def greet(name):\n    return 'Hello ' + name\n")
    (folder / "test_greet.py").write_text(
        "from greet import greet\n\n\ndef test_greets():\n    assert greet('Ada') == 'Hello Ada'\n"
    )
    who = ["-c", "user.name=t", "-c", "user.email=t@example.test"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def events() -> list[AgentEvent]:
    return []


@pytest.fixture
def brief(cage: Cage, checkout: Path) -> MakeBrief:
    """Makes a brief on the checkout; every part can be given."""

    def make(
        role: Role = Role.CODER,
        *,
        run_id: str = "task-1/CODE_IMPLEMENTATION/1",
        reply_type: type[BaseModel] | None = None,
        limits: Limits | None = None,
        protect: tuple[str, ...] = (),
        read_only: bool | None = None,
        breakers: Breakers | None = None,
    ) -> Brief:
        card = ROSTER[role]
        return Brief(
            run_id=run_id,
            role=role,
            workspace=checkout,
            cage=cage,
            instructions="You work here.",
            prompt="Do it.",
            reply_type=reply_type or card.reply_type,
            limits=limits or Limits(wall_s=60),
            protect=protect,
            read_only=card.read_only if read_only is None else read_only,
            breakers=breakers or NoBreakers(),
        )

    return make
