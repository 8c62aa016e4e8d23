"""On a terminal people read the log: in colour unless they want none, and never a secret."""

import io
from collections.abc import Iterator

import pytest
import structlog

from bot import log

SECRET = "hunter2-hunter2-hunter2"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("NO_COLOR", raising=False)
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_a_line_on_a_terminal_is_for_people_and_coloured(terminal: Terminal) -> None:
    log.set_up(stream=terminal)
    log.get("here").info("happened", task="one")
    assert "happened" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_whoever_wants_no_colour_gets_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    log.set_up(stream=terminal)
    log.get("here").info("happened", task="one")
    assert "task=one" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


def test_a_traceback_on_a_terminal_shows_no_secret_and_no_variable(terminal: Terminal) -> None:
    log.mask.learn(SECRET)
    log.set_up(stream=terminal)
    try:
        _fail(SECRET)
    except ValueError:
        log.get("here").exception("step crashed")
    assert "ValueError: refused: [secret]" in terminal.getvalue()
    assert SECRET not in terminal.getvalue()
    assert "seven of nine" not in terminal.getvalue()


def _fail(told: str) -> None:
    kept = "seven " + "of nine"
    raise ValueError(f"refused: {told}" if kept else kept)
