"""Actions workflows and their runs; deployments and environments.

https://docs.github.com/en/rest/actions and https://docs.github.com/en/rest/deployments
"""

from collections.abc import Mapping

from bot.errors import Conflict, Refused
from bot.github import names
from bot.github.calls import RepoCalls, in_url
from bot.github.fields import Fields
from bot.github.types import (
    DeploymentInfo,
    DeploymentStatus,
    Environment,
    Job,
    Run,
    Workflow,
)

MAX_INPUTS = 25


class ActionsCalls(RepoCalls):
    """What we do with workflows, runs and what they deploy."""

    async def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> int | None:
        """Start a workflow file (`deploy.yml`) on a branch or tag; the run's id where GitHub says.

        Servers that do not know `return_run_details` answer 204, and the run is found by what
        its `run-name` echoes. Raises Refused with 422 where the workflow takes no dispatch or
        not these inputs.
        """
        if len(inputs) > MAX_INPUTS:
            raise names.BadName(f"{len(inputs)} inputs; GitHub takes {MAX_INPUTS}")
        body = {"ref": names.ref(ref), "inputs": dict(inputs), "return_run_details": True}
        path = f"/actions/workflows/{in_url(workflow)}/dispatches"
        answer = await self._send("POST", path, body)
        return Fields(answer.json()).number("workflow_run_id") or None

    async def workflows(self) -> list[Workflow]:
        found = await self._list("/actions/workflows", of="workflows")
        return [_workflow(one) for one in found]

    async def runs(
        self, *, since: str = "", event: str = "", workflow: str = "", branch: str = ""
    ) -> list[Run]:
        """Runs, newest first; `since` is ISO 8601, `workflow` a file's name."""
        params = {"event": event, "branch": branch, "created": f">={since}" if since else ""}
        given = {name: value for name, value in params.items() if value}
        path = f"/actions/workflows/{in_url(workflow)}/runs" if workflow else "/actions/runs"
        return [_run(one) for one in await self._list(path, given, of="workflow_runs")]

    async def run(self, run_id: int) -> Run:
        return _run(await self._get(f"/actions/runs/{names.number(run_id)}"))

    async def jobs(self, run_id: int) -> list[Job]:
        """The jobs of a run's last attempt; `annotations(job.id)` has what they said."""
        path = f"/actions/runs/{names.number(run_id)}/jobs"
        return [_job(one) for one in await self._list(path, of="jobs")]

    async def job_log(self, job_id: int, *, limit: int) -> str:
        """The end of a job's log, at most `limit` characters."""
        path = f"{self._base}/actions/jobs/{names.number(job_id)}/logs"
        answer = await self.github.get(path, installation_id=self._installation_id)
        return answer.body.decode("utf-8", "replace")[-limit:]

    async def cancel_run(self, run_id: int) -> None:
        """Ask for cancellation; fine where the run has ended."""
        try:
            await self._send("POST", f"/actions/runs/{names.number(run_id)}/cancel")
        except Conflict:
            return

    async def answer_protection(
        self, run_id: int, *, environment: str, approved: bool, comment: str
    ) -> None:
        """Answer for the custom deployment protection rule that asked about this run."""
        body = {
            "environment_name": environment,
            "state": "approved" if approved else "rejected",
            "comment": comment,
        }
        path = f"/actions/runs/{names.number(run_id)}/deployment_protection_rule"
        await self._send("POST", path, body)

    async def deployments(
        self, *, sha: str = "", environment: str = "", ref: str = ""
    ) -> list[DeploymentInfo]:
        """Deployments, newest first."""
        params = {"sha": sha and names.sha(sha), "environment": environment, "ref": ref}
        given = {name: value for name, value in params.items() if value}
        return [_deployment(one) for one in await self._list("/deployments", given)]

    async def deployment_statuses(self, deployment_id: int) -> list[DeploymentStatus]:
        """The statuses of a deployment, newest first."""
        path = f"/deployments/{names.number(deployment_id)}/statuses"
        return [_deployment_status(one) for one in await self._list(path)]

    async def environments(self) -> list[Environment]:
        """The repository's environments; none where they were never used."""
        try:
            found = await self._list("/environments", of="environments")
        except Refused as error:
            if not error.missing:
                raise
            return []
        return [_environment(one) for one in found]


def _workflow(given: Fields) -> Workflow:
    return Workflow(
        id=given.number("id"),
        name=given.text("name"),
        path=given.text("path"),
        state=given.text("state"),
    )


def _run(given: Fields) -> Run:
    return Run(
        id=given.number("id"),
        workflow=given.text("path").partition("@")[0],
        title=given.text("display_title"),
        event=given.text("event"),
        status=given.text("status"),
        conclusion=given.text("conclusion"),
        head_branch=given.text("head_branch"),
        head_sha=given.text("head_sha"),
        attempt=given.number("run_attempt"),
        html_url=given.text("html_url"),
        created_at=given.text("created_at"),
    )


def _job(given: Fields) -> Job:
    failed = (step for step in given.items("steps") if step.text("conclusion") == "failure")
    return Job(
        id=given.number("id"),
        name=given.text("name"),
        status=given.text("status"),
        conclusion=given.text("conclusion"),
        failed_steps=tuple(step.text("name") for step in failed),
        html_url=given.text("html_url"),
    )


def _deployment(given: Fields) -> DeploymentInfo:
    return DeploymentInfo(
        id=given.number("id"),
        sha=given.text("sha"),
        ref=given.text("ref"),
        environment=given.text("environment"),
        task=given.text("task"),
        created_at=given.text("created_at"),
    )


def _deployment_status(given: Fields) -> DeploymentStatus:
    return DeploymentStatus(
        id=given.number("id"),
        state=given.text("state"),
        environment_url=given.text("environment_url"),
        log_url=given.text("log_url"),
        description=given.text("description"),
    )


def _environment(given: Fields) -> Environment:
    return Environment(
        name=given.text("name"),
        html_url=given.text("html_url"),
        protection=tuple(rule.text("type") for rule in given.items("protection_rules")),
    )
