"""A bundle that was changed says where."""

import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bot.domain import Cursor, JournalLine, Outcome, Phase
from bot.effects import Effect, EffectKind, EffectState
from bot.facts import Approval, Deployment, Facts, Finding, FrozenFile, Proof, Spend
from bot.workflow.evidence import bundle, faults_in, last_link
from bot.workflow.executor import create_chimera_task

SPEND = Spend(requests=2, input_tokens=30, output_tokens=4, cost_usd=0.5)


def a_bundle() -> dict[str, Any]:
    proof = Proof(command="pytest", sha="a" * 40, exit_code=1, failed=2, log="2 failed")
    put = Deployment(name="staging/1.1", environment="staging", sha="a" * 40, run_id=7)
    facts = Facts(
        red=proof,
        green=(proof, proof),
        tests=(FrozenFile(path="tests/e2e/test_a.py", sha256="b" * 64),),
        findings=(Finding(path="a.py", line=1, severity="nit", body="x"),),
        staging=put,
        validation=proof,
        approval=Approval(by="ada", sha="a" * 40, at=1.0),
        production=put,
        production_validation=proof,
        rollback_sha="c" * 40,
        rollback=put,
        skipped=("PHASE: why",),
    )
    made = create_chimera_task(feature="Do it", now=lambda: 1.0)
    task = replace(made, id="chimera-1", facts=facts, spend=SPEND)
    line = JournalLine(
        task_id=task.id,
        n=1,
        phase=Phase.E2E_TEST_GENERATION,
        cursor=Cursor(),
        outcome=Outcome.PASS,
        summary="2 written",
        started_at=1.0,
        seconds=2.0,
        spend=SPEND,
    )
    effect = Effect(
        key="k",
        task_id=task.id,
        kind=EffectKind.MERGE,
        state=EffectState.CONFIRMED,
        intent_at=1.0,
        fence=1,
        request_hash="d" * 64,
    )
    whole: dict[str, Any] = json.loads(
        json.dumps(bundle(task, [line], [effect], cage="bubblewrap"))
    )
    return whole


def test_a_bundle_as_it_was_written_is_whole_also_after_a_file() -> None:
    assert faults_in(a_bundle()) == []
    assert last_link(a_bundle()) == last_link(a_bundle())


def test_the_cost_is_told_by_phase_and_sums_up() -> None:
    cost = a_bundle()["sections"]["cost"]
    one = {"requests": 2, "input_tokens": 30, "output_tokens": 4, "cost_usd": 0.5}
    told = {"phase": "E2E_TEST_GENERATION", **one, "complete": True}
    assert cost == {**one, "complete": True, "phases": [told]}


def test_the_hash_of_the_trigger_is_that_of_the_text_beside_it() -> None:
    trigger = a_bundle()["sections"]["trigger"]
    assert hashlib.sha256(trigger["text"].encode()).hexdigest() == trigger["text_sha256"]


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


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every value that holds no other."""
    members: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    if not members:
        yield place
    for key, member in members:
        yield from leaves(member, (*place, key))


def altered(document: dict[str, Any], place: tuple[str | int, ...]) -> dict[str, Any]:
    """A copy with another value at one place."""
    made = copy.deepcopy(document)
    at: Any = made
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = "forged" if at[place[-1]] != "forged" else "genuine"
    return made


def test_every_single_field_that_is_changed_is_found_and_its_section_named() -> None:
    document = a_bundle()
    sections = {place: str(place[0]) for place in leaves(document["sections"])}
    assert len(sections) > 120
    assert set(sections.values()) == set(document["sections"])
    for place, section in sections.items():
        faults = faults_in(altered(document, ("sections", *place)))
        assert faults == [f"{section}: the section is not the one that was written"], place
    for name in document["chain"]:
        assert faults_in(altered(document, ("chain", name)))[0].startswith(f"{name}: ")


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
