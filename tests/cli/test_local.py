"""Commands that need no server: what they print, where, and how they end."""

import json
import os
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot import __version__
from bot.cli.main import cli
from bot.config.layers import flat_values
from bot.config.repo import RepoConfig

ROOT = Path(__file__).parents[2]


def chimera(*words: str, data_dir: Path | None = None) -> Result:
    """One command in this process, with no settings but the data directory."""
    clean: dict[str, str | None] = {name: None for name in os.environ if "CHIMERA" in name}
    env = {**clean, "CHIMERA_DATA_DIR": str(data_dir)} if data_dir is not None else clean
    return CliRunner().invoke(cli, words, env=env)


def spawned(*words: str) -> subprocess.CompletedProcess[str]:
    """One command as people run it."""
    argv = [sys.executable, "-m", "bot", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def test_help_is_quick_and_names_every_command() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = spawned("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 0
    for name in cli.commands:
        assert f"  {name} " in done.stdout
    assert spent <= 0.3


def test_no_heavy_library_is_imported_for_help() -> None:
    code = "import sys, bot.cli.main; print(*sys.modules)"
    argv = [sys.executable, "-c", code]
    loaded = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "httpx", "starlette", "asyncio", "structlog", "yaml"} & set(loaded)


def test_the_version_is_data() -> None:
    assert spawned("version").stdout == f"chimera {__version__}\n"
    document = json.loads(spawned("version", "--json").stdout)
    assert document["version"] == __version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(document["extras"]) == set(project["optional-dependencies"])
    assert all(document["extras"].values()), "the tests' own environment has them all"


@pytest.mark.parametrize(
    "words",
    [("nonsense",), ("task", "show"), ("task", "priority", "x", "11"), ("serve", "--port", "x")],
)
def test_wrong_usage_exits_2_without_a_traceback(words: tuple[str, ...]) -> None:
    done = chimera(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_bad_setting_exits_78_and_names_the_variable(tmp_path: Path) -> None:
    env = {"CHIMERA_PORT": "many"}
    done = CliRunner().invoke(cli, ["db", "upgrade", "--data-dir", str(tmp_path)], env=env)
    assert done.exit_code == 78
    assert "CHIMERA_PORT" in done.stderr
    assert done.stderr.startswith("error: ")


def test_a_token_is_printed_once_and_never_again(tmp_path: Path) -> None:
    made = chimera("token", "create", "ci", "--scope", "read", data_dir=tmp_path)
    token = made.stdout.strip()
    assert made.exit_code == 0
    assert token not in made.stderr
    assert str(tmp_path / "chimera.db") in made.stderr
    listed = chimera("token", "list", "--json", data_dir=tmp_path)
    [known] = json.loads(listed.stdout)["tokens"]
    assert (known["name"], known["scopes"], known["revoked_at"]) == ("ci", ["read"], None)
    assert token not in listed.stdout
    assert chimera("token", "revoke", known["id"], data_dir=tmp_path).exit_code == 0
    again = chimera("token", "revoke", known["id"], data_dir=tmp_path)
    assert again.exit_code == 1
    assert "Traceback" not in again.stderr
    text = chimera("token", "list", data_dir=tmp_path).stdout
    assert text.splitlines()[0].split()[:2] == ["ID", "NAME"]


def test_a_store_is_made_checked_and_backed_up(tmp_path: Path) -> None:
    assert chimera("db", "check", data_dir=tmp_path).exit_code == 1
    assert chimera("db", "upgrade", data_dir=tmp_path).exit_code == 1
    assert not (tmp_path / "chimera.db").exists()
    chimera("token", "create", "first", data_dir=tmp_path)
    assert chimera("db", "upgrade", data_dir=tmp_path).exit_code == 0
    checked = chimera("db", "check", "--json", data_dir=tmp_path)
    assert json.loads(checked.stdout)["ok"] is True
    chimera("token", "create", "kept", data_dir=tmp_path)
    copy = tmp_path / "copy" / "chimera.db"
    copy.parent.mkdir()
    assert chimera("db", "backup", str(copy), data_dir=tmp_path).exit_code == 0
    assert "kept" in chimera("token", "list", data_dir=copy.parent).stdout
    assert chimera("db", "backup", str(copy), data_dir=tmp_path).exit_code == 2


def test_a_broken_store_is_named_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "chimera.db").write_bytes(b"not a database at all" * 100)
    checked = chimera("db", "check", "--json", data_dir=tmp_path)
    assert checked.exit_code == 1
    assert json.loads(checked.stdout)["ok"] is False
    opened = chimera("token", "list", data_dir=tmp_path)
    assert opened.exit_code == 75
    assert "Traceback" not in opened.stderr


def test_a_configuration_is_checked_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "chimera.yml"
    file.write_text("version: 1\nlimits: { rounds: 2 }\n")
    assert chimera("config", "check", str(file)).exit_code == 0
    file.write_text("version: 1\nlimts: {}\n")
    done = chimera("config", "check", str(file))
    assert done.exit_code == 78
    assert f"{file}:2" in done.stderr
    found = chimera("config", "check", str(file), "--json")
    assert found.exit_code == 78
    assert json.loads(found.stdout)["problems"]


def test_every_value_is_shown_with_where_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "chimera.yml"
    file.write_text("version: 1\nlimits:\n  rounds: 2\n")
    shown = json.loads(chimera("config", "show", str(file), "--json").stdout)
    assert shown["limits.rounds"] == {"value": 2, "origin": f"{file}:3"}
    assert shown["limits.turns"]["origin"] == "default"
    told = chimera("config", "explain", "limits.rounds", str(file))
    assert told.stdout.startswith("limits.rounds = 2")
    assert chimera("config", "explain", "limits.round", str(file)).exit_code == 2


def test_every_key_of_the_configuration_is_explained(tmp_path: Path) -> None:
    missing = tmp_path / "none.yml"
    for key in flat_values(RepoConfig()):
        told = json.loads(chimera("config", "explain", key, str(missing), "--json").stdout)
        assert told["meaning"], key


def test_the_schema_is_json() -> None:
    assert "properties" in json.loads(chimera("config", "schema").stdout)
