"""A line of the log is one JSON object in ASCII, whatever its values are."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot import log

PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    st.one_of(PLAIN, st.text(st.characters())),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


class Colour(StrEnum):
    RED = "red"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)


def line(**values: Any) -> dict[str, Any]:
    """What was written for one event, read again."""
    stream = io.StringIO()
    log.set_up(json=True, stream=stream)
    log.get("here").info("happened", **values)
    text = stream.getvalue()
    assert text.isascii()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    said: dict[str, Any] = json.loads(text)
    return said


def test_a_line_says_what_happened_where_and_when() -> None:
    said = line(delivery="one", seconds=0.5)
    assert datetime.fromisoformat(said.pop("timestamp")).tzinfo == UTC
    assert said == {
        "room": "here",
        "event": "happened",
        "level": "info",
        "delivery": "one",
        "seconds": 0.5,
    }


@given(JSON)
def test_what_json_can_say_comes_back(value: Any) -> None:
    assert line(value=value)["value"] == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("é\u2028\x85", "é\u2028\x85"),
        ("\ud800", "\ud800"),
        (2**80, 2**80),
        ({1: "one"}, {"1": "one"}),
        (Colour.RED, "red"),
        ((1, 2), [1, 2]),
        (datetime(2026, 5, 1, tzinfo=UTC), "datetime.datetime(2026, 5, 1, 0, 0, tzinfo=datetime"),
    ],
)
def test_what_the_quick_writer_refuses_is_written_too(value: Any, said: Any) -> None:
    found = line(value=value)["value"]
    assert found == said or (isinstance(said, str) and found.startswith(said))


def test_an_error_is_told_with_where_it_was_raised() -> None:
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        said = line(exc_info=error)
    assert "ValueError: no such thing" in said["exception"]
