"""One enum of causes: what the comment, the API, the metrics and the docs call them is the same."""

import re
from pathlib import Path
from typing import Any, get_args

from bot.domain import Cause, WaitFor
from bot.errors import StepError
from bot.web.shapes import LineOut, TaskOut, WaitOut
from bot.workflow.report.failures import FAILURES
from bot.workflow.trouble import DEADLY

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "causes-and-waits.md"


def told(block: str) -> set[str]:
    """The first column of a generated table of the page."""
    text = PAGE.read_text().partition(f"<!-- generated: {block} -->")[2]
    table = text.partition(f"<!-- end: {block} -->")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_comment_and_docs_tell_of_every_cause_and_wait() -> None:
    assert set(FAILURES) == set(Cause)
    assert told("causes") == {cause.value for cause in Cause}
    assert told("waits") == {wait.value for wait in WaitFor}


def test_the_api_names_the_same_enums() -> None:
    for shape, name, enum in ((TaskOut, "cause", Cause), (LineOut, "cause", Cause)):
        assert get_args(shape.model_fields[name].annotation) == (enum, type(None))
    schema: dict[str, Any] = WaitOut.model_json_schema()
    assert set(schema["$defs"]["WaitFor"]["enum"]) == {wait.value for wait in WaitFor}


def test_every_error_of_a_step_has_one_of_them() -> None:
    def below(kind: type[StepError]) -> set[type[StepError]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    assert all(isinstance(kind.cause, Cause) for kind in below(StepError))


def test_what_ends_dead_is_broken_machinery_and_never_a_verdict_on_the_change() -> None:
    verdicts = {
        Cause.NOT_RED, Cause.NOT_GREEN, Cause.GATE, Cause.REVIEW, Cause.CI, Cause.DEPLOY,
        Cause.VALIDATION, Cause.BUDGET, Cause.PERSON, Cause.CONFIG, Cause.RATE_LIMIT,
    }  # fmt: skip
    assert set(Cause) - verdicts == DEADLY
