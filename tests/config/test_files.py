"""The files in `config/` say what the code does."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from bot.config.layers import flat_values, load_repo_config
from bot.config.repo import RepoConfig, json_schema
from bot.config.safety import rule_for

CONFIG = Path(__file__).parents[2] / "config"
DEFAULTS = CONFIG / "chimera.yml"
MANIFESTS = sorted(CONFIG.glob("app-manifest*.json"))


def test_the_documented_defaults_are_the_defaults() -> None:
    effective = load_repo_config([("chimera.yml", DEFAULTS.read_bytes())])
    assert effective.config == RepoConfig()
    assert effective.notes == ()


def test_every_key_is_documented() -> None:
    effective = load_repo_config([("chimera.yml", DEFAULTS.read_bytes())])
    assert set(effective.origins) == set(flat_values(RepoConfig())) - {"commands"}
    assert "commands" in yaml.safe_load(DEFAULTS.read_text())


def test_exactly_the_safety_keys_are_marked() -> None:
    effective = load_repo_config([("chimera.yml", DEFAULTS.read_bytes())])
    lines = DEFAULTS.read_text().splitlines()
    whole_sections = {"limits", "cage"}
    for key, origin in effective.origins.items():
        line = lines[int(origin.rpartition(":")[2]) - 1]
        marked = "(safety)" in line or key.partition(".")[0] in whole_sections
        assert marked == (rule_for(tuple(key.split("."))) is not None), key


def test_the_committed_schema_is_current() -> None:
    """`chimera config schema > config/chimera.schema.json` makes it so."""
    assert json.loads((CONFIG / "chimera.schema.json").read_text()) == json_schema()


def test_the_defaults_name_the_schema_for_editors_and_fit_it() -> None:
    first = DEFAULTS.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./chimera.schema.json"
    jsonschema_rs.validator_for(json_schema()).validate(yaml.safe_load(DEFAULTS.read_text()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2},
        {"limits": {"round": 1}},
        {"limits": {"rounds": 0}},
        {"commands": {"aprove": "admin"}},
        {"deploy": {"production": {"approval": "never"}}},
        {"labels": {"queued": {"color": "red", "name": "x"}}},
    ],
)
def test_the_schema_refuses_what_the_model_refuses(wrong: dict[str, Any]) -> None:
    assert not jsonschema_rs.validator_for(json_schema()).is_valid(wrong)


def test_every_key_of_the_schema_has_a_description() -> None:
    schema = json_schema()
    for section in [schema, *schema["$defs"].values()]:
        for name, key in section.get("properties", {}).items():
            assert key.get("description"), name


def test_a_label_may_be_renamed_without_a_colour_for_editors_too() -> None:
    validator = jsonschema_rs.validator_for(json_schema())
    assert validator.is_valid({"labels": {"queued": {"name": "later"}}})


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_asks_for_no_power_over_settings_secrets_or_workflows(path: Path) -> None:
    asked = json.loads(path.read_text())["default_permissions"]
    assert not {"administration", "secrets", "workflows", "environments"} & set(asked)
    assert not any(key.startswith("organization") for key in asked)
    assert asked["metadata"] == "read"
    assert "admin" not in asked.values()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_asks_for_the_permission_of_each_event(path: Path) -> None:
    """By https://docs.github.com/webhooks/webhook-events-and-payloads."""
    manifest = json.loads(path.read_text())
    needed = {
        "check_run": "checks",
        "check_suite": "checks",
        "deployment_protection_rule": "deployments",
        "deployment_status": "deployments",
        "issue_comment": "issues",
        "issue_dependencies": "issues",
        "issues": "issues",
        "merge_group": "merge_queues",
        "pull_request": "pull_requests",
        "pull_request_review": "pull_requests",
        "push": "contents",
        "repository": "metadata",
        "workflow_run": "actions",
    }
    for event in manifest["default_events"]:
        assert needed[event] in manifest["default_permissions"], event


def test_there_is_a_manifest_for_each_need() -> None:
    names = {path.stem.removeprefix("app-manifest") for path in MANIFESTS}
    assert names == {"", "-least"}
