"""Whole workflows whose agents are models: over the providers' own protocols, to the end.

One run has a model of another provider for each role; `STORIES_MODELS=all` runs all roles on each
of the three protocols, too.
"""

import os
from collections.abc import Mapping

import pytest

from bot.domain import Phase, Role, Status, Task, WaitFor
from bot.workflow.replaying import replay_of
from tests.agents.modelserver import INPUT_TOKENS, OUTPUT_TOKENS
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.models import (
    BLOCKER,
    CHAT,
    KEYS,
    MESSAGES,
    RESPONSES,
    Models,
    models_on,
    script,
)

MIXED = dict(zip(Role, (RESPONSES, MESSAGES, CHAT, RESPONSES), strict=True))
ALONE = [dict.fromkeys(Role, model) for model in (CHAT, RESPONSES, MESSAGES)]
CHOICES = [MIXED, *(ALONE if os.environ.get("STORIES_MODELS") == "all" else [])]


@pytest.mark.parametrize(
    "choices", CHOICES, ids=lambda choices: "+".join(sorted({*choices.values()}))
)
async def test_models_write_are_sent_back_reach_production_and_play_again(
    factory_with: OpenFactory, choices: Mapping[Role, str]
) -> None:
    async with models_on(choices, script()) as models:
        factory = await factory_with(settings=models.settings, scripted=False)
        task = await factory.until(await factory.label_issue(), WaitFor.APPROVAL)
        assert (Phase.GUARDIAN_REVIEW, "back") in await factory.outcomes(task)
        assert BLOCKER in models.heard(Role.CODER), "the coder is told what has to change"
        assert "exit code 0" in models.heard(Role.CODER), "what it ran has really run"
        await factory.approve(task)
        task = await factory.ended(task)
        assert task.status is Status.COMPLETED, await factory.told()
        await paid(factory, models, task)
        await transcribed(factory, models, task)
    await played_again(factory, task)


async def paid(factory: Factory, models: Models, task: Task) -> None:
    """Every answer is on the bill, and every phase has its part of it, wherever it is shown."""
    spend = task.spend
    assert (spend.requests, spend.input_tokens, spend.output_tokens) == (
        models.answered,
        models.answered * INPUT_TOKENS,
        models.answered * OUTPUT_TOKENS,
    )
    shown = (await factory.api("GET", f"/api/tasks/{task.id}")).json()
    phases = {one["phase"]: one for one in shown["phases"]}
    assert sum(one["requests"] for one in phases.values()) == models.answered
    assert sum(one["cost_usd"] or 0.0 for one in phases.values()) == pytest.approx(spend.cost_usd)
    tester = len(models.servers[Role.E2E_TESTER].heard)
    assert phases[Phase.E2E_TEST_GENERATION]["tokens"]["input"] == tester * INPUT_TOKENS
    assert phases[Phase.E2E_VALIDATION]["requests"] == 0
    comment = factory.status_comment(task.issue)
    assert "Cost by phase" in comment
    assert f"| E2E test | {tester} | {tester * INPUT_TOKENS:,} |" in comment


async def transcribed(factory: Factory, models: Models, task: Task) -> None:
    """Every run is kept with its calls, exit codes and cost, and without a key."""
    path = f"/api/tasks/{task.id}/transcripts"
    runs = (await factory.api("GET", path)).json()["runs"]
    assert [f"{run['role']} {run['which']}" for run in runs] == [
        *("e2e-tester 1", "coder 1", "guardian 1", "guardian confirm-1"),
        *("coder 2", "guardian 2", "deployment staging-2", "deployment production-2"),
    ]
    assert {run["outcome"] for run in runs} == {"completed"}
    assert sum(run["requests"] for run in runs) == models.answered
    answer = await factory.api("GET", f"{path}/2")
    lines = answer.json()["lines"]
    assert [x["exit_code"] for x in lines if x["tool"] == "run_command" and x["exit_code"] == 0]
    assert [x for x in lines if x["kind"] == "usage" and x["tokens"]["input"] == INPUT_TOKENS]
    page = await factory.api("GET", f"/tasks/{task.id}/runs/2")
    assert "exit code 0" in page.text
    assert not [key for key in KEYS.values() if key in answer.text + page.text]


async def played_again(factory: Factory, task: Task) -> None:
    """Offline: the models are gone by now."""
    house = factory.stage.house
    found = await replay_of(task.id, house.queue, house.lasting, factory.stage.settings)
    assert {one.phase: one.same for one in found} == {
        Phase.E2E_TEST_GENERATION: True,
        Phase.CODE_IMPLEMENTATION: True,
        Phase.GUARDIAN_REVIEW: True,
        Phase.STAGING_DEPLOYMENT: None,
        Phase.E2E_VALIDATION: None,
        Phase.PRODUCTION_DEPLOYMENT: None,
    }, found
    assert "exit code 1 (0 passed, 1 failed)" in found[0].played
    assert "exit code 0 (1 passed, 0 failed)" in found[1].played
    assert "back (review), pass" in found[2].played
