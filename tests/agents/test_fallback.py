"""A model or an agent behind another, and which agent each role gets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.agents.agent import AgentEvent, EventKind, Limits, Outcome
from bot.agents.command import CommandAgent
from bot.agents.fallback import FallbackAgent
from bot.agents.llm import LlmAgent, ModelChoice
from bot.agents.replies import WrittenCode
from bot.config.choices import AgentUse
from bot.config.repo import AgentChoice
from bot.config.settings import AgentSettings, Settings
from bot.domain import Role
from bot.errors import AuthFailed, ConfigError, MachineFailed
from bot.workflow.registry import agents_of, chooser
from tests.agents.conftest import MakeBrief
from tests.agents.modelserver import Call, CutOff, Fault, HangUp, ModelServer, Silence, Turn

KEYS = {name: SecretStr(f"sk-CANARY-{name}-93c1") for name in ("openai", "anthropic")}
LOOK = Call(tool="list_files", arguments={})
DONE = Call(tool="final_result", arguments={"summary": "By the second."})
BY_HAND = CommandAgent(command="echo mended > by-hand.txt; echo By the second.")
DOWN = [Fault(status=503), Fault(status=401), Fault(status=429), CutOff(), HangUp(), Silence()]


def llm(server: ModelServer, *more: ModelChoice) -> LlmAgent:
    choice = ModelChoice(model="openai-chat:gpt-4o", base_url=f"{server.url}/v1", api_key="k")
    return LlmAgent(choice, *more)


@pytest.mark.parametrize("trouble", DOWN, ids=lambda turn: str(turn)[:20])
async def test_the_agent_behind_goes_on_with_the_checkout_as_it_is(
    brief: MakeBrief, checkout: Path, events: list[AgentEvent], trouble: Turn
) -> None:
    begun = Call(tool="write_file", arguments={"path": "begun.txt", "content": "half"})
    work = brief(limits=Limits(wall_s=60, idle_s=1))
    async with ModelServer([begun, trouble]).running() as server:
        reply = await FallbackAgent(llm(server), BY_HAND).run(work, events.append)
    assert reply.output == WrittenCode(summary="By the second.")
    assert (checkout / "begun.txt").exists()
    assert (checkout / "by-hand.txt").exists()
    broken_off = isinstance(trouble, CutOff)  # what was said of it is paid for, too
    assert reply.usage.requests == 1 + broken_off, "the first one's answer is paid for"
    assert [e.text for e in events if e.kind is EventKind.WARNING and "goes on" in e.text]


async def test_the_model_behind_answers_in_the_middle_of_a_conversation(
    brief: MakeBrief,
) -> None:
    async with (
        ModelServer([LOOK, Fault(status=503)]).running() as one,
        ModelServer([DONE]).running() as two,
    ):
        behind = ModelChoice(model="anthropic:claude-opus-4-5", base_url=two.url, api_key="k")
        reply = await llm(one, behind).run(brief(), lambda _: None)
    assert reply.output == WrittenCode(summary="By the second.")
    assert reply.usage.requests == 2


async def test_what_both_have_is_the_trouble_of_the_second(brief: MakeBrief) -> None:
    async with (
        ModelServer([Fault(status=503)]).running() as one,
        ModelServer([Fault(status=401)]).running() as two,
    ):
        with pytest.raises(AuthFailed):
            await FallbackAgent(llm(one), llm(two)).run(brief(), lambda _: None)


class _NoRoom:
    name = "llm (x)"

    async def run(self, *_: object) -> Any:
        raise MachineFailed("no space left on this device")


async def test_trouble_of_this_machine_is_nobody_elses_work(brief: MakeBrief) -> None:
    with pytest.raises(MachineFailed):
        await FallbackAgent(_NoRoom(), BY_HAND).run(brief(), lambda _: None)


async def test_an_answer_that_is_wrong_is_not_the_providers_trouble(brief: MakeBrief) -> None:
    wrong = Call(tool="final_result", arguments={"summary": 3})
    async with ModelServer([wrong]).running() as server:
        reply = await FallbackAgent(llm(server), BY_HAND).run(brief(), lambda _: None)
    assert reply.outcome is Outcome.FAILED


# ── from the settings ────────────────────────────────────────────────────────────────────────


def settings(tmp_path: Path, model: str = "", **agents: AgentSettings) -> Settings:
    roles = {Role(name.replace("_", "-")): one for name, one in agents.items()}
    return Settings(data_dir=tmp_path, model=model, agents=roles, model_keys=KEYS)


def choices(agent: object) -> Sequence[ModelChoice]:
    assert isinstance(agent, LlmAgent)
    return agent._choices


def test_each_role_has_the_model_that_the_settings_name_for_it(tmp_path: Path) -> None:
    made = agents_of(
        settings(
            tmp_path,
            "anthropic:claude-opus-4-5",
            guardian=AgentSettings(model="openai:gpt-5"),
            coder=AgentSettings(use=AgentUse.COMMAND, command=("codemod",)),
        )
    )
    assert {role: agent.name for role, agent in made.items()} == {
        Role.E2E_TESTER: "llm (anthropic:claude-opus-4-5)",
        Role.CODER: "command (codemod)",
        Role.GUARDIAN: "llm (openai:gpt-5)",
        Role.DEPLOYMENT: "llm (anthropic:claude-opus-4-5)",
    }


def test_a_fallback_of_another_provider_has_its_own_key_and_address(tmp_path: Path) -> None:
    own = "http://models.example.test/v1"
    coder = AgentSettings(
        model="openai-chat:house", base_url=own, fallback="anthropic:claude-opus-4-5"
    )
    first, second = choices(agents_of(settings(tmp_path, coder=coder))[Role.CODER])
    assert (first.base_url, second.base_url) == (own, None)
    assert first.api_key == KEYS["openai"].get_secret_value()
    assert second.api_key == KEYS["anthropic"].get_secret_value()
    near = coder.model_copy(update={"fallback": "openai-chat:small-house"})
    assert choices(agents_of(settings(tmp_path, coder=near))[Role.CODER])[1].base_url == own


def test_a_whole_agent_may_stand_behind_another(tmp_path: Path) -> None:
    behind = AgentSettings(use=AgentUse.COMMAND, command=("codemod",))
    coder = AgentSettings(model="openai:gpt-5", fallback_agent=behind)
    made = agents_of(settings(tmp_path, coder=coder))[Role.CODER]
    assert made.name == "llm (openai:gpt-5), else command (codemod)"
    nameless = coder.model_copy(update={"fallback_agent": AgentSettings()})
    with pytest.raises(ConfigError, match=r"agents\.coder\.fallback_agent: name a model"):
        agents_of(settings(tmp_path, coder=nameless))


def test_a_repository_may_name_another_model_for_a_role(tmp_path: Path) -> None:
    choose = chooser(settings(tmp_path, "openai:gpt-5"))
    assert choose(Role.CODER, AgentChoice(model="openai:gpt-4o")).name == "llm (openai:gpt-4o)"
    with pytest.raises(ConfigError, match="name a model"):
        chooser(settings(tmp_path))(Role.CODER, AgentChoice(use=AgentUse.LLM))
