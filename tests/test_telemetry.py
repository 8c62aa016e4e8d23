"""Traces leave only where a collector is named, and only then does the SDK have to be there."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from bot.telemetry import exported

WAIT_S = 60
ONE_SPAN = """
import os
from opentelemetry import trace
from bot.telemetry import exported
with exported(os.environ) as leaving:
    assert leaving
    with trace.get_tracer("test").start_as_current_span("a span of ours"):
        pass
"""
WITHOUT_SDK = """
import sys
sys.modules["opentelemetry.sdk"] = None
from bot.errors import ConfigError
from bot.telemetry import exported
try:
    with exported({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}):
        sys.exit("it began without the SDK")
except ConfigError as error:
    print(error)
"""


class _Collector(http.server.ThreadingHTTPServer):
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), _Keep)


class _Keep(http.server.BaseHTTPRequestHandler):
    server: _Collector

    def do_POST(self) -> None:  # the library's name for it
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def collector() -> Iterator[_Collector]:
    with _Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment, capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip


def test_without_a_collector_nothing_is_set_up() -> None:
    with exported({}) as leaving:
        assert not leaving
    off = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}
    with exported(off) as leaving:
        assert not leaving


def test_a_named_collector_gets_the_spans_before_the_program_ends(collector: _Collector) -> None:
    where = f"http://127.0.0.1:{collector.server_port}"
    done = run(ONE_SPAN, OTEL_EXPORTER_OTLP_ENDPOINT=where)
    assert (done.returncode, done.stderr) == (0, "")
    [(path, body)] = collector.got
    assert path == "/v1/traces"
    assert b"a span of ours" in body
    assert b"chimera" in body


def test_a_collector_without_the_sdk_is_a_configuration_that_says_what_to_install() -> None:
    done = run(WITHOUT_SDK)
    assert "pip install 'chimera-bot[otel]'" in done.stdout, done.stderr
