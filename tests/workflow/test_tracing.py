"""What the spans say, in the words of the conventions that come with the SDK."""

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.semconv._incubating.attributes import (
    cicd_attributes,
    gen_ai_attributes,
    messaging_attributes,
    vcs_attributes,
)
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.trace import SpanKind
from pydantic import BaseModel

from bot.agents.agent import Brief, Usage
from bot.agents.cage import Cage
from bot.agents.spans import question
from bot.config.choices import CageKind
from bot.domain import Cause, Cursor, JournalLine, Outcome, Phase, RepoRef, Role, Task
from bot.facts import Facts
from bot.tasks.inbox import InboxRow, InboxState
from bot.workflow import tracing
from tests.tracing import attributes_of, kept_spans

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MODULES = (
    cicd_attributes, error_attributes, gen_ai_attributes, messaging_attributes, vcs_attributes,
)  # fmt: skip
KNOWN = {value for module in MODULES for value in vars(module).values() if isinstance(value, str)}
RESULTS = {one.value for one in cicd_attributes.CicdPipelineTaskRunResultValues}
TYPES = {one.value for one in cicd_attributes.CicdPipelineTaskTypeValues}

TASK = Task(
    id="chimera-1",
    feature="A wish",
    title="A wish",
    repo=RepoRef(id=7, owner="octo", name="shop"),
    cursor=Cursor(phase=Phase.CODE_IMPLEMENTATION),
    facts=Facts(branch="chimera/1-a-wish", head_sha="a" * 40, pull=2),
    delivery="guid-1",
    traceparent=TRACE,
)
ROW = InboxRow(
    id=1, delivery_id="guid-1", event_name="issues", action="labeled", payload_text="{}",
    state=InboxState.NEW, received_at=0.0, tries=0, note="", error="",
)  # fmt: skip


def line(outcome: Outcome, cause: Cause | None = None) -> JournalLine:
    return JournalLine(
        task_id=TASK.id, n=0, phase=TASK.phase, cursor=TASK.cursor, outcome=outcome, summary="",
        cause=cause, started_at=0.0, seconds=1.0,
    )  # fmt: skip


@pytest.fixture
async def brief(tmp_path: Path) -> Brief:
    return Brief(
        run_id="chimera-1/CODE_IMPLEMENTATION/1", role=Role.CODER, workspace=tmp_path,
        cage=await Cage.open(CageKind.NONE), instructions="", prompt="", reply_type=BaseModel,
    )  # fmt: skip


def step(outcome: Outcome, cause: Cause | None = None) -> ReadableSpan:
    """The span of a step that ended so."""
    with kept_spans() as kept, tracing.step(TASK):
        tracing.recorded(line(outcome, cause))
    [span] = kept.get_finished_spans()
    return span


def test_every_attribute_is_one_of_the_conventions_or_our_own(brief: Brief) -> None:
    with kept_spans() as kept:
        with tracing.delivery(ROW):
            pass
        with tracing.step(TASK):
            with tracing.agent(brief), question("gpt-4o", "openai") as asked:
                asked.used(1, 1, 0.1)
                tracing.used(Usage(requests=1, input_tokens=1, output_tokens=1, cost_usd=0.1))
            with tracing.effect("pull", "chimera-1/pull"):
                pass
            tracing.recorded(line(Outcome.FAIL, Cause.NOT_GREEN))
        with tracing.picture(TASK):
            pass
    spans = kept.get_finished_spans()
    used = {name for span in spans for name in attributes_of(span)}
    assert len(spans) == 6
    assert len(used) > 20
    assert {name for name in used if not name.startswith("chimera.")} <= KNOWN


def test_each_outcome_has_a_result_that_the_conventions_know_and_a_wait_has_none() -> None:
    for outcome in Outcome:
        found = attributes_of(step(outcome))
        assert found["cicd.pipeline.task.type"] in TYPES
        if outcome is Outcome.WAIT:
            assert "cicd.pipeline.task.run.result" not in found
        else:
            assert found["cicd.pipeline.task.run.result"] in RESULTS
    late = attributes_of(step(Outcome.FAIL, Cause.TIMEOUT))
    assert (late["cicd.pipeline.task.run.result"], late["error.type"]) == ("timeout", "timeout")


def test_steps_and_pictures_begin_traces_of_their_own_and_link_to_what_moved_the_task() -> None:
    with kept_spans() as kept, tracing.delivery(ROW):
        with tracing.step(TASK):
            pass
        with tracing.picture(TASK):
            pass
    first, second, _ = kept.get_finished_spans()
    for span in (first, second):
        assert (span.parent, span.kind) == (None, SpanKind.INTERNAL)
        assert [f"{link.context.trace_id:032x}" for link in span.links] == [TRACE[3:35]]
        assert attributes_of(span)["cicd.pipeline.run.id"] == TASK.id


def test_a_run_that_asked_no_model_has_used_no_tokens_rather_than_zero(brief: Brief) -> None:
    with kept_spans() as kept, tracing.agent(brief):
        tracing.used(Usage())
    [span] = kept.get_finished_spans()
    assert not [name for name in attributes_of(span) if "usage" in name or "cost" in name]
