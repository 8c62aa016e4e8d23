"""`requirements.lock`: what the program is known to work with."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


def _lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def test_the_lock_has_a_version_of_every_dependency_that_the_project_accepts() -> None:
    pinned = {name: Version(version) for name, version in _PINNED.findall(_lock())}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for wanted in map(Requirement, project["dependencies"]):
        assert pinned[wanted.name.lower()] in wanted.specifier, wanted


def test_every_pin_has_a_hash_and_no_line_names_an_index() -> None:
    lock = _lock()
    pins = re.split(r"^(?=[a-z0-9])", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE), flags=re.M)
    assert all("--hash=sha256:" in pin for pin in pins if pin.strip())
    assert not re.search(r"://|--(?:extra-)?index|--find-links", lock)
