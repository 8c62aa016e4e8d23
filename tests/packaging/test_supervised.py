"""What a supervisor hears of `chimera serve`: ready, alive, stopping."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.supervisor import Supervisor, Word

HEAR_S = 60.0
WATCHDOG_USEC = "400000"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd opens for a unit of `Type=notify`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(tmp_path / "notify"))
        wire.settimeout(HEAR_S)
        yield wire


def heard(listener: socket.socket) -> str:
    return listener.recv(4096).decode()


def test_a_served_house_says_that_it_is_ready_lives_and_stops(
    listener: socket.socket, tmp_path: Path
) -> None:
    clean = {name: value for name, value in os.environ.items() if "CHIMERA" not in name}
    given = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": WATCHDOG_USEC}
    argv = ["serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(
        [sys.executable, "-m", "bot", *argv], env=clean | given, stderr=subprocess.DEVNULL
    ) as server:
        assert [heard(listener) for _ in range(3)] == [Word.READY, Word.WATCHDOG, Word.WATCHDOG]
        server.send_signal(signal.SIGTERM)
        rest = heard(listener)
        while rest == Word.WATCHDOG:
            rest = heard(listener)
        assert rest == Word.STOPPING
        assert server.wait(HEAR_S) == 0


async def test_a_loop_that_stands_still_gives_no_sign_of_life(listener: socket.socket) -> None:
    listener.setblocking(False)
    supervisor = Supervisor(address=listener.getsockname(), watchdog_s=0.05)
    async with supervisor.told():
        await asyncio.sleep(0)
        while _waiting(listener):
            pass
        time.sleep(0.3)  # noqa: ASYNC251 - the loop is held up on purpose
        assert _waiting(listener) == ""


def test_an_abstract_socket_is_spoken_to_as_well() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.settimeout(HEAR_S)
        wire.bind(f"\0chimera-test-{os.getpid()}")
        Supervisor(address=f"@chimera-test-{os.getpid()}").tell(Word.READY)
        assert heard(wire) == "READY=1"


def test_without_a_supervisor_nothing_is_said_and_a_lost_one_does_no_harm(tmp_path: Path) -> None:
    Supervisor.of({}).tell(Word.READY)
    Supervisor.of({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell(Word.READY)
    assert Supervisor.of({"WATCHDOG_USEC": "x"}).watchdog_s == 0.0
    assert Supervisor.of({"WATCHDOG_USEC": "9000000", "WATCHDOG_PID": "1"}).watchdog_s == 0.0
    assert Supervisor.of({"WATCHDOG_USEC": "9000000"}).watchdog_s == 9.0


def _waiting(listener: socket.socket) -> str:
    try:
        return heard(listener)
    except BlockingIOError:
        return ""
