"""`CHIMERA_CAGE=none` holds for whoever opens a cage: a demo and a local run, as for a server."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.test_wrong_things import chimera, environment, refused

SAID = "none: commands run with the rights of this process"
WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.test")


def test_a_demo_heeds_it_and_says_so(tmp_path: Path) -> None:
    env = environment(tmp_path, CHIMERA_CAGE="none")
    argv = [sys.executable, "-m", "bot", "demo"]
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        told = next(line for line in demo.stderr if line.startswith("  cage"))
        demo.send_signal(signal.SIGINT)
        demo.stderr.read()
    assert told.split(maxsplit=1) == ["cage", f"{SAID}\n"]
    assert demo.returncode == 130


def test_a_local_run_heeds_it_and_says_so(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "README.md").write_text("A shop.\n")
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*WHO, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=repository, check=True)
    words = ("run", "--repo", str(repository), "--agent", "command:true", "--json")
    done = chimera(tmp_path, *words, "--feature", "A farewell", CHIMERA_CAGE="none")
    assert json.loads(done.stdout)["cage"] == SAID, done.stderr


def test_a_demo_is_told_what_the_setting_may_be(tmp_path: Path) -> None:
    done = chimera(tmp_path, "demo", CHIMERA_CAGE="cardboard")
    refused(done, 78, "CHIMERA_CAGE: must be 'auto', 'bwrap' or 'none'")
