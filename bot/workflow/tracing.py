"""Traces, for whoever collects them: one of each delivery that is read, one of each step.

A task lives for days, so it is not one trace: each step is its own, linked to the delivery that
moved its task; the row carries that delivery's `traceparent` through the queue. So is each round
of the painter, whose effects belong to no step. Names follow the conventions for CI/CD, version
control and generative AI:
https://opentelemetry.io/docs/specs/semconv/cicd/cicd-spans/,
https://opentelemetry.io/docs/specs/semconv/registry/attributes/vcs/,
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-agent-spans/

While nobody has set up a collector (`bot.telemetry`), the API's own tracer does nothing. No title,
prompt or answer of anybody's is ever an attribute.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bound_contextvars

from bot import __version__
from bot.agents.agent import Brief, Usage
from bot.domain import Cause, JournalLine, Outcome, Phase, Task
from bot.tasks.inbox import InboxRow

PIPELINE = "chimera"
HEADER = "traceparent"
_RESULTS: Mapping[Outcome, str] = {
    Outcome.PASS: "success",
    Outcome.SKIP: "skip",
    Outcome.AGAIN: "failure",
    Outcome.BACK: "failure",
    Outcome.FAIL: "failure",
}
_TYPES: Mapping[Phase, str] = {
    Phase.CODE_IMPLEMENTATION: "build",
    Phase.STAGING_DEPLOYMENT: "deploy",
    Phase.PRODUCTION_DEPLOYMENT: "deploy",
}

_tracer = trace.get_tracer("chimera", __version__)
_w3c = TraceContextTextMapPropagator()


@contextmanager
def delivery(row: InboxRow) -> Iterator[None]:
    """The reading of a delivery; tasks that it moves will carry this trace."""
    attributes = {
        "vcs.provider.name": "github",
        "messaging.message.id": row.delivery_id,
        "chimera.event": row.event_name,
        "chimera.action": row.action,
    }
    with (
        _tracer.start_as_current_span(
            f"process {row.event_name}", kind=SpanKind.CONSUMER, attributes=attributes
        ) as span,
        _bound(span),
    ):
        yield


@contextmanager
def step(task: Task) -> Iterator[None]:
    """One step, in a trace of its own."""
    with _own_trace(f"RUN {task.phase}", task, _of_step(task)):
        yield


@contextmanager
def picture(task: Task) -> Iterator[None]:
    """One round of the painter over one task, in a trace of its own."""
    with _own_trace("paint", task, _of_task(task)):
        yield


@contextmanager
def _own_trace(name: str, task: Task, attributes: Mapping[str, str]) -> Iterator[None]:
    """Linked to the delivery that moved the task, for a task may live for days."""
    with (
        _tracer.start_as_current_span(
            name,
            context=Context(),
            attributes=attributes,
            links=_links(task.traceparent),
        ) as span,
        _bound(span),
    ):
        yield


def recorded(line: JournalLine) -> None:
    """How the present step ended; a wait has no result, for nothing has been decided."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.set_attribute("chimera.outcome", line.outcome.value)
    result = "timeout" if line.cause is Cause.TIMEOUT else _RESULTS.get(line.outcome)
    if result is not None:
        span.set_attribute("cicd.pipeline.task.run.result", result)
    if line.cause is not None:
        span.set_attribute("error.type", line.cause.value)
    if line.outcome is Outcome.FAIL:
        span.set_status(Status(StatusCode.ERROR))


@contextmanager
def agent(brief: Brief) -> Iterator[None]:
    """One run of an agent, within its step."""
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": brief.role.value,
        "gen_ai.conversation.id": brief.run_id,
    }
    with _tracer.start_as_current_span(f"invoke_agent {brief.role}", attributes=attributes):
        yield


def used(usage: Usage) -> None:
    """What the present run of an agent has cost; nothing, where no model was asked."""
    if not usage.requests:
        return
    span = trace.get_current_span()
    span.set_attribute("gen_ai.usage.input_tokens", usage.input_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", usage.output_tokens)
    if usage.cost_usd is not None:
        span.set_attribute("chimera.cost_usd", usage.cost_usd)


@contextmanager
def effect(kind: str, key: str) -> Iterator[None]:
    """One call that makes something of ours appear on GitHub."""
    attributes = {"chimera.effect.kind": kind, "chimera.effect.key": key}
    with _tracer.start_as_current_span(
        f"effect {kind}", kind=SpanKind.CLIENT, attributes=attributes
    ):
        yield


def _of_step(task: Task) -> dict[str, str]:
    """A task that was parked goes on with the same run of its phase, in another span."""
    at = task.cursor
    return _of_task(task) | {
        "cicd.pipeline.task.name": task.phase.value,
        "cicd.pipeline.task.run.id": f"{task.id}/{task.phase}/{at.round}.{at.turn}.{at.attempt}",
        "cicd.pipeline.task.type": _TYPES.get(task.phase, "test"),
    }


def _of_task(task: Task) -> dict[str, str]:
    repo = task.repo
    found = {
        "cicd.pipeline.name": PIPELINE,
        "cicd.pipeline.run.id": task.id,
        "chimera.delivery": task.delivery,
        "vcs.ref.head.name": task.facts.branch,
        "vcs.ref.head.revision": task.facts.head_sha,
        "vcs.change.id": str(task.facts.pull or ""),
    }
    if repo is not None:
        found |= {
            "vcs.provider.name": "github",
            "vcs.owner.name": repo.owner,
            "vcs.repository.name": repo.name,
        }
    return {name: value for name, value in found.items() if value}


def _links(traceparent: str) -> list[Link]:
    context = _w3c.extract({HEADER: traceparent})
    linked = trace.get_current_span(context).get_span_context()
    return [Link(linked)] if linked.is_valid else []


@contextmanager
def _bound(span: Span) -> Iterator[None]:
    """Log lines and the rows that are written know the trace; nothing of it while there is none."""
    if not span.is_recording():
        yield
        return
    carrier: dict[str, str] = {}
    _w3c.inject(carrier)
    with bound_contextvars(**carrier):
        yield
