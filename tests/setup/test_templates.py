"""The files for a repository: they say what the code understands, and deploy.yml really runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config.layers import load_repo_config
from bot.config.repo import RepoConfig
from bot.localhub.state import Repository
from bot.setup.gifts import FILES, WORKFLOW, file_text
from bot.setup.shipped import shipped
from bot.workflow.deploying import NOTICE
from bot.workflow.repoconfig import PATH
from tests.setup.stand import Stand

SCRIPT = """set -eu
test "$(git rev-parse HEAD)" = "$2"
echo "deploying $(cat README.md) to $1"
"""


@pytest.mark.parametrize("deploys", [False, True])
def test_the_configuration_changes_nothing_but_what_it_says(deploys: bool) -> None:
    config = load_repo_config([(PATH, file_text(PATH, deploys=deploys).encode())]).config
    expected = "deploy.yml" if deploys else ""
    assert config.deploy.staging.workflow == config.deploy.production.workflow == expected
    assert deploys or config == RepoConfig()


def test_the_issue_form_puts_on_no_label() -> None:
    form = yaml.safe_load(shipped("templates/issue-form.yml"))
    assert "labels" not in form
    assert {"name", "description", "body"} <= set(form)
    assert [one["id"] for one in form["body"]] == ["feature", "acceptance", "target_url"]


def test_no_file_of_the_pull_request_is_a_workflow() -> None:
    assert not any(path.startswith(".github/workflows/") for path in FILES)


def test_a_running_deployment_is_never_cut_off() -> None:
    workflow = yaml.safe_load(shipped(WORKFLOW))
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert workflow["permissions"] == {"contents": "read"}
    assert "inputs.key" in workflow["run-name"]


async def deployed(stand: Stand, repo: Repository, **inputs: str) -> dict[str, Any]:
    """A dispatched run of the template, when it has ended."""
    given = {"environment": "staging", "key": "task-1/staging", **inputs}
    path = f"/repos/{repo.full_name}/actions"
    wish = {"ref": "main", "inputs": given, "return_run_details": True}
    made = await stand.olga.ask("POST", f"{path}/workflows/deploy.yml/dispatches", wish)
    await stand.hub.settle()
    found: dict[str, Any] = await stand.olga.ask("GET", f"{path}/runs/{made['workflow_run_id']}")
    return found


@pytest.fixture
async def shop(stand: Stand) -> Repository:
    """A repository with the template and a script that checks what it is given."""
    files = {
        "README.md": "the shop",
        ".github/workflows/deploy.yml": shipped(WORKFLOW),
        ".github/deploy.sh": SCRIPT,
    }
    variables = {"DEPLOY_URL": "http://127.0.0.1:9/staging"}
    return await asyncio.to_thread(
        stand.hub.create_repository, "acme", "deployed", files, variables=variables
    )


async def test_the_workflow_deploys_the_commit_that_was_asked_for(
    stand: Stand, shop: Repository
) -> None:
    stand.hub.set_role(shop, "olga", "admin")
    head = await stand.olga.ask("GET", f"/repos/{shop.full_name}/git/ref/heads/main")
    old = head["object"]["sha"]
    await stand.olga.push(shop, "main", {"README.md": "the newer shop"}, "newer")
    run = await deployed(stand, shop, sha=old)
    assert run["conclusion"] == "success", Path(stand.root)
    assert run["display_title"] == f"deploy staging {old} (task-1/staging)"
    jobs = await stand.olga.ask("GET", f"/repos/{shop.full_name}/actions/runs/{run['id']}/jobs")
    notes = await stand.olga.ask(
        "GET", f"/repos/{shop.full_name}/check-runs/{jobs['jobs'][0]['id']}/annotations"
    )
    assert [(one["title"], one["message"]) for one in notes] == [(NOTICE, old)]
    deployments = await stand.olga.ask("GET", f"/repos/{shop.full_name}/deployments")
    path = f"/repos/{shop.full_name}/deployments/{deployments[0]['id']}/statuses"
    newest = (await stand.olga.ask("GET", path))[0]
    assert (newest["state"], newest["environment_url"]) == (
        "success",
        "http://127.0.0.1:9/staging",
    )


@pytest.mark.parametrize("sha", ["main", "0" * 40, "$(touch /tmp/x)", "abc1234"])
async def test_the_workflow_refuses_what_is_not_that_commit(
    stand: Stand, shop: Repository, sha: str
) -> None:
    stand.hub.set_role(shop, "olga", "admin")
    assert (await deployed(stand, shop, sha=sha))["conclusion"] == "failure"
