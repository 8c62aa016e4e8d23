"""What people do wrong before anything works: each is told with what to do, and no traceback."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.demo.sample import alterations

ENDS_S = 60  #: for a command, on a machine that does other things, too


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """This one's, without its settings and with a data directory of its own."""
    clean = {name: value for name, value in os.environ.items() if "CHIMERA" not in name}
    return clean | {"CHIMERA_DATA_DIR": str(tmp_path / "data"), "TMPDIR": str(tmp_path)} | more


def chimera(
    tmp_path: Path, *words: str, timeout_s: int = ENDS_S, **env: str
) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "bot", *words]
    return subprocess.run(
        argv, env=environment(tmp_path, **env),
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str], code: int, *told: str) -> None:
    """It ended with this code, said these things on standard error, and nothing else went wrong."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for text in told:
        assert text in done.stderr


def programs(folder: Path, git: str = "") -> str:
    """A PATH with no git, or with one of this script."""
    folder.mkdir()
    if git:
        (folder / "git").write_text(f"#!/bin/sh\n{git}\n")
        (folder / "git").chmod(0o755)
    return str(folder)


def test_a_port_that_another_program_has_is_told_and_may_be_tried_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(chimera(tmp_path, "serve", "--port", port), 75, f"127.0.0.1:{port}", "--port")


def test_an_address_that_is_not_this_machines_is_told(tmp_path: Path) -> None:
    done = chimera(tmp_path, "serve", "--host", "192.0.2.1", "--port", "0")
    refused(done, 75, "192.0.2.1:0", "Cannot assign requested address", "--host")


def test_a_data_directory_that_cannot_be_made_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    inside = str(tmp_path / "file" / "data")
    refused(chimera(tmp_path, "serve", "--data-dir", inside), 78, inside, "CHIMERA_DATA_DIR")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "CHIMERA_REPO_DEFAULTS: cannot read"),
        ("limits: {roundz: 3}", "defaults.yml:1:10: unknown key"),
    ],
)
def test_a_server_does_not_start_on_a_file_that_would_stop_every_task(
    tmp_path: Path, text: str | None, told: str
) -> None:
    file = tmp_path / "defaults.yml"
    if text is not None:
        file.write_text(text)
    done = chimera(tmp_path, "serve", "--port", "0", CHIMERA_REPO_DEFAULTS=str(file))
    refused(done, 78, told)


def test_what_the_system_refuses_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    inside = str(tmp_path / "file" / "here")
    refused(chimera(tmp_path, "demo", "--dir", inside), 1, inside, "Not a directory", "--debug")


def test_a_demo_is_not_laid_over_what_is_in_its_directory(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine\n")
    refused(chimera(tmp_path, "demo", "--dir", str(full)), 2, str(full), "not empty")
    assert [one.name for one in full.iterdir()] == ["mine.txt"]


def test_what_can_be_altered_is_listed_with_where_it_is_caught(tmp_path: Path) -> None:
    done = chimera(tmp_path, "demo", "--alter", "list")
    names = [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert names == list(alterations())
    assert " ".join(done.stdout.split()).count("FAILED in ") == len(names) - 1, "one is mended"
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("words", [("demo",), ("serve", "--port", "0"), ("run",)])
def test_without_git_nothing_begins(tmp_path: Path, words: tuple[str, ...]) -> None:
    if words == ("run",):
        words = ("run", "--feature", "A farewell", "--agent", "command:true")
    done = chimera(tmp_path, *words, PATH=programs(tmp_path / "bin"))
    refused(done, 69, "git was not found. Install git 2.38 or newer")


def test_a_git_that_is_too_old_is_named_with_the_one_that_is_needed(tmp_path: Path) -> None:
    path = programs(tmp_path / "bin", git="echo git version 2.20.1")
    refused(chimera(tmp_path, "demo", PATH=path), 69, "git version 2.20.1 is too old", "2.38")


def test_a_server_without_an_app_says_so_when_it_starts(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.stderr is not None
        first = server.stderr.readline()
        server.terminate()
    assert "GitHub is not connected" in first
    assert "CHIMERA_APP_ID" in first
    assert "chimera setup" in first


def serving(tmp_path: Path) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", "bot", "serve", "--port", "0"]
    return subprocess.Popen(argv, env=environment(tmp_path), stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_an_interrupted_demo_leaves_no_directory_and_no_traceback(
    tmp_path: Path, number: int, code: int
) -> None:
    argv = [sys.executable, "-m", "bot", "demo"]
    with subprocess.Popen(
        argv, env=environment(tmp_path), stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stderr is not None
        until = [line for line in iter(demo.stderr.readline, "") if _has_begun(line, demo, number)]
    assert demo.returncode == code
    assert not [line for line in until if "Traceback" in line]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("chimera-")] == []


def _has_begun(line: str, demo: "subprocess.Popen[str]", number: int) -> bool:
    """Interrupts once, and again at once, as people do; all lines are kept."""
    if "opens issue" in line:
        demo.send_signal(number)
        demo.send_signal(number)
    return True


def test_ctrl_c_before_there_is_anything_to_end_has_the_same_exit_code(tmp_path: Path) -> None:
    body = tmp_path / "body"
    os.mkfifo(body)
    argv = [sys.executable, "-m", "bot", "dev", "sign", str(body)]
    with (
        subprocess.Popen(
            argv, env=environment(tmp_path), stderr=subprocess.PIPE, text=True
        ) as reading,
        body.open("wb"),
    ):  # opens when the program has opened it, too
        reading.send_signal(signal.SIGINT)
        _, said = reading.communicate(timeout=ENDS_S)
    assert (reading.returncode, said) == (130, "error: interrupted\n")
