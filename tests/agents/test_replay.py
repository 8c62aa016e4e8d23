"""Recorded sessions: what is recorded is played, and does real work."""

import json
import subprocess
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from bot.agents.agent import Brief, Outcome, Reply, UsageSource
from bot.agents.llm_loop import OUTPUT_TOOL, converse
from bot.agents.replay import Recording, ReplayAgent, key_of
from bot.agents.replies import WrittenCode
from bot.errors import ConfigError

from .conftest import MakeBrief

SESSION: dict[str, object] = {
    "version": 1,
    "runs": {
        "coder#1": [
            [
                {"say": "First."},
                {"call": "write_file", "with": {"path": "new.txt", "content": "1"}},
            ],
            [{"reply": {"summary": "Wrote one."}}],
        ],
        "coder#2": [
            [{"call": "run_command", "with": {"command": "echo 2 > new.txt; git status"}}],
            [{"reply": {"summary": "Wrote two."}}],
        ],
    },
}


def changed(checkout: Path) -> str:
    words = ["git", "status", "--porcelain"]
    return subprocess.run(words, cwd=checkout, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "session.json"
    path.write_text(json.dumps(SESSION))
    return path


async def test_a_replay_edits_a_real_checkout(
    brief: MakeBrief, recording: Path, checkout: Path
) -> None:
    agent = ReplayAgent(Recording.load(recording))
    reply = await agent.run(brief(), lambda _: None)
    assert reply.output == WrittenCode(summary="Wrote one.")
    assert changed(checkout) == "?? new.txt\n"
    assert reply.usage.source is UsageSource.NONE


async def test_each_round_has_its_own_answers_and_a_repeated_step_the_same(
    brief: MakeBrief, recording: Path, checkout: Path
) -> None:
    agent = ReplayAgent(Recording.load(recording))
    for round_, content in ((2, "2\n"), (1, "1"), (1, "1"), (2, "2\n")):
        reply = await agent.run(brief(run_id=f"t/CODE_IMPLEMENTATION/{round_}"), lambda _: None)
        assert reply.outcome is Outcome.COMPLETED, reply.error
        assert (checkout / "new.txt").read_text() == content


async def test_a_round_that_was_not_recorded_is_a_failure_that_says_so(
    brief: MakeBrief, recording: Path
) -> None:
    reply = await ReplayAgent(Recording.load(recording)).run(
        brief(run_id="t/CODE_IMPLEMENTATION/3"), lambda _: None
    )
    assert reply.outcome is Outcome.FAILED
    assert "coder#3" in reply.error
    assert "coder#1, coder#2" in reply.error


async def test_a_recorded_answer_that_does_not_fit_the_schema_is_a_failure(
    brief: MakeBrief,
) -> None:
    runs = {"coder#1": [[{"reply": {"verdict": "fine"}}]]}
    agent = ReplayAgent(Recording.model_validate({"runs": runs}))
    reply = await agent.run(brief(), lambda _: None)
    assert reply.outcome is Outcome.FAILED


async def live(brief: Brief) -> Reply:
    """A run of the built-in agent on a model that thinks for itself."""

    def speak(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            words = {"path": "new.txt", "content": brief.run_id}
            return ModelResponse(parts=[ToolCallPart("write_file", words)])
        return ModelResponse(parts=[ToolCallPart(OUTPUT_TOOL, {"summary": brief.run_id})])

    return await converse(FunctionModel(speak), brief, lambda _: None)


async def test_the_session_of_a_real_run_plays_again(brief: MakeBrief, checkout: Path) -> None:
    runs = {}
    for run_id in ("t/CODE_IMPLEMENTATION/1", "t/CODE_IMPLEMENTATION/2"):
        asked = brief(run_id=run_id)
        runs[key_of(asked)] = json.loads((await live(asked)).session)
    (checkout / "new.txt").unlink()
    agent = ReplayAgent(Recording.model_validate({"runs": runs}))
    reply = await agent.run(brief(run_id="other/CODE_IMPLEMENTATION/2"), lambda _: None)
    assert reply.output == WrittenCode(summary="t/CODE_IMPLEMENTATION/2")
    assert (checkout / "new.txt").read_text() == "t/CODE_IMPLEMENTATION/2"


@pytest.mark.parametrize(
    "content", ["", "{", '{"version": 9}', '{"runs": {"coder#1": [[{"x": 1}]]}}']
)
def test_a_broken_recording_is_refused_by_name_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"^[^\n]*broken\.json[^\n]*$"):
        Recording.load(path)
