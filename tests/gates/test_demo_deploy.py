"""The sample application's deploy.yml, really run: act, git, a served process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.demo.ports import free_port
from bot.demo.sample import LEFT_OUT, SHOP
from bot.localhub import act

WHO = ("-c", "user.name=t", "-c", "user.email=t@example.test")


def git(folder: Path, *words: str) -> str:
    command = ["git", *WHO, *words]
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


class Place:
    """A hub's bare repository, a checkout of it, and a folder to deploy to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkout = root / "checkout"
        self.bare = root / "hub" / "o" / "shop.git"
        self.ports = {"staging": free_port(), "production": free_port()}
        for name in ("home", "cache", "deploy"):
            (root / name).mkdir()
        shutil.copytree(SHOP, self.checkout, ignore=shutil.ignore_patterns(*LEFT_OUT))
        git(self.checkout, "init", "-qb", "main")
        git(root, "init", "-q", "--bare", str(self.bare))
        git(self.bare, "config", "uploadpack.allowAnySHA1InWant", "true")
        self.base = self.commit("base")

    def commit(self, message: str) -> str:
        git(self.checkout, "add", "-A")
        git(self.checkout, "commit", "-qm", message)
        git(self.checkout, "push", "-q", str(self.bare), "HEAD:refs/heads/main")
        return git(self.checkout, "rev-parse", "HEAD")

    def deploy(self, sha: str, environment: str = "staging") -> tuple[bool, str]:
        """Whether the run succeeded, and everything that it printed."""
        inputs = {"environment": environment, "sha": sha, "key": "task-1/staging/1.1"}
        event = self.root / "event.json"
        event.write_text(json.dumps({"inputs": inputs}))
        env = {
            "LOCALHUB_GIT": f"file://{self.root}/hub",
            "LOCALHUB_REPOSITORY": "o/shop",
            "LOCALHUB_SHA": self.base,
        }
        values = {
            "DEPLOY_ROOT": str(self.root / "deploy"),
            "STAGING_PORT": str(self.ports["staging"]),
            "PRODUCTION_PORT": str(self.ports["production"]),
            "PYTHON": sys.executable,
        }
        command = [act.find(), "workflow_dispatch", "--json", "--no-cache-server"]
        command += ["--no-skip-checkout", "-W", ".github/workflows/deploy.yml", "-e", str(event)]
        command += ["-P", "ubuntu-latest=-self-hosted", "--action-cache-path", f"{self.root}/cache"]
        command += ["--local-repository", f"actions/checkout@v4={act.CHECKOUT}"]
        for flag, pairs in (("--env", env), ("--var", values), ("--input", inputs)):
            command += [word for pair in pairs.items() for word in (flag, "=".join(pair))]
        clean = {"PATH": os.environ["PATH"], "HOME": f"{self.root}/home", "PAGER": "cat"}
        done = subprocess.run(
            command,
            cwd=self.checkout,
            env=clean,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.returncode == 0, done.stdout

    def version(self, environment: str = "staging") -> str | None:
        url = f"http://127.0.0.1:{self.ports[environment]}/version"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            return None

    def stop(self) -> None:
        for file in (self.root / "deploy").glob("*/shop.pid"):
            os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.stop()


def test_exactly_the_asked_commit_is_served_and_proven(place: Place) -> None:
    (place.checkout / "README.md").write_text("newer\n")
    newer = place.commit("newer")
    done, log = place.deploy(place.base)
    assert done, log
    assert place.version() == place.base
    assert f"::notice title=chimera-deployed::{place.base}" in log
    assert f"url=http://127.0.0.1:{place.ports['staging']}" in log

    done, log = place.deploy(newer)
    assert done, log
    assert place.version() == newer
    done, log = place.deploy(place.base, "production")
    assert done, log
    assert (place.version(), place.version("production")) == (newer, place.base)


def test_a_version_that_does_not_answer_with_its_commit_fails_the_run(place: Place) -> None:
    version = place.checkout / "shop" / "version.py"
    version.write_text(version.read_text().replace("return told", "return told[:7]"))
    sha = place.commit("short")
    done, log = place.deploy(sha)
    assert not done
    assert f"instead of {sha}" in log
    assert "chimera-deployed::" not in log
    assert place.version() is None


def test_an_application_that_does_not_start_fails_the_run_with_its_log(place: Place) -> None:
    (place.checkout / "shop" / "app.py").write_text("raise RuntimeError('no such table')\n")
    done, log = place.deploy(place.commit("broken"))
    assert not done
    assert "no such table" in log


@pytest.mark.parametrize("sha", ["main", "0" * 40, "$(touch x)", "abc; exit 0"])
def test_anything_but_a_commit_of_this_repository_is_refused(place: Place, sha: str) -> None:
    done, log = place.deploy(sha)
    assert not done
    assert "chimera-deployed::" not in log
    assert place.version() is None
    assert not (place.checkout / "x").exists()


def test_an_unknown_environment_is_refused(place: Place) -> None:
    done, log = place.deploy(place.base, "../elsewhere")
    assert not done
    assert "unknown environment" in log
