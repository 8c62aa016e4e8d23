"""Runs that never end, vanish, or wait for somebody: every one has a deadline that is ours."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.domain import Actor, Task, WaitFor
from bot.errors import ConfigError, Parked, Uncertain
from bot.events import Deployed
from bot.facts import Deployment
from bot.github.repo import Repo
from bot.localhub.state import Repository
from bot.localhub.state_runs import Run
from bot.localhub.world import World
from bot.workflow.breakers import OPENS_AFTER
from bot.workflow.deploying import LOOK_EVERY_S, RULES_S, Standing, deploy, stand
from bot.workflow.phases.step import Ctx, Meter
from tests.conversation.desk import Desk, open_desk
from tests.workflow.test_ground import triage

DEPLOY = """
name: Deploy
run-name: deploy ${{ inputs.key }}
on:
  workflow_dispatch:
    inputs: { environment: {}, sha: {}, key: {} }
jobs:
  deploy: { runs-on: ubuntu-latest, steps: [{ run: "true" }] }
"""
FILE = ".github/workflows/deploy.yml"
PHASE_S = 30 * 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A task with a dispatched run that does nothing by itself."""

    desk: Desk
    task: Task
    ctx: Ctx
    repo: Repo
    made: Deployment

    @property
    def run(self) -> Run:
        return self.desk.repository.runs[self.made.run_id]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_desk(tmp_path, files={FILE: DEPLOY}) as desk:
        desk.hub.world.carry_out = never
        await desk.task(await desk.issue())
        task = await desk.house.queue.claim("a-test")
        assert task is not None
        ctx = await desk.house.contexts.context_for(task, Meter())
        assert ctx.repo is not None
        made = await deploy(task, ctx, ctx.repo, "deploy.yml", "staging", "a" * 40, "staging/1.1")
        yield Scene(desk=desk, task=task, ctx=ctx, repo=ctx.repo, made=made)
        await ctx.workspace.remove()


async def never(_world: World, _repo: Repository, _run: Run) -> None:
    await asyncio.Event().wait()


async def test_a_run_is_asked_about_when_deliveries_are_silent(scene: Scene) -> None:
    first = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
    assert (first.state, first.on) == (Standing.RUNNING, WaitFor.RUN)
    assert first.look_at == scene.desk.clock() + LOOK_EVERY_S
    scene.desk.clock.at += LOOK_EVERY_S
    later = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
    assert "has been queued for 5m 00s" in later.text


@pytest.mark.parametrize(
    ("workflow", "files", "why"),
    [
        ("nope.yml", {}, "`.github/workflows` of `main` has no such file"),
        (
            "deploy.yml",
            {FILE: DEPLOY.replace(", key: {}", "")},
            'Unexpected inputs provided: ["key"]',
        ),
        ("deploy.yml", {FILE: DEPLOY.replace("_dispatch", "_call")}, "workflow_dispatch"),
    ],
)
async def test_a_workflow_that_nobody_could_start_is_a_matter_of_configuration(
    scene: Scene, workflow: str, files: dict[str, str | bytes | None], why: str
) -> None:
    if files:
        await scene.desk.owner.push(scene.desk.repository, "main", files, "Another workflow")
    with pytest.raises(ConfigError) as told:
        await deploy(
            scene.task, scene.ctx, scene.repo, workflow, "staging", "a" * 40, "staging/1.2"
        )
    assert str(told.value).startswith(f"`{workflow}` cannot deploy to `staging`: ")
    assert why in str(told.value)
    answer = await triage(scene.desk).answer(scene.task, told.value)
    assert answer.verdict.wait is not None
    assert answer.verdict.wait.on is WaitFor.CONFIGURATION, "a push to the default branch wakes it"


async def test_a_run_that_never_ends_is_cancelled_once_and_counts_as_failed(scene: Scene) -> None:
    scene.run.status = "in_progress"
    scene.desk.clock.at += PHASE_S + 1
    for _ in range(2):
        found = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
        assert found.state is Standing.FAILED
        assert "took too long" in found.text
    assert scene.run.cancelled
    assert scene.desk.count("POST /repos/{owner}/{repo}/actions/runs/{run_id}/cancel") == 1


async def test_a_run_that_waits_for_reviewers_has_no_deadline_of_ours_and_says_so(
    scene: Scene,
) -> None:
    scene.run.status = "waiting"
    scene.desk.clock.at += 3 * 86_400
    found = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
    assert (found.state, found.on) == (Standing.RUNNING, WaitFor.ENVIRONMENT)
    assert "reviewers" in found.text
    assert not scene.run.cancelled


async def said(scene: Scene, state: str) -> None:
    """The delivery of a state of the run's deployment, read."""
    intake, ref = scene.desk.house.intake, scene.desk.ref
    await intake.act(
        Deployed(
            repo=ref,
            sender=Actor(login="github-actions[bot]", id=1, is_bot=True),
            deployment_id=1,
            environment="staging",
            state=state,
            environment_url="",
            run_id=scene.made.run_id,
        ),
        0,
    )


async def test_who_holds_a_run_up_is_named_as_soon_as_it_can_be_no_program(scene: Scene) -> None:
    scene.run.status = "waiting"
    await said(scene, "waiting")
    first = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
    assert (first.on, first.look_at) == (WaitFor.RUN, scene.desk.clock() + RULES_S)
    scene.desk.clock.at += RULES_S
    second = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
    assert (second.on, second.text.rpartition(" waits ")[2]) == (
        WaitFor.ENVIRONMENT,
        "for its reviewers",
    )


async def test_a_run_that_was_held_up_for_long_has_its_whole_time_once_it_is_let_go(
    scene: Scene,
) -> None:
    await said(scene, "waiting")
    scene.desk.clock.at += 3 * 86_400
    scene.run.status = "in_progress"
    await said(scene, "in_progress")
    found = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
    assert (found.state, found.on) == (Standing.RUNNING, WaitFor.RUN)
    scene.desk.clock.at += PHASE_S + 1
    found = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
    assert (found.state, scene.run.cancelled) == (Standing.FAILED, True)


async def test_a_run_that_somebody_deleted_has_failed(scene: Scene) -> None:
    del scene.desk.repository.runs[scene.made.run_id]
    scene.desk.clock.at += LOOK_EVERY_S
    found = await stand(scene.ctx, scene.repo, scene.made, configured_url="")
    assert found.state is Standing.FAILED
    assert "deletion" in found.text


async def test_dispatches_have_a_breaker_of_their_own(scene: Scene) -> None:
    scene.desk.hub.faults.add("POST", "dispatches$", status=502, times=99)
    mind = triage(scene.desk)
    for n in range(2, 2 + OPENS_AFTER):
        with pytest.raises(Parked) as caught:
            await dispatched(scene, f"staging/1.{n}")
        assert isinstance(caught.value.__cause__, Uncertain)
        await mind.answer(scene.task, caught.value)
    with pytest.raises(Parked) as caught:
        await dispatched(scene, "staging/1.9")
    assert caught.value.on is WaitFor.BREAKER
    assert "actions:ada/shop is down" in str(caught.value)
    assert (
        await scene.desk.house.contexts.breakers.open_until(f"github:{scene.desk.installation}")
        is None
    )


async def dispatched(scene: Scene, name: str) -> Deployment:
    return await deploy(scene.task, scene.ctx, scene.repo, "deploy.yml", "staging", "a" * 40, name)
