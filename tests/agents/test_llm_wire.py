"""The built-in agent against model servers that speak the providers' own protocols."""

import json
from pathlib import Path

import pytest

from bot.agents.agent import AgentEvent, Limits, Outcome
from bot.agents.bill import used_so_far
from bot.agents.llm import LlmAgent, ModelChoice
from bot.agents.replies import WrittenCode
from bot.errors import AuthFailed, RateLimited, Transient
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import Babble, Call, CutOff, Fault, ModelServer, Silence, Turn

KEY = "sk-CANARY-93c1"
WRITE = Call(tool="write_file", arguments={"path": "new.txt", "content": "by wire"})
LOOK = Call(tool="run_command", arguments={"command": "env; cat /proc/*/environ"})
DONE = Call(tool="final_result", arguments={"summary": "Written."})
MODELS = [("openai-chat:gpt-4o", "/v1"), ("anthropic:claude-sonnet-5", "")]


@pytest.mark.parametrize(("model", "prefix"), MODELS)
async def test_a_whole_run_over_the_wire(
    brief: MakeBrief, checkout: Path, events: list[AgentEvent], model: str, prefix: str
) -> None:
    async with ModelServer([WRITE, LOOK, DONE]).running() as server:
        choice = ModelChoice(model=model, base_url=server.url + prefix, api_key=KEY)
        reply = await LlmAgent(choice).run(brief(), events.append)
    assert reply.outcome is Outcome.COMPLETED, reply.error
    assert reply.output == WrittenCode(summary="Written.")
    assert (checkout / "new.txt").read_text() == "by wire"
    assert (reply.usage.requests, reply.usage.input_tokens, reply.usage.output_tokens) == (
        3,
        3000,
        300,
    )
    assert reply.usage.cost_usd is not None
    assert 0 < reply.usage.cost_usd < 1
    assert all(KEY in json.dumps(dict(heard.headers)) for heard in server.heard)
    bodies = json.dumps([heard.body for heard in server.heard])
    assert KEY not in bodies + reply.session + repr(events) + repr(reply)


def chat(server: ModelServer, model: str = "gpt-4o") -> ModelChoice:
    return ModelChoice(model=f"openai-chat:{model}", base_url=f"{server.url}/v1", api_key=KEY)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=401), AuthFailed),
        (Fault(status=429, headers={"retry-after": "1800"}), RateLimited),
        (Fault(status=500), Transient),
        (Silence(), Transient),
    ],
)
async def test_a_provider_that_refuses_is_an_error_with_a_cause(
    brief: MakeBrief, fault: Turn, error: type[Exception]
) -> None:
    work = brief(limits=Limits(wall_s=60, idle_s=0.5))
    async with ModelServer([fault]).running() as server:
        with pytest.raises(error) as raised:
            await LlmAgent(chat(server)).run(work, lambda _: None)
    assert KEY not in str(raised.value)


async def test_a_request_that_the_provider_will_never_take_is_a_failure(brief: MakeBrief) -> None:
    async with ModelServer([Fault(status=400)]).running() as server:
        reply = await LlmAgent(chat(server)).run(brief(), lambda _: None)
    assert reply.outcome is Outcome.FAILED
    assert "400" in reply.error


async def test_a_dead_provider_is_passing_trouble(brief: MakeBrief) -> None:
    choice = ModelChoice(model="openai-chat:gpt-4o", base_url="http://127.0.0.1:1/v1", api_key=KEY)
    with pytest.raises(Transient):
        await LlmAgent(choice).run(brief(limits=Limits(wall_s=30)), lambda _: None)


# ── while an answer is being said ────────────────────────────────────────────────────────────

EVERY = pytest.mark.parametrize(("model", "prefix"), [*MODELS, ("openai-responses:gpt-5.2", "/v1")])
ON_AND_ON = "and on it goes " * 4


@EVERY
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(wall_s=60, tokens=30_000), "tokens used of 30000"),
        (Limits(wall_s=60, cost_usd=0.05), "USD used of 0.05"),
    ],
    ids=["tokens", "money"],
)
async def test_an_answer_that_goes_over_the_budget_is_cut_in_the_middle_and_paid_for(
    brief: MakeBrief, model: str, prefix: str, limits: Limits, said: str
) -> None:
    events: list[AgentEvent] = []
    async with ModelServer([LOOK, Babble(word=ON_AND_ON)]).running() as server:
        choice = ModelChoice(model=model, base_url=server.url + prefix, api_key=KEY)
        reply = await LlmAgent(choice).run(brief(limits=limits), events.append)
    assert reply.outcome is Outcome.LIMIT
    assert said in reply.error
    assert reply.usage.requests == 2
    assert reply.usage.cost_usd is not None
    if "tokens" in said:
        assert 30_000 < reply.usage.input_tokens + reply.usage.output_tokens < 60_000
    else:
        assert 0.05 < reply.usage.cost_usd < 0.1
    told = used_so_far(events)
    assert (told.requests, told.output_tokens) == (2, reply.usage.output_tokens)


async def test_without_a_known_price_the_tokens_cut_an_answer(brief: MakeBrief) -> None:
    work = brief(limits=Limits(wall_s=60, tokens=30_000, cost_usd=0.000001))
    async with ModelServer([Babble(word=ON_AND_ON)]).running() as server:
        reply = await LlmAgent(chat(server, "house-model")).run(work, lambda _: None)
    assert (reply.outcome, reply.usage.cost_usd) == (Outcome.LIMIT, None)
    assert "tokens used of 30000" in reply.error


@EVERY
async def test_an_answer_that_breaks_off_is_paid_for_as_far_as_it_was_said(
    brief: MakeBrief, model: str, prefix: str
) -> None:
    events: list[AgentEvent] = []
    async with ModelServer([CutOff(text="word " * 800)]).running() as server:
        choice = ModelChoice(model=model, base_url=server.url + prefix, api_key=KEY)
        with pytest.raises(Transient):
            await LlmAgent(choice).run(brief(), events.append)
    paid = used_so_far(events)
    assert paid.requests == 1
    assert paid.output_tokens == 1000
    assert paid.input_tokens > 0


async def test_a_provider_that_tells_no_bill_is_estimated_so_that_the_limit_holds(
    brief: MakeBrief,
) -> None:
    words = Call(tool="run_command", arguments={"command": "true # " + "word " * 2000})
    async with ModelServer([words], billing=False).running() as server:
        work = brief(limits=Limits(wall_s=60, tokens=12_000))
        reply = await LlmAgent(chat(server)).run(work, lambda _: None)
    assert reply.outcome is Outcome.LIMIT
    assert "tokens used of 12000" in reply.error
    assert 2 <= reply.usage.requests < 6


async def test_the_next_model_goes_on_where_the_first_one_breaks_off(brief: MakeBrief) -> None:
    async with (
        ModelServer([CutOff(text="word " * 800)]).running() as one,
        ModelServer([DONE]).running() as two,
    ):
        behind = ModelChoice(model="anthropic:claude-sonnet-5", base_url=two.url, api_key=KEY)
        reply = await LlmAgent(chat(one), behind).run(brief(), lambda _: None)
    assert reply.outcome is Outcome.COMPLETED, reply.error
    assert reply.usage.requests == 2
    assert reply.usage.output_tokens == 1100
