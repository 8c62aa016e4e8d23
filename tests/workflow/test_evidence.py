"""A bundle that was changed says where."""

import copy
import json
from typing import Any

import pytest

from bot.domain import Cursor, Facts, JournalLine, Outcome, Phase, Proof, Task
from bot.workflow.evidence import bundle, faults_in, last_link


def a_bundle() -> dict[str, Any]:
    proof = Proof(command="pytest", sha="a" * 40, exit_code=1, failed=2, log="2 failed")
    task = Task(id="chimera-1", feature="Do it", title="Do it", facts=Facts(red=proof))
    line = JournalLine(
        task_id=task.id,
        n=1,
        phase=Phase.E2E_TEST_GENERATION,
        cursor=Cursor(),
        outcome=Outcome.PASS,
        summary="2 written",
        started_at=1.0,
        seconds=2.0,
    )
    made = bundle(task, [line], [], cage="bubblewrap")
    whole: dict[str, Any] = json.loads(json.dumps(made))
    return whole


def test_a_bundle_as_it_was_written_is_whole_also_after_a_file() -> None:
    assert faults_in(a_bundle()) == []
    assert last_link(a_bundle()) == last_link(a_bundle())


@pytest.mark.parametrize("section", list(a_bundle()["sections"]))
def test_a_changed_section_is_named(section: str) -> None:
    changed = copy.deepcopy(a_bundle())
    changed["sections"][section] = {"another": "story"}
    assert faults_in(changed) == [f"{section}: the section is not the one that was written"]


@pytest.mark.parametrize("section", list(a_bundle()["sections"]))
def test_a_missing_section_is_named(section: str) -> None:
    changed = copy.deepcopy(a_bundle())
    del changed["sections"][section]
    assert faults_in(changed) == [f"{section}: the section is missing"]


def test_an_exit_code_that_was_made_green_is_found() -> None:
    changed = copy.deepcopy(a_bundle())
    changed["sections"]["red"]["exit_code"] = 0
    assert faults_in(changed) == ["red: the section is not the one that was written"]


def test_added_sections_and_other_orders_are_found() -> None:
    added = copy.deepcopy(a_bundle())
    added["sections"]["extra"] = 1
    assert faults_in(added) == ["extra: the section was added later"]
    turned = copy.deepcopy(a_bundle())
    turned["sections"] = dict(reversed(turned["sections"].items()))
    assert faults_in(turned) != []


@pytest.mark.parametrize(
    "document", [{}, {"version": 2}, {"version": 1}, {"version": 1, "sections": []}]
)
def test_what_is_no_bundle_is_told(document: dict[str, Any]) -> None:
    assert faults_in(document) != []
