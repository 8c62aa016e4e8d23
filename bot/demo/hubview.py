"""What the hub shows of a task at the end, asked for as a person would: over its REST API."""

from collections import Counter
from typing import Any

from bot.domain import Task
from bot.localhub.hub import LocalHub
from bot.localhub.people import Person
from bot.localhub.state import Repository


async def document(
    hub: LocalHub, person: Person, repository: Repository, task: Task
) -> dict[str, Any]:
    """Branches, pulls, comments, reviews, check runs, labels, deployments, runs, calls."""
    calls = calls_of_the_bot(hub)
    base = f"/repos/{repository.full_name}"
    pulls = await person.ask("GET", f"{base}/pulls?state=all")
    issue = await person.ask("GET", f"{base}/issues/{task.issue}")
    return {
        "repository": f"{hub.base_url}/{repository.full_name}",
        "issue": {"number": issue["number"], "state": issue["state"]},
        "branches": [b["name"] for b in await person.ask("GET", f"{base}/branches")],
        "pulls": [
            {
                "number": pull["number"],
                "title": pull["title"],
                "head": pull["head"]["ref"],
                "sha": pull["head"]["sha"],
                "state": pull["state"],
                "draft": pull["draft"],
                "merged": pull["merged_at"] is not None,
            }
            for pull in pulls
        ],
        "comments": [
            {"id": comment["id"], "by": comment["user"]["login"], "body": comment["body"]}
            for comment in await person.ask("GET", f"{base}/issues/{task.issue}/comments")
        ],
        "reviews": [
            {"state": review["state"], "by": review["user"]["login"], "body": review["body"]}
            for pull in pulls
            for review in await person.ask("GET", f"{base}/pulls/{pull['number']}/reviews")
        ],
        "check_runs": [
            {
                "name": run["name"],
                "sha": run["head_sha"],
                "status": run["status"],
                "conclusion": run["conclusion"],
            }
            for pull in pulls
            for run in await _check_runs(person, base, pull["head"]["sha"])
        ],
        "labels": [label["name"] for label in issue["labels"]],
        "deployments": await _deployments(person, base),
        "runs": [
            {"id": run["id"], "title": run["display_title"], "conclusion": run["conclusion"]}
            for run in (await person.ask("GET", f"{base}/actions/runs"))["workflow_runs"]
        ],
        "calls": dict(sorted(calls.items())),
    }


def calls_of_the_bot(hub: LocalHub) -> Counter[str]:
    """How often the App called each route, minting of tokens included."""
    people = {account.login for account in hub.world.accounts.values() if account.kind == "User"}
    return Counter(call.route for call in hub.calls if call.actor not in people)


async def _check_runs(person: Person, base: str, sha: str) -> list[dict[str, Any]]:
    found = await person.ask("GET", f"{base}/commits/{sha}/check-runs?per_page=100")
    return list(found["check_runs"])


async def _deployments(person: Person, base: str) -> list[dict[str, Any]]:
    shown = []
    for one in await person.ask("GET", f"{base}/deployments"):
        statuses = await person.ask("GET", f"{base}/deployments/{one['id']}/statuses")
        newest = statuses[0] if statuses else {"state": "none", "environment_url": ""}
        shown.append(
            {
                "environment": one["environment"],
                "sha": one["sha"],
                "state": newest["state"],
                "url": newest.get("environment_url", ""),
            }
        )
    return shown
