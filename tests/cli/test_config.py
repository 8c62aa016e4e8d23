"""`chimera config`: what counts, where it was written, and what is wrong, before a push."""

import contextlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bot.cli.main import cli
from bot.config.repo import Staging, json_schema

OWN = "limits: {rounds: 5, turns: 2}\nsetup: [a]\n"
ORG = "setup: [b, c]\nlimits: {rounds: 2}\n"
SERVER = "limits: {cost_usd: 1}\n"


@pytest.fixture
def three(tmp_path: Path) -> list[str]:
    """A repository's file and the two that lie under it, as arguments."""
    for name, text in (("own.yml", OWN), ("org.yml", ORG), ("server.yml", SERVER)):
        (tmp_path / name).write_text(text)
    own, org, server = (str(tmp_path / f"{name}.yml") for name in ("own", "org", "server"))
    return [own, "--under", org, "--under", server]


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli, ["config", *words])


def test_every_value_comes_with_the_file_and_line_that_it_is_from(three: list[str]) -> None:
    shown = json.loads(typed("show", *three, "--json").stdout)
    origins = {
        key: Path(one["origin"]).name for key, one in shown.items() if one["origin"] != "default"
    }
    assert origins == {
        "setup": "own.yml:2",
        "limits.rounds": "org.yml:2",
        "limits.turns": "own.yml:1",
        "limits.cost_usd": "server.yml:1",
    }
    assert shown["limits.rounds"]["value"] == 2


def test_a_key_is_explained_with_the_wish_that_was_left_out(three: list[str]) -> None:
    told = typed("explain", "limits.rounds", *three)
    assert "limits.rounds = 2  (" in told.stdout
    assert "Times that the work may enter the code phase." in told.stdout
    assert f"{three[0]}:1:10: limits.rounds is 2: {three[2]}:2:10 binds it" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_section_is_explained_with_every_key_in_it(three: list[str]) -> None:
    told = typed("explain", "limits", *three)
    assert told.stdout.startswith("Where work stops.\n")
    assert "limits.rounds " in told.stdout
    assert "limits.open_pulls " in told.stdout
    assert "labels." not in told.stdout
    shown = json.loads(typed("explain", "deploy.staging", *three, "--json").stdout)
    assert set(shown["keys"]) == {f"deploy.staging.{key}" for key in Staging.model_fields}
    assert shown["keys"]["deploy.staging.environment"]["value"] == "staging"


@pytest.mark.parametrize("key", ["limits.round", "nonsense"])
def test_a_key_that_is_none_is_usage_with_a_hint(key: str) -> None:
    told = typed("explain", key, "nowhere.yml")
    assert told.exit_code == 2
    assert (
        "Did you mean 'limits.rounds'?" if key == "limits.round" else "lists them"
    ) in told.stderr


def test_the_problems_of_every_file_are_told(three: list[str]) -> None:
    Path(three[2]).write_text("limits: {roundz: 1}\n")
    told = typed("check", *three, "--json")
    assert told.exit_code == 78
    [problem] = json.loads(told.stdout)["problems"]
    assert problem.startswith(f"{three[2]}:1:10: unknown key 'roundz'")


def test_what_is_not_there_is_said_and_is_not_called_good(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        told = typed("check")
    usual = ".github/chimera.yml: not there; the defaults count\n"
    assert (told.exit_code, told.stderr) == (0, usual)


def test_a_file_that_was_named_and_is_not_there_is_a_mistake_of_who_named_it() -> None:
    told = typed("check", "chimrea.yml", "--json")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "chimrea.yml is not there" in told.stderr


def test_the_schema_is_the_models() -> None:
    assert json.loads(typed("schema").stdout) == json_schema()
