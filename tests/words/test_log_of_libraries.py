"""What libraries say by the standard library's logging becomes lines of ours."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot import log

TOKEN = "ghs_" + "A1b2" * 9


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    kept = structlog.get_config()
    stream = io.StringIO()
    log.set_up(json=True, stream=stream)
    yield stream
    structlog.configure(**kept)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Every line, each of which has to be JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_error_of_asyncio_is_one_json_line_and_its_traceback_has_no_secret(
    stream: io.StringIO,
) -> None:
    try:
        raise OSError(f"cannot fetch with {TOKEN}")
    except OSError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    [said] = lines(stream)
    assert (said["level"], said["room"]) == ("error", "asyncio")
    assert said["event"] == "Task exception was never retrieved"
    assert "OSError: cannot fetch with [secret]" in said["exception"]
    assert TOKEN not in stream.getvalue()


def test_a_warning_is_told_and_chatter_is_not(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("Invalid HTTP request %s", "received.")
    logging.getLogger("some.library").info("Started server process")
    [said] = lines(stream)
    assert (said["level"], said["room"]) == ("warning", "some.library")
    assert said["event"] == "Invalid HTTP request received."


def test_the_same_words_a_thousand_times_at_once_are_told_once(stream: io.StringIO) -> None:
    logger = logging.getLogger("asyncio")
    for _ in range(1000):
        logger.error("socket.accept() out of system resource")
    logger.error("something else")
    assert [said["event"] for said in lines(stream)] == [
        "socket.accept() out of system resource",
        "something else",
    ]


def test_to_set_up_twice_tells_nothing_twice(stream: io.StringIO) -> None:
    log.set_up(json=True, stream=stream)
    logging.getLogger("asyncio").error("told once")
    assert len(lines(stream)) == 1
