"""What people install: the wheel holds everything, and works where there is no checkout."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from bot import __version__

pytestmark = [pytest.mark.slow, pytest.mark.pypi]

ROOT = Path(__file__).parents[2]
BUILD_S = 300
INSTALL_S = 900  #: some fifty packages, on a machine that does other things, too
DEMO_S = 300
WITHOUT = {"__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    words = ["wheel", "--quiet", "--no-deps", f"--wheel-dir={place}", str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words],
        capture_output=True, text=True, timeout=BUILD_S, check=False,
    )  # fmt: skip
    if done.returncode:
        _absent(f"the wheel cannot be built here: {done.stderr.strip()[-800:]}")
    [built] = place.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `chimera` of a virtual environment in which nothing else was installed."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, with_pip=True)
    done = subprocess.run(
        [str(place / "bin/python"), "-m", "pip", "install", "--quiet", str(wheel)],
        capture_output=True, text=True, timeout=INSTALL_S, check=False,
    )  # fmt: skip
    if done.returncode:
        _absent(f"the wheel cannot be installed here: {done.stderr.strip()[-800:]}")
    return place / "bin/chimera"


def _absent(what: str) -> None:
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(what)
    pytest.skip(what)


def chimera(program: Path, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The installed program, outside the checkout and with nothing of this environment's."""
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(place), "LANG": "C.UTF-8"}
    return subprocess.run(
        [str(program), *words], cwd=place, env=env,
        capture_output=True, text=True, timeout=DEMO_S, check=False,
    )  # fmt: skip


def _files(folder: str) -> Iterator[PurePosixPath]:
    """The files below a folder of the checkout that are not made by tools."""
    for path in (ROOT / folder).rglob("*"):
        if path.is_file() and not WITHOUT & set(path.parts) and path.suffix != ".pyc":
            yield PurePosixPath(path.relative_to(ROOT))


def test_the_wheel_holds_every_file_of_the_program_and_nothing_else(wheel: Path) -> None:
    names = {PurePosixPath(name) for name in zipfile.ZipFile(wheel).namelist()}
    program = set(_files("bot"))
    shipped = {PurePosixPath("bot/_config", *path.parts[1:]) for path in _files("config")}
    for needed in (
        "bot/demo/shop/.github/workflows/deploy.yml",
        "bot/demo/shop/.gitignore",
        "bot/localhub/checkout_action/action.yml",
        "bot/_config/prompts/guardian.md",
        "bot/_config/chimera.schema.json",
        "bot/py.typed",
    ):
        assert PurePosixPath(needed) in program | shipped
    assert program | shipped <= names
    others = {name.parts[0] for name in names - program - shipped}
    assert others == {f"chimera_bot-{__version__}.dist-info"}


def test_the_installed_program_says_its_version_and_its_configuration(
    installed: Path, tmp_path: Path
) -> None:
    version = chimera(installed, tmp_path, "version", "--json")
    assert (version.returncode, version.stderr) == (0, "")
    assert json.loads(version.stdout)["version"] == __version__
    shown = chimera(installed, tmp_path, "config", "show", "--json")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["checks.test"] == {"value": "pytest -q", "origin": "default"}


def test_the_installed_program_runs_the_demo_to_its_end(installed: Path, tmp_path: Path) -> None:
    done = chimera(installed, tmp_path, "demo", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["task"]["status"] == "COMPLETED"
    assert document["hub"]["pulls"][0]["merged"] is True
