"""A span for each question to a model, below the span of the agent that asks it.

Names follow https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. Who asked, what was
asked and what was answered is never in it: a model, its provider, tokens and money are. Where
nobody collects traces, the API's own tracer does nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from bot import __version__

#: What the conventions call a provider, where it is not its usual name.
_PROVIDERS: Mapping[str, str] = {"google": "gcp.gemini"}

_tracer = trace.get_tracer("chimera", __version__)


@dataclass(frozen=True, slots=True)
class Question:
    """One question under way."""

    _span: Span

    def used(self, input_tokens: int, output_tokens: int, cost_usd: float | None) -> None:
        """What it has come to; an unknown price is left out."""
        self._span.set_attribute("gen_ai.usage.input_tokens", input_tokens)
        self._span.set_attribute("gen_ai.usage.output_tokens", output_tokens)
        if cost_usd is not None:
            self._span.set_attribute("chimera.cost_usd", cost_usd)

    def failed(self, kind: str) -> None:
        """`kind` is one of few: a status, or the name of an error. Its words may quote somebody."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR)


@contextmanager
def question(model: str, provider: str, *, below: Context | None = None) -> Iterator[Question]:
    """A question to `model`, until the block ends; `below` where the present span is another."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.request.model": model,
    }
    with _tracer.start_as_current_span(
        f"chat {model}",
        context=below,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,  # a provider's words
        set_status_on_exception=False,
    ) as span:
        asked = Question(span)
        try:
            yield asked
        except Exception as error:
            asked.failed(type(error).__name__)
            raise
