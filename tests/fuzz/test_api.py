"""The API against its own description: whatever the description allows, and what it does not.

schemathesis makes the requests of the OpenAPI document that the server itself gives; each answer
must be described there, have its type and schema, and never be a 5xx.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.web.routes import API
from bot.web.row import Row
from tests.web.house import opened_house
from tests.web.serving import serving

schemathesis = pytest.importorskip("schemathesis")

# Which hosts a server allows, no description can say; and 1.0 is no number of ours.
from hypothesis import HealthCheck, given, settings  # noqa: E402 - after what may skip the module
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

EXAMPLES = 200 if os.environ.get("FUZZ") == "all" else 12
READY_S = 30.0
#: A stream has no end, and a profile takes the seconds that are asked for.
ANSWERED = [
    row for row in API if "event-stream" not in row.media_type and row.path != "/api/profile"
]


@contextmanager
def served_house(folder: Path) -> Iterator[int]:
    """The port of a house behind a real socket, on a loop of its own: schemathesis has none."""
    port: list[int] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with opened_house(folder) as house:
            for number in range(1, 4):
                await house.add(f"wish {number}", issue=number)
            async with serving(house) as at:
                port.append(at)
                ready.set()
                await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(READY_S), "the server did not start"
        yield port[0]
    finally:
        done.set()
        thread.join(READY_S)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with served_house(tmp_path_factory.mktemp("api")) as port:
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")


@pytest.mark.slow
@pytest.mark.parametrize("row", ANSWERED, ids=lambda row: f"{row.method} {row.path}")
def test_every_answer_is_as_the_description_says_and_none_is_a_5xx(
    described: Any, row: Row
) -> None:
    operation = described[row.path][row.method]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    ask()
