"""Sends traces to a collector, where whoever runs the server has named one.

The variables are OpenTelemetry's own
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/):
OTEL_EXPORTER_OTLP_ENDPOINT turns it on. The SDK is the optional extra `otel`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bot import __version__
from bot.errors import ConfigError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
DISABLED = "OTEL_SDK_DISABLED"
FLUSH_MS = 5_000  #: for the last spans, when the server stops


@contextmanager
def exported(environ: Mapping[str, str]) -> Iterator[bool]:
    """Traces leave until the block ends; yields whether they do.

    Raises ConfigError where a collector is named and the SDK is not installed.
    """
    wanted = any(environ.get(name) for name in ENDPOINTS)
    if not wanted or environ.get(DISABLED, "").lower() == "true":
        yield False
        return
    try:  # half a second of imports
        from opentelemetry import trace  # noqa: PLC0415 - an optional extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - an optional extra
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an optional extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - an optional extra
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        text = f"{ENDPOINTS[0]} is set, and the SDK is missing: pip install 'chimera-bot[otel]'"
        raise ConfigError([text]) from error
    resource = Resource.create({"service.name": "chimera", "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield True
    finally:
        provider.force_flush(FLUSH_MS)
        provider.shutdown()
