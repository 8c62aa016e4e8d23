"""One id finds every line from a delivery to its effects, and one trace leads to the next."""

import io
import json
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bot.demo.hubview import calls_of_the_bot
from bot.localhub.state_apps import Delivery
from tests.stories.conftest import OpenFactory
from tests.tracing import attributes_of, kept_spans

ONE_PHASE = {"deploy": {"staging": None, "production": {"workflow": "", "approval": "automatic"}}}
COMPARED = "GET /repos/{owner}/{repo}/issues"  #: the sweep at the start, which makes tasks, too
STARTED = {"delivery read", "step_done"}


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    with kept_spans() as kept:
        yield kept


async def test_a_delivery_s_id_finds_every_line_from_the_webhook_to_the_effects(
    factory_with: OpenFactory, logged: io.StringIO, spans: InMemorySpanExporter
) -> None:
    factory = await factory_with(config=ONE_PHASE)
    await factory.seen(lambda: COMPARED in calls_of_the_bot(factory.hub))
    task = await factory.label_issue()
    task = await factory.ended(task)
    await factory.shown()
    label = next(one for one in factory.hub.deliveries if _labels(one))
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    found = [line for line in lines if line.get("delivery") == label.guid]
    about = [line for line in lines if line.get("task") == task.id]
    assert {line["event"] for line in found} >= STARTED
    assert {line["kind"] for line in found if line["event"] == "effect_confirmed"} >= {
        "status_comment", "push", "pull", "merge",
    }  # fmt: skip
    assert [line for line in about if line not in found] == [], "a line without its delivery"
    _one_trace_a_step(spans.get_finished_spans(), task.id, label.guid)


def _one_trace_a_step(spans: tuple[ReadableSpan, ...], task_id: str, guid: str) -> None:
    read = [s for s in spans if attributes_of(s).get("messaging.message.id") == guid][-1]
    of_task = [s for s in spans if attributes_of(s).get("cicd.pipeline.run.id") == task_id]
    steps = [s for s in of_task if "cicd.pipeline.task.name" in attributes_of(s)]
    assert len(steps) >= 6
    assert all(step.parent is None for step in steps)
    assert len({step.context.trace_id for step in steps}) == len(steps), "each is its own trace"
    assert {tuple(link.context.trace_id for link in one.links) for one in of_task} == {
        (read.context.trace_id,)
    }, "linked to the delivery that moved the task"
    ids = {s.context.span_id for s in of_task}
    effects = [s for s in spans if s.name.startswith("effect ")]
    assert {"effect status_comment", "effect pull"} <= {s.name for s in effects}
    alone = [s.name for s in effects if s.parent is None or s.parent.span_id not in ids]
    assert alone == [], "an effect of no step and no picture"
    code = next(
        s for s in steps if attributes_of(s)["cicd.pipeline.task.name"] == "CODE_IMPLEMENTATION"
    )
    assert attributes_of(code)["cicd.pipeline.task.run.result"] == "success"
    assert attributes_of(code)["vcs.repository.name"] == "shop"
    within = [s for s in spans if s.parent is not None and s.parent.span_id == code.context.span_id]
    assert {s.name for s in within} >= {"invoke_agent coder", "effect push", "effect pull"}


def _labels(delivery: Delivery) -> bool:
    return delivery.event == "issues" and delivery.action == "labeled"
