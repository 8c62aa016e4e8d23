"""The unit: systemd has nothing against it, finds it hardened, and a cage can be made in it."""

import configparser
import re
from pathlib import Path

import pytest

from bot.config.environment import load_settings
from tests.docs.pages import fences
from tests.packaging.tools import ROOT, program, run

UNIT = ROOT / "config" / "systemd" / "chimera.service"
#: systemd's own measure, 0 (safe) to 10, times ten: 3.4 when this was written.
EXPOSURE = 35
#: Each of these makes it impossible for an unprivileged process to mount a /proc of its own, to
#: name the host in a namespace of its own, or to make namespaces at all.
BREAKS_THE_CAGE = {
    "ProtectKernelTunables",
    "ProtectKernelLogs",
    "ProtectProc",
    "ProcSubset",
    "ProtectHostname",
    "ProtectControlGroups",
    "MemoryDenyWriteExecute",
}
BWRAP_USES = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}  #: `--unshare-all`
#: What the pages have people write beside the unit.
DROP_INS = [
    fence.code
    for page in ("run-as-a-service.md", "change-a-secret.md")
    for fence in fences(ROOT / "docs" / "how-to" / page, "ini")
]


def test_the_pages_have_drop_ins() -> None:
    assert len(DROP_INS) == 3


@pytest.fixture
def unit() -> dict[str, list[str]]:
    """The directives of [Service]; some stand there more than once."""
    found: dict[str, list[str]] = {}
    section = UNIT.read_text(encoding="utf-8").split("[Service]", 1)[1].split("[Install]", 1)[0]
    for line in section.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def as_installed(folder: Path) -> Path:
    """The unit with a program that exists, for a checker that looks for it."""
    there = folder / UNIT.name
    there.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text()))
    return there


def test_systemd_has_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    done = run([program("systemd-analyze"), "verify", as_installed(tmp_path)])
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_finds_the_unit_hardened(tmp_path: Path) -> None:
    argv = ["security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}"]
    done = run([program("systemd-analyze"), *argv, as_installed(tmp_path)])
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_the_sandbox_can_be_made_under_the_unit(unit: dict[str, list[str]]) -> None:
    assert set(unit) & BREAKS_THE_CAGE == set()
    assert set(unit["RestrictNamespaces"][0].split()) == BWRAP_USES
    assert "AF_NETLINK" in unit["RestrictAddressFamilies"][0], "bubblewrap raises its loopback"
    refused = unit["SystemCallFilter"][0]
    assert refused.startswith("~")
    assert "@mount" not in refused


def test_every_variable_in_the_unit_is_one_that_the_server_reads(
    unit: dict[str, list[str]],
) -> None:
    given = dict(line.split("=", 1) for line in unit["Environment"])
    assert len(given) >= 4
    plain = {name: value for name, value in given.items() if "%" not in value}
    assert load_settings(plain).grace_s < int(unit["TimeoutStopSec"][0])
    for name in given:
        load_settings({name: ""})


def test_every_credential_is_loaded_where_it_is_looked_for(unit: dict[str, list[str]]) -> None:
    loaded = {line.split(":")[0] for line in unit["LoadCredential"]}
    looked_for = set(re.findall(r"%d/(\S+)", "\n".join(unit["Environment"])))
    assert loaded == looked_for


@pytest.mark.parametrize("drop_in", DROP_INS)
def test_a_drop_in_of_the_pages_is_one_that_systemd_and_the_server_take(
    drop_in: str, tmp_path: Path
) -> None:
    there = as_installed(tmp_path)
    beside = tmp_path / f"{UNIT.name}.d"
    beside.mkdir()
    (beside / "override.conf").write_text(drop_in)
    done = run([program("systemd-analyze"), "verify", there])
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    loaded = set(re.findall(r"^LoadCredential=([^:\n]+):", drop_in, re.MULTILINE))
    assert loaded == set(re.findall(r"%d/(\S+)", drop_in))
    for name in re.findall(r"([A-Z_]+)=", drop_in):
        load_settings({name: ""})


def test_systemd_would_say_what_is_wrong_with_a_drop_in(tmp_path: Path) -> None:
    there = as_installed(tmp_path)
    beside = tmp_path / f"{UNIT.name}.d"
    beside.mkdir()
    (beside / "override.conf").write_text("[Service]\nLoadCredentials=a:/b\n")
    assert "LoadCredentials" in run([program("systemd-analyze"), "verify", there]).stderr


def test_the_unit_notifies_and_is_watched(unit: dict[str, list[str]]) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(UNIT)
    assert parser["Service"]["Type"] == "notify"
    assert parser["Service"]["NotifyAccess"] == "main"
    assert int(parser["Service"]["WatchdogSec"]) >= 30
