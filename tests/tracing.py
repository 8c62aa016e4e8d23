"""What a test's own spans are, in a process where a tracer provider can be set only once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@contextmanager
def kept_spans() -> Iterator[InMemorySpanExporter]:
    """Every span that ends until the block does."""
    kept = InMemorySpanExporter()
    _provider().add_span_processor(SimpleSpanProcessor(kept))
    yield kept
    kept.shutdown()  # keeps nothing any more


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@cache
def _provider() -> TracerProvider:
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    return provider
