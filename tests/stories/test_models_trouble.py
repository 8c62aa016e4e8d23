"""Models that fail or cost too much: the task waits and says so, and the bill is right."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bot.config.choices import AgentUse
from bot.config.settings import AgentSettings, RetrySettings
from bot.domain import Cause, Phase, Role, Status, Task, WaitFor
from bot.tasks.lasting import BreakerState
from bot.workflow.purse import SCOPE
from tests.agents.modelserver import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    Call,
    CutOff,
    Fault,
    HangUp,
    Say,
    Silence,
    Turn,
)
from tests.stories.conftest import OpenFactory
from tests.stories.factory import Factory
from tests.stories.models import CHAT, MESSAGES, RESPONSES, models_on, script, writes, written_tests
from tests.stories.sample import code, e2e_test

AT_ONCE = {"retries": RetrySettings(first_s=0)}
UNPRICED = "openai-chat:a-model-of-ours"
LOOK = Call(tool="list_files", arguments={"path": "."})
TESTER = 4  #: answers that the tester needs
ANSWER = INPUT_TOKENS + OUTPUT_TOKENS


@pytest.mark.parametrize(
    ("model", "trouble", "cause"),
    [
        (CHAT, Fault(status=401), Cause.AUTH),
        (RESPONSES, CutOff(), Cause.TRANSIENT),
        (MESSAGES, HangUp(), Cause.TRANSIENT),
    ],
    ids=["refused key", "answer cut in the middle", "dead provider"],
)
async def test_a_provider_in_trouble_parks_the_task_which_goes_on_when_it_is_well(
    factory_with: OpenFactory, model: str, trouble: Turn, cause: Cause
) -> None:
    async with models_on(dict.fromkeys(Role, model), script(coder=[LOOK, trouble])) as models:
        factory = await factory_with(settings=models.settings | AT_ONCE, scripted=False)
        task = await factory.until(await factory.label_issue(), WaitFor.BREAKER)
        assert (task.phase, task.cause) == (Phase.CODE_IMPLEMENTATION, cause)
        cut = isinstance(trouble, CutOff)  # what was said of such an answer is paid for, too
        assert models.answered == TESTER + 1
        assert task.spend.requests == TESTER + 1 + 3 * cut, "what was asked is paid for"
        house = factory.stage.house
        assert task.spend.cost_usd == pytest.approx(await house.lasting.spent(SCOPE))
        await factory.seen(lambda: "resumes by itself" in factory.status_comment(task.issue))
        runs = (await factory.api("GET", f"/api/tasks/{task.id}/transcripts")).json()["runs"]
        broken = [run for run in runs if run["role"] == Role.CODER]
        assert [(run["outcome"], run["requests"]) for run in broken] == [
            *(("failed", 1 + cut), ("failed", cut), ("failed", cut))
        ]
        models.servers[Role.CODER].says_now(*writes(code("goodbye", "Goodbye")))
        await sooner(factory, task)
        task = await factory.until(task, Phase.GUARDIAN_REVIEW)
        assert task.spend.requests <= models.answered + 3 * cut


async def sooner(factory: Factory, task: Task) -> None:
    """The pause is over: breaker and task look at the clock again."""
    house, now = factory.stage.house, time.time()
    for breaker in await house.lasting.breakers():
        await house.lasting.save_breaker(replace(breaker, probe_at=now))
    await house.queue.change(
        task.id, lambda t: replace(t, wait=replace(t.wait, until=now) if t.wait else None)
    )


async def test_a_program_that_breaks_down_parks_the_task_which_goes_on_when_it_is_mended(
    factory_with: OpenFactory, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho no licence >&2; exit 3\n")
    program.chmod(0o755)
    tester = AgentSettings(use=AgentUse.COMMAND, command=(str(program),))
    settings = {"agents": {Role.E2E_TESTER: tester}, **AT_ONCE}
    factory = await factory_with(settings=settings, scripted=False)
    task = await factory.until(await factory.label_issue(), WaitFor.BREAKER)
    assert task.cause is Cause.TRANSIENT
    reason = task.wait.reason if task.wait is not None else ""
    assert reason.startswith("agent:command")
    assert "exit code 3: no licence" in reason
    runs = (await factory.api("GET", f"/api/tasks/{task.id}/transcripts")).json()["runs"]
    assert [run["outcome"] for run in runs] == ["crashed"] * 3
    ((path, text),) = e2e_test("goodbye", "Goodbye").items()
    program.write_text(f"#!/bin/sh\nmkdir -p tests/e2e\ncat > {path} <<'END'\n{text}\nEND\n")
    await sooner(factory, task)
    await factory.until(task, Phase.CODE_IMPLEMENTATION)
    (breaker,) = await factory.stage.house.lasting.breakers()
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("model", "limits", "said"),
    [
        (CHAT, {"cost_usd": 0.01}, "USD used of 0.01"),
        (UNPRICED, {"tokens": 2 * ANSWER + 700}, "tokens used of"),
    ],
    ids=["money", "tokens, where nobody knows the price"],
)
async def test_a_budget_that_is_used_up_asks_a_person_and_says_what_was_spent(
    factory_with: OpenFactory, model: str, limits: Mapping[str, float], said: str
) -> None:
    async with models_on(dict.fromkeys(Role, model), script()) as models:
        factory = await factory_with(
            config={"limits": limits}, settings=models.settings, scripted=False
        )
        task = await factory.until(await factory.label_issue(), WaitFor.BUDGET)
        assert task.phase is Phase.E2E_TEST_GENERATION
        assert task.wait is not None
        assert said in task.wait.reason
        assert task.spend.requests == models.answered == 3
        used = task.spend.input_tokens + task.spend.output_tokens
        assert 2 * ANSWER < used < 5 * ANSWER, "the third answer was cut, and is estimated"
        await factory.seen(lambda: "/chimera budget" in factory.status_comment(task.issue))
        comment = factory.status_comment(task.issue)
        if model == UNPRICED:
            assert task.spend.cost_usd is None
            told = f"Cost unknown (the model has no known price); {used:,} tokens used."
            assert told in comment
            return
        assert "Cost so far $0.01 of $0.01." in comment
        models.servers[Role.E2E_TESTER].says_now(*written_tests())
        await factory.comment(task.issue, "/chimera budget 5")
        task = await factory.until(task, Phase.CODE_IMPLEMENTATION)
        assert task.spend.requests > 3


async def test_a_run_that_a_person_stops_is_paid_for(factory_with: OpenFactory) -> None:
    parts = script(coder=[LOOK, Silence()])
    async with models_on(dict.fromkeys(Role, CHAT), parts) as models:
        factory = await factory_with(settings=models.settings, scripted=False)
        task = await factory.label_issue()
        await factory.seen(lambda: len(models.servers[Role.CODER].heard) == 2)
        await factory.owner.unlabel(factory.repository, task.issue, "chimera")
        task = await factory.ended(task)
        assert task.status is Status.CANCELLED
        assert task.spend.requests == models.answered == TESTER + 1
        assert "| Code | 1 | 1,000 | 100 |" in factory.status_comment(task.issue)
        runs = (await factory.api("GET", f"/api/tasks/{task.id}/transcripts")).json()["runs"]
        assert [run["outcome"] for run in runs] == ["completed", "cancelled"]


@pytest.mark.parametrize(
    ("said", "status", "cause", "told"),
    [
        (Say(text="I cannot help with that."), Status.DEAD, Cause.BAD_OUTPUT, "unusable"),
        (
            Fault(status=429, headers={"retry-after": "3600"}),
            Status.WAITING,
            Cause.RATE_LIMIT,
            "429",
        ),
    ],
    ids=["refusal", "rate limit"],
)
async def test_what_a_model_says_ends_in_the_state_and_cause_that_stand_for_it(
    factory_with: OpenFactory, said: Turn, status: Status, cause: Cause, told: str
) -> None:
    async with models_on(dict.fromkeys(Role, CHAT), script(e2e_tester=[said])) as models:
        factory = await factory_with(settings=models.settings | AT_ONCE, scripted=False)
        task = await factory.until(await factory.label_issue(), status)
        assert task.cause is cause
        assert task.spend.requests == models.answered
        await factory.seen(lambda: told in factory.status_comment(task.issue))
        if task.wait is not None and task.wait.until is not None:
            assert task.wait.on is WaitFor.RATE_LIMIT
            assert 3000 < task.wait.until - time.time() <= 3600


async def test_where_the_days_money_is_spent_no_model_is_asked_until_tomorrow(
    factory_with: OpenFactory,
) -> None:
    async with models_on(dict.fromkeys(Role, CHAT), script()) as models:
        settings = models.settings | {"daily_cost_usd": 0.005}
        factory = await factory_with(settings=settings, scripted=False)
        task = await factory.until(await factory.label_issue(), WaitFor.BUDGET)
        assert task.phase is Phase.E2E_TEST_GENERATION, "the run ends before its next question"
        assert task.spend.requests == models.answered, "what it had asked is paid for"
        assert task.wait is not None
        assert "of today's $0.01 for all tasks are spent" in task.wait.reason
        assert task.wait.until is not None
        assert models.servers[Role.CODER].heard == [], "refused before anything is asked"
