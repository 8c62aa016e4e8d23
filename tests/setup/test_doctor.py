"""`chimera doctor` on a hub: what is well is said, and each thing that is wrong has its line."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.config.choices import MergeMethod
from bot.config.environment import load_settings
from bot.config.repo import Pull, RepoConfig
from bot.config.settings import Settings
from bot.errors import ConfigError
from bot.github.git_program import git_version
from bot.github.types import Rules
from bot.localhub.state_apps import App
from bot.setup.connection import skew
from bot.setup.doctor import Wanted, examine
from bot.setup.finding import Finding, Mark, exit_code
from bot.setup.gifts import labels_of
from bot.setup.registration import manifest_of
from bot.setup.rules import HOLD_UP, example_branch, rules_of_merge, rules_of_push
from bot.setup.shipped import shipped
from bot.setup.wish import Permit
from bot.setup.workflow_file import dispatch_problems
from tests.agents.modelserver import Call, Fault, ModelServer
from tests.setup.stand import Stand

DEPLOYS = """
version: 1
deploy:
  staging: {workflow: deploy.yml}
  production: {workflow: deploy.yml}
"""
FILES = {
    ".github/chimera.yml": DEPLOYS,
    ".github/workflows/deploy.yml": shipped("templates/deploy.yml"),
}


@dataclass
class Inbox:
    """Where the hub delivers; answers as told."""

    status: int = 202

    async def receive(self, _request: Request) -> Response:
        return Response(status_code=self.status)


@dataclass
class Ward:
    """An installed App, and its settings."""

    stand: Stand
    app: App
    inbox: Inbox
    installation_id: int

    def settings(self, **more: Any) -> Settings:
        return self.stand.settings(
            **{
                "app_id": self.app.id,
                "private_key": self.app.pem,
                "webhook_secret": self.app.webhook_secret,
                "api_url": self.stand.hub.api_url,
                "agents": {"coder": {"use": "command", "command": ["true"]}},
                **more,
            }
        )

    async def examined(self, *, now: float | None = None, **more: Any) -> list[Finding]:
        clock = self.stand.hub.world.now if now is None else lambda: now
        settings = self.settings(**more)
        return [one async for one in examine(settings, {}, Wanted(), now=clock)]


async def ward_on(
    stand: Stand,
    *,
    permit: Permit = Permit.STANDARD,
    granted: dict[str, str] | None = None,
    labels: bool = True,
) -> Ward:
    """An App of this permit on acme; `granted` where the account gave less."""
    inbox = Inbox()
    hub = stand.hub
    app = Starlette(routes=[Route("/webhook", inbox.receive, methods=["POST"])])
    hub.webhooks.transport = httpx.ASGITransport(app)
    manifest = manifest_of(permit)
    made = hub.register_app(
        "acme",
        "Chimera",
        hook_url="http://bot/webhook",
        permissions=manifest["default_permissions"],
        events=manifest["default_events"],
    )
    installation = hub.install(made.id, "acme", permissions=granted)
    if labels:
        for label, _ in labels_of(RepoConfig()):
            hub.world.label(stand.shop, label.name)
    await hub.settle()
    return Ward(stand=stand, app=made, inbox=inbox, installation_id=installation)


def texts(findings: Sequence[Finding], mark: Mark) -> str:
    return "\n".join(f"{one.area}: {one.text} → {one.fix}" for one in findings if one.mark is mark)


async def test_what_is_well_is_said_to_be(stand: Stand) -> None:
    await stand.olga.push(stand.shop, "main", FILES, "set up")
    stand.hub.set_environment(stand.shop, "staging")
    stand.hub.set_environment(stand.shop, "production")
    ward = await ward_on(stand)
    found = await ward.examined()
    agents = [one for one in found if one.area == "agents" and one.mark is Mark.BAD]
    assert [one.mark for one in found if one not in agents and one.mark is Mark.BAD] == []
    told = texts(found, Mark.GOOD)
    for said in (
        "the key works: Chimera",
        "the clocks agree",
        "asks for the permissions that it needs",
        "hears of the events that it needs",
        "goes to http://bot/webhook",
        "deliveries arrived",
        "has granted all",
        "requests are left this hour",
        "acme/shop: .github/chimera.yml is valid",
        "acme/shop: has every label",
        "deploy.yml takes a dispatch with our inputs",
        "environment 'production' exists",
        "no rules on main",
    ):
        assert said in told


async def test_every_finding_that_is_not_well_has_a_fix(stand: Stand) -> None:
    await stand.olga.push(stand.shop, "main", {".github/chimera.yml": DEPLOYS}, "half")
    stand.hub.configure(stand.shop, required_checks=["chimera / production", "build"])
    ward = await ward_on(stand, permit=Permit.LEAST, labels=False)
    found = await ward.examined()
    wanting = [one.text for one in found if one.mark is not Mark.GOOD and not one.fix]
    assert wanting == []
    assert exit_code(found) == 1


async def test_another_key_is_told_without_showing_it(stand: Stand) -> None:
    ward = await ward_on(stand)
    other = stand.hub.register_app("acme", "Other", permissions={}, events=[])
    found = await ward.examined(private_key=other.pem)
    told = texts(found, Mark.BAD)
    assert f"the key of App {ward.app.id} is not accepted" in told
    assert other.pem.splitlines()[1] not in told
    assert exit_code(found) == 1


async def test_a_key_that_is_none_is_a_finding_like_any_other(stand: Stand) -> None:
    none = "-----BEGIN RSA PRIVATE KEY-----\nZm9v\n-----END RSA PRIVATE KEY-----\n"
    found = await (await ward_on(stand)).examined(private_key=none)
    told = texts(found, Mark.BAD)
    assert "settings: the App's private key is not an unencrypted PEM key" in told
    assert "Download a new key" in told
    assert "the clocks agree" in texts(found, Mark.GOOD)


async def test_an_app_of_another_number_is_not_taken_for_a_wrong_key(stand: Stand) -> None:
    told = texts(await (await ward_on(stand)).examined(app_id=99_999), Mark.BAD)
    assert "knows no App 99999" in told
    assert "Set CHIMERA_APP_ID to the number" in told
    assert "new key" not in told


async def test_a_repository_without_the_app_is_told_when_it_is_asked_for(stand: Stand) -> None:
    ward = await ward_on(stand)
    settings, now = ward.settings(), stand.hub.world.now
    for name, wrong in (("acme/nope", True), ("Acme/Shop", False)):
        wanted = Wanted(repository=name)
        found = [one async for one in examine(settings, {}, wanted, now=now)]
        told = texts(found, Mark.BAD)
        assert ("acme/nope: the App is not installed on such a repository" in told) is wrong


async def test_missing_events_and_permissions_come_with_their_page(stand: Stand) -> None:
    ward = await ward_on(stand)
    page = f"{stand.hub.base_url}/organizations/acme/settings/apps/chimera/permissions"
    ward.app.events.remove("issue_comment")
    del ward.app.permissions["checks"]
    told = texts(await ward.examined(), Mark.BAD)
    assert f"does not hear of issue_comment → Subscribe to them: {page}" in told
    assert f"asks for too little to work → Add checks: write: {page}" in told


async def test_permissions_that_are_asked_for_and_not_granted_are_named(stand: Stand) -> None:
    ward = await ward_on(stand, granted={"contents": "read", "issues": "write"})
    told = texts(await ward.examined(), Mark.BAD)
    assert "installation on acme: has not granted" in told
    assert "contents: write" in told
    assert "issues: write" not in told


async def test_an_app_of_least_permissions_cannot_deploy_and_that_is_said(stand: Stand) -> None:
    await stand.olga.push(stand.shop, "main", FILES, "set up")
    ward = await ward_on(stand, permit=Permit.LEAST)
    found = await ward.examined()
    assert "cannot deploy by Actions workflows" in texts(found, Mark.WARNING)
    assert "its workflows cannot be dispatched" in texts(found, Mark.BAD)


async def test_failed_deliveries_are_counted_with_the_likely_cause(stand: Stand) -> None:
    ward = await ward_on(stand)
    ward.inbox.status = 401
    await stand.olga.open_issue(stand.shop, "one")
    await stand.hub.settle()
    told = texts(await ward.examined(), Mark.WARNING)
    assert "1 of the last" in told
    assert "(401)" in told
    assert "secrets of GitHub and CHIMERA_WEBHOOK_SECRET differ" in told
    assert "chimera deliveries sweep" in told


async def test_an_app_that_is_installed_nowhere_or_suspended_is_told(stand: Stand) -> None:
    ward = await ward_on(stand)
    stand.hub.suspend(ward.installation_id)
    assert "is suspended" in texts(await ward.examined(), Mark.WARNING)
    stand.hub.uninstall(ward.installation_id)
    told = texts(await ward.examined(), Mark.BAD)
    assert "installed nowhere" in told
    assert "/installations/new" in told


async def test_a_broken_configuration_is_told_with_its_line(stand: Stand) -> None:
    broken = {".github/chimera.yml": "version: 1\nlimits:\n  roundz: 3\n"}
    await stand.olga.push(stand.shop, "main", broken, "typo")
    told = texts(await (await ward_on(stand)).examined(), Mark.BAD)
    assert ".github/chimera.yml:3:3: unknown key 'roundz'. Did you mean 'rounds'?" in told


async def test_a_missing_workflow_comes_with_the_page_that_makes_it(stand: Stand) -> None:
    await stand.olga.push(stand.shop, "main", {".github/chimera.yml": DEPLOYS}, "half")
    told = texts(await (await ward_on(stand)).examined(), Mark.BAD)
    assert ".github/workflows/deploy.yml is not on main" in told
    assert f"{stand.hub.base_url}/acme/shop/new/main?filename=.github%2Fworkflows" in told


async def test_a_workflow_that_is_there_and_broken_is_not_called_missing(stand: Stand) -> None:
    broken = {**FILES, ".github/workflows/deploy.yml": "on: [\n"}
    await stand.olga.push(stand.shop, "main", broken, "broken")
    told = texts(await (await ward_on(stand)).examined(), Mark.BAD)
    assert ".github/workflows/deploy.yml: it is not readable as YAML" in told
    assert "is not on main" not in told


async def test_steps_for_another_agent_that_cannot_be_done_here_are_named(stand: Stand) -> None:
    steps = "jobs: {copilot-setup-steps: {steps: [{uses: actions/setup-node@v4}, {run: npm ci}]}}"
    path = ".github/workflows/copilot-setup-steps.yml"
    await stand.olga.push(stand.shop, "main", {path: steps}, "steps")
    ward = await ward_on(stand)
    told = texts(await ward.examined(), Mark.WARNING)
    assert f"acme/shop: {path}: step 1 (actions/setup-node@v4) is an action" in told
    assert "write `setup` in chimera.yml" in told
    own = {".github/chimera.yml": "version: 1\nsetup: [npm ci]\n"}
    await stand.olga.push(stand.shop, "main", own, "ours")
    assert "setup-node" not in texts(await ward.examined(), Mark.WARNING)


def asked(*kinds: str) -> Rules:
    return Rules(kinds=kinds, required_checks=(), merge_queue=False, approvals=0)


@pytest.mark.parametrize("kind", [*HOLD_UP])
def test_a_rule_that_a_merge_may_fail_at_is_told(kind: str) -> None:
    found = rules_of_merge("a/b", "main", asked(kind), RepoConfig(), hears_queue=True)
    [line] = texts(list(found), Mark.WARNING).splitlines()
    assert line.startswith("a/b: main ")
    assert "→ " in line


def test_a_linear_history_and_merge_commits_do_not_go_together() -> None:
    rules = asked("required_linear_history", "non_fast_forward", "deletion")
    for method, wrong in (("merge", True), ("squash", False)):
        config = RepoConfig(pull=Pull(merge=MergeMethod(method)))
        found = list(rules_of_merge("a/b", "main", rules, config, hears_queue=True))
        assert [one.mark for one in found] == [Mark.BAD] * wrong


def test_rules_that_hold_for_our_branches_are_told_before_the_first_push() -> None:
    example = example_branch(RepoConfig(pull=Pull(branch="bot/{task}/{issue}-{slug}")))
    assert example == "bot/chimera-example/1-example"
    rules = asked("creation", "deletion", "branch_name_pattern")
    told = texts(list(rules_of_push("a/b", example, rules)), Mark.WARNING)
    assert f"a push to {example} meets the rules creation, branch_name_pattern" in told
    assert list(rules_of_push("a/b", example, asked("deletion"))) == []


async def test_rules_that_would_hold_up_a_merge_are_told(stand: Stand) -> None:
    stand.hub.configure(
        stand.shop,
        required_checks=["chimera / task", "chimera / tests", "build"],
        required_approvals=2,
        merge_queue=True,
    )
    found = await (await ward_on(stand, permit=Permit.LEAST)).examined()
    wrong, known = texts(found, Mark.BAD), texts(found, Mark.WARNING)
    assert "requires the check chimera / tests" in wrong
    assert "queue that the App does not hear of" in wrong
    assert "requires the checks build" in known
    assert "a merge needs 2 approvals" in known


async def test_a_merge_queue_that_the_app_hears_of_is_well_and_without_its_event_is_not(
    stand: Stand,
) -> None:
    stand.hub.configure(stand.shop, merge_queue=True)
    ward = await ward_on(stand)
    assert "merges through its merge queue" in texts(await ward.examined(), Mark.GOOD)
    ward.app.events.remove("merge_group")
    told = texts(await ward.examined(), Mark.BAD)
    assert "queue that the App does not hear of" in told
    assert "subscribe it to the event merge_group" in told


async def test_without_the_trigger_label_nobody_can_start(stand: Stand) -> None:
    found = await (await ward_on(stand, labels=False)).examined()
    assert "lacks the labels chimera, chimera:queued" in texts(found, Mark.BAD)


async def test_a_server_that_does_not_answer_is_69_and_not_a_traceback(stand: Stand) -> None:
    ward = await ward_on(stand)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/api/v3"
        found = await ward.examined(api_url=url)
    assert exit_code(found) == 69
    assert "does not answer" in texts(found, Mark.BAD)


async def test_a_credentials_file_that_others_can_read_is_wrong(stand: Stand) -> None:
    ward = await ward_on(stand)
    stand.data_dir.mkdir()
    path = stand.data_dir / "settings.yml"
    path.write_text("port: 8001\n")
    path.chmod(0o644)
    assert f"chmod 600 {path}" in texts(await ward.examined(), Mark.BAD)
    path.chmod(0o600)
    assert f"chmod 600 {path}" not in texts(await ward.examined(), Mark.BAD)


async def test_a_clock_that_github_would_refuse_is_wrong(stand: Stand) -> None:
    ward = await ward_on(stand)
    ahead = await ward.examined(now=stand.hub.world.now() + 7_200)
    assert "s ahead, and GitHub refuses what we sign" in texts(ahead, Mark.BAD)


@pytest.mark.parametrize(
    ("off_s", "mark"),
    [(0, Mark.GOOD), (45, Mark.WARNING), (90, Mark.BAD), (-300, Mark.WARNING), (-900, Mark.BAD)],
)
def test_a_clock_is_judged_by_what_a_signature_bears(off_s: int, mark: Mark) -> None:
    at = 1_772_366_400  # Sun, 01 Mar 2026 12:00:00 GMT
    assert skew("Sun, 01 Mar 2026 12:00:00 GMT", at + off_s).mark is mark


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("on: push", "no `on: workflow_dispatch`"),
        ("on: [push, workflow_dispatch]", "lacks the inputs environment, sha, key"),
        ("- a", "not a workflow"),
        ("{", "not readable"),
        (
            "run-name: ${{ inputs.key }}\non:\n  workflow_dispatch:\n    inputs:\n"
            "      environment: {}\n      sha: {}\n      key: {}\n      team: {required: true}\n",
            "requires the input 'team'",
        ),
        (
            "on:\n  workflow_dispatch:\n    inputs: {sha: {type: boolean}, key: , environment:"
            " {type: choice, options: [production, qa]}}\n",
            "its input 'sha' is a boolean, and gets a string; "
            "its input 'environment' has no option staging",
        ),
    ],
)
def test_a_workflow_that_would_refuse_a_dispatch_is_told(text: str, told: str) -> None:
    assert told in "; ".join(dispatch_problems(text.encode(), ["staging", "production"]))


def test_our_own_template_takes_our_dispatch() -> None:
    assert dispatch_problems(shipped("templates/deploy.yml").encode()) == []


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("git version 2.39.5", (2, 39)),
        ("git version 2.50.1 (Apple Git-155)", (2, 50)),
        ("?", (0, 0)),
    ],
)
def test_the_version_of_git_is_read(text: str, version: tuple[int, int]) -> None:
    assert git_version(text) == version


async def test_a_model_is_asked_only_when_that_is_wanted(stand: Stand) -> None:
    ready = Call(tool="say", arguments={"word": "ready"})
    async with ModelServer([ready]).running() as models:
        named = {"use": "llm", "model": "openai-chat:gpt-4o", "base_url": f"{models.url}/v1"}
        keys = {"openai": "sk-canary-of-the-doctor"}
        settings = stand.settings(agents={"coder": named}, model_keys=keys)
        unasked = [one async for one in examine(settings, {}, Wanted())]
        assert models.heard == []
        asked = [one async for one in examine(settings, {}, Wanted(models=True))]
        models.says_now(Fault(status=401))
        refused = [one async for one in examine(settings, {}, Wanted(models=True))]
    assert "openai-chat:gpt-4o answers" in texts(asked, Mark.GOOD)
    assert "openai-chat:gpt-4o answers" not in texts(unasked, Mark.GOOD)
    assert "openai-chat:gpt-4o does not answer" in texts(refused, Mark.BAD)
    assert "sk-canary" not in texts(refused, Mark.BAD)


def typed(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`chimera …` in a process of its own, with nothing of ours set."""
    clean = {name: value for name, value in os.environ.items() if "CHIMERA" not in name}
    return subprocess.run(
        [sys.executable, "-m", "bot", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, "CHIMERA_DATA_DIR": str(folder), **env},
    )


def test_the_command_prints_json_and_exits_with_1(tmp_path: Path) -> None:
    done = typed(tmp_path, "doctor", "--offline", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"]) == (1, False)
    areas = {one["area"] for one in document["findings"]}
    assert {"settings", "store", "git", "cage", "agents"} <= areas


def test_settings_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    done = typed(tmp_path, "doctor", "--offline", CHIMERA_PORT="many")
    assert done.returncode == 1
    assert done.stdout.startswith("✗ settings: CHIMERA_PORT")
    assert "Traceback" not in done.stderr


def test_what_setup_wrote_lies_under_everything_else(tmp_path: Path) -> None:
    """The file in the data directory counts, and the environment goes before it."""
    (tmp_path / "settings.yml").write_text("port: 8123\nlane_limit: 3\n")
    environ = {"CHIMERA_DATA_DIR": str(tmp_path)}
    assert load_settings(environ).port == 8123
    both = load_settings({**environ, "PORT": "9000"})
    assert (both.port, both.lane_limit) == (9000, 3)
    (tmp_path / "settings.yml").write_text("prot: 1\n")
    with pytest.raises(ConfigError, match=r"settings\.yml:1:1: no such setting 'prot'"):
        load_settings(environ)
