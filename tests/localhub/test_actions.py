"""Workflows really executed by act: dispatches, deployments, gates, cancelling."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.localhub.shop import DEPLOY, Shop

LONG = """
name: Long
on: workflow_dispatch
jobs:
  wait:
    runs-on: ubuntu-latest
    steps:
      - run: echo $$ > "${{ vars.PID_FILE }}"; exec sleep 300
"""
BROKEN = """
name: CI
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: grep -q "return 2" app.py
  after:
    needs: test
    runs-on: ubuntu-latest
    steps:
      - run: echo never
  extra:
    if: github.event_name == 'never'
    runs-on: ubuntu-latest
    steps:
      - run: echo never
"""
SECRETIVE = """
name: Env
on: workflow_dispatch
jobs:
  show:
    runs-on: ubuntu-latest
    steps:
      - run: env | sort; echo "user=$GITHUB_ACTOR repo=$GITHUB_REPOSITORY"
"""

PAGING = """
name: Paging
on: workflow_dispatch
jobs:
  look:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: git config core.pager 'sleep 300' && git log -1
"""


async def dispatch(shop: Shop, body: Any, workflow: str = "deploy.yml") -> Any:
    return await shop.bot("POST", f"/actions/workflows/{workflow}/dispatches", body)


async def start(shop: Shop, env: str = "staging", **inputs: str) -> int:
    sha = (await shop.bot("GET", "/git/ref/heads/main")).json()["object"]["sha"]
    given = {"env": env, "sha": sha, **inputs}
    answer = await dispatch(shop, {"ref": "main", "inputs": given, "return_run_details": True})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["workflow_run_id"])


async def run_of(shop: Shop, number: int) -> Any:
    return (await shop.bot("GET", f"/actions/runs/{number}")).json()


async def until(condition: Any, deadline_s: float = 10.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110 - what it waits for is another process
            await asyncio.sleep(0.01)


async def test_a_dispatch_deploys_for_real(shop: Shop) -> None:
    number = await start(shop, key="k-7")
    await shop.hub.settle()
    run = await run_of(shop, number)
    assert (run["status"], run["conclusion"]) == ("completed", "success")
    assert run["display_title"] == "deploy staging (k-7)"
    jobs = (await shop.bot("GET", f"/actions/runs/{number}/jobs")).json()["jobs"]
    assert [(job["name"], job["conclusion"]) for job in jobs] == [
        ("build", "success"),
        ("deploy", "success"),
    ]
    notes = (await shop.bot("GET", f"/check-runs/{jobs[0]['id']}/annotations")).json()
    assert [(one["path"], one["start_line"], one["message"]) for one in notes] == [
        ("app.py", 2, "greeting is hello")
    ]
    deployment = (await shop.bot("GET", "/deployments?environment=staging")).json()[0]
    assert deployment["creator"]["login"] == "github-actions[bot]"
    states = (await shop.bot("GET", f"/deployments/{deployment['id']}/statuses")).json()
    assert [one["state"] for one in states] == ["success", "in_progress"]
    assert states[0]["environment_url"] == "http://127.0.0.1:9/staging"
    assert shop.actions("workflow_run") == ["requested", "in_progress", "completed"]
    told = shop.events("deployment_status")[-1]
    assert told["deployment_status"]["environment_url"] == "http://127.0.0.1:9/staging"
    assert told["workflow_run"]["id"] == number
    listed = await shop.bot("GET", "/actions/runs?event=workflow_dispatch&status=success")
    assert [one["id"] for one in listed.json()["workflow_runs"]] == [number]
    log = await shop.bot("GET", f"/actions/jobs/{jobs[1]['id']}/logs")
    assert "url=http://127.0.0.1:9/staging" in log.text


async def test_the_wrong_commit_fails_the_run(shop: Shop) -> None:
    body = {"ref": "main", "inputs": {"env": "staging", "sha": "f" * 40}}
    assert (await dispatch(shop, body)).status_code == 204
    await shop.hub.settle()
    runs = (await shop.bot("GET", "/actions/runs")).json()["workflow_runs"]
    assert runs[0]["conclusion"] == "failure"
    jobs = (await shop.bot("GET", f"/actions/runs/{runs[0]['id']}/jobs")).json()["jobs"]
    assert [job["conclusion"] for job in jobs] == ["failure", "skipped"]
    assert (await shop.bot("GET", "/deployments")).json() == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"ref": "nowhere"}, "No ref found"),
        ({"ref": "main", "inputs": {"env": "staging"}}, "Required input 'sha' not provided"),
        ({"ref": "main", "inputs": {"env": "moon", "sha": "x"}}, "not in the list"),
        ({"ref": "main", "inputs": {"sha": "x", "env": "staging", "y": "1"}}, "Unexpected inputs"),
        ({"ref": "main", "inputs": {f"i{n}": "1" for n in range(26)}}, "25"),
    ],
)
async def test_a_wrong_dispatch_is_refused(shop: Shop, body: Any, said: str) -> None:
    answer = await dispatch(shop, body)
    assert answer.status_code == 422
    assert said in answer.json()["message"]


async def test_a_dispatch_takes_no_sha_and_no_unknown_workflow(shop: Shop) -> None:
    sha = (await shop.bot("GET", "/git/ref/heads/main")).json()["object"]["sha"]
    assert (await dispatch(shop, {"ref": sha})).status_code == 422
    assert (await dispatch(shop, {"ref": "main"}, "nothing.yml")).status_code == 404


async def test_a_protected_environment_waits_for_its_reviewer(shop: Shop) -> None:
    shop.hub.set_environment(shop.repo, "production", required_reviewers=["olga"])
    number = await start(shop, "production")
    await shop.hub.settle()
    assert (await run_of(shop, number))["status"] == "waiting"
    pending = (await shop.bot("GET", f"/actions/runs/{number}/pending_deployments")).json()
    assert pending[0]["environment"]["name"] == "production"
    with pytest.raises(Exception, match="403"):
        await shop.writer.approve_run(shop.repo, number)
    await shop.owner.approve_run(shop.repo, number, comment="go")
    await until(lambda: shop.repo.runs[number].status == "completed")
    assert (await run_of(shop, number))["conclusion"] == "success"
    approvals = (await shop.bot("GET", f"/actions/runs/{number}/approvals")).json()
    assert [(one["state"], one["user"]["login"]) for one in approvals] == [("approved", "olga")]


async def test_a_protection_rule_is_answered_by_its_app(shop: Shop) -> None:
    shop.hub.set_environment(shop.repo, "production", protection_apps=["chimera"])
    number = await start(shop, "production")
    asked = shop.events("deployment_protection_rule")[0]
    assert asked["environment"] == "production"
    body = {"environment_name": "production", "state": "rejected", "comment": "not now"}
    answer = await shop.bot("POST", asked["deployment_callback_url"], body)
    assert answer.status_code == 204
    await shop.hub.settle()
    assert (await run_of(shop, number))["conclusion"] == "failure"
    assert (await shop.bot("GET", "/deployments")).json()[0]["environment"] == "production"


async def test_runs_of_one_group_follow_each_other(shop: Shop) -> None:
    first, second = await start(shop), await start(shop)
    await shop.hub.settle()
    runs = shop.repo.runs
    assert [runs[n].conclusion for n in (first, second)] == ["success", "success"]
    assert (runs[second].started_at or 0) >= runs[first].updated_at


async def test_cancelling_ends_what_the_step_runs(shop: Shop, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    shop.hub.configure(shop.repo, variables={"PID_FILE": str(pid_file)})
    await shop.owner.push(shop.repo, "main", {".github/workflows/long.yml": LONG}, "long")
    number = await shop.owner.dispatch(shop.repo, "long.yml", "main", {})
    await until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
    pid = int(pid_file.read_text())
    assert (await shop.bot("POST", f"/actions/runs/{number}/cancel")).status_code == 202
    await shop.hub.settle()
    assert (await run_of(shop, number))["conclusion"] == "cancelled"
    await until(lambda: not Path(f"/proc/{pid}").exists())
    assert (await shop.bot("POST", f"/actions/runs/{number}/cancel")).status_code == 409


async def test_pushes_and_pull_requests_start_their_workflows(shop: Shop) -> None:
    await shop.owner.push(shop.repo, "main", {".github/workflows/ci.yml": BROKEN}, "ci")
    await shop.hub.settle()
    assert [run.conclusion for run in shop.repo.runs.values()] == ["failure"]
    jobs = next(iter(shop.repo.runs.values())).jobs
    assert [job.conclusion for job in jobs] == ["failure", "skipped", "skipped"]
    await shop.pull()
    await shop.hub.settle()
    green = [run for run in shop.repo.runs.values() if run.conclusion == "success"]
    assert sorted(run.event for run in green) == ["pull_request", "push"]


async def test_a_workflow_sees_nothing_of_our_environment(shop: Shop) -> None:
    os.environ["CANARY_SECRET"] = "canary-4711"
    try:
        await shop.owner.push(shop.repo, "main", {".github/workflows/env.yml": SECRETIVE}, "env")
        number = await shop.owner.dispatch(shop.repo, "env.yml", "main", {})
        await shop.hub.settle()
    finally:
        del os.environ["CANARY_SECRET"]
    log = "\n".join(shop.repo.runs[number].jobs[0].log)
    assert "user=olga repo=acme/shop" in log
    assert "canary-4711" not in log
    assert "ghs_" not in log


async def test_nothing_in_a_run_waits_for_a_reader(shop: Shop) -> None:
    """act gives each step a terminal, in which git starts a pager; a runner's step has none."""
    await shop.owner.push(shop.repo, "main", {".github/workflows/page.yml": PAGING}, "look")
    number = await shop.owner.dispatch(shop.repo, "page.yml", "main", {})
    await until(lambda: shop.repo.runs[number].conclusion is not None, deadline_s=30.0)
    assert shop.repo.runs[number].conclusion == "success"


async def test_what_a_workflow_leaves_running_outlives_the_run(shop: Shop) -> None:
    mark = shop.hub.work_dir / "pid"
    step = f"setsid nohup sleep 30 > /dev/null 2>&1 & echo $! > {mark}"
    source = DEPLOY.replace('run: echo "url=', f'run: {step}; echo "url=')
    path = ".github/workflows/deploy.yml"
    await shop.owner.push(shop.repo, "main", {path: source}, "serve")
    await start(shop)
    await shop.hub.settle()
    os.kill(int(mark.read_text()), 9)  # raises where it is gone


async def test_an_aborted_hub_leaves_no_run_behind(shop: Shop, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    shop.hub.configure(shop.repo, variables={"PID_FILE": str(pid_file)})
    await shop.owner.push(shop.repo, "main", {".github/workflows/long.yml": LONG}, "long")
    await shop.owner.dispatch(shop.repo, "long.yml", "main", {})
    await until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
    started = time.monotonic()
    await shop.hub.aclose()
    pid = int(pid_file.read_text())
    await until(lambda: not Path(f"/proc/{pid}").exists())
    assert time.monotonic() - started < 10
    assert os.listdir(shop.hub.world.root / "runs") == []
