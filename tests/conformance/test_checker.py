"""The checker knows good requests from bad ones."""

from typing import Any

import pytest

from tests.conformance.checker import Conformance

REPO = "/repos/acme/shop"
SHA = "0" * 40

GOOD = [
    ("GET", f"{REPO}/issues", {"per_page": "100", "state": "all", "labels": "a,b"}, None),
    ("POST", f"{REPO}/issues", {}, {"title": "x", "body": "y", "labels": ["a"]}),
    ("POST", f"{REPO}/issues/1/labels", {}, {"labels": ["a"]}),
    ("DELETE", f"{REPO}/issues/1/labels/a%2Fb", {}, None),
    ("GET", f"{REPO}/git/ref/heads/chimera/1-x", {}, None),
    ("GET", f"{REPO}/contents/.github/chimera.yml", {"ref": "main"}, None),
    ("POST", f"{REPO}/check-runs", {}, {"name": "n", "head_sha": SHA, "status": "in_progress"}),
    (
        "POST",
        f"{REPO}/actions/workflows/deploy.yml/dispatches",
        {},
        {"ref": "main", "inputs": {str(n): "v" for n in range(25)}, "return_run_details": True},
    ),
    ("PUT", f"{REPO}/pulls/1/merge", {}, {"sha": SHA, "merge_method": "squash"}),
]

BAD: list[tuple[str, str, dict[str, str], Any, str]] = [
    ("GET", "/repos/acme/shop/isues", {}, None, "no such operation"),
    ("PUT", f"{REPO}/issues", {}, {}, "no such operation"),
    ("GET", f"{REPO}/issues/one", {}, None, "integer"),
    ("GET", f"{REPO}/issues", {"state": "al"}, None, "state"),
    ("GET", f"{REPO}/issues", {"per_pages": "9"}, None, "unknown query"),
    ("GET", f"{REPO}/issues", {"per_page": "nine"}, None, "integer"),
    ("POST", f"{REPO}/issues", {}, None, "missing"),
    ("POST", f"{REPO}/issues", {}, {"body": "no title"}, "title"),
    ("POST", f"{REPO}/issues", {}, {"title": "x", "lables": []}, "lables"),
    ("POST", f"{REPO}/issues", {}, {"title": None}, "title"),
    ("POST", f"{REPO}/issues/1/reactions", {}, {"content": "thumbs"}, "thumbs"),
    ("POST", f"{REPO}/check-runs", {}, {"name": "n", "head_sha": SHA, "status": "done"}, "done"),
    (
        "POST",
        f"{REPO}/check-runs",
        {},
        {"name": "n", "head_sha": SHA, "output": {"title": "t", "summary": "s", "sumary": "x"}},
        "sumary",
    ),
    (
        "POST",
        f"{REPO}/check-runs",
        {},
        {"name": "n", "head_sha": SHA, "output": {"title": "t", "summary": "s" * 65_536}},
        "65535",
    ),
    (
        "POST",
        f"{REPO}/check-runs",
        {},
        {
            "name": "n",
            "head_sha": SHA,
            "actions": [{"label": "x" * 21, "description": "d", "identifier": "i"}],
        },
        "20",
    ),
    (
        "POST",
        f"{REPO}/actions/workflows/deploy.yml/dispatches",
        {},
        {"ref": "main", "inputs": {str(n): "v" for n in range(26)}},
        "25",
    ),
    ("PUT", f"{REPO}/issues/comments/1/pin", {}, {"pin": True}, "a body where"),
]


@pytest.fixture(scope="module")
def conformance() -> Conformance:
    return Conformance.load()


@pytest.mark.parametrize(("method", "path", "query", "body"), GOOD)
def test_a_request_that_github_describes_has_no_problems(
    conformance: Conformance, method: str, path: str, query: dict[str, str], body: Any
) -> None:
    assert conformance.request(method, path, query, body) == []


@pytest.mark.parametrize(("method", "path", "query", "body", "word"), BAD)
def test_a_request_with_a_mistake_is_told_which(
    conformance: Conformance, method: str, path: str, query: dict[str, str], body: Any, word: str
) -> None:
    problems = conformance.request(method, path, query, body)
    assert problems
    assert word in problems[0]


def test_an_answer_may_leave_out_fields_but_not_invent_or_mistype_them(
    conformance: Conformance,
) -> None:
    def problems(body: Any, *, missing_ok: bool = True) -> list[str]:
        return conformance.response("GET", REPO, 200, body, missing_ok=missing_ok)

    assert problems({"id": 1, "name": "shop", "owner": {"login": "acme"}}) == []
    assert "id" in problems({"id": "1"})[0]
    assert "nmae" in problems({"nmae": "shop"})[0]
    assert "lgoin" in problems({"owner": {"lgoin": "acme"}})[0]
    assert "required" in problems({"id": 1}, missing_ok=False)[0]


def test_answers_that_are_one_of_several_shapes_are_held_to_them(
    conformance: Conformance,
) -> None:
    def problems(rule: dict[str, Any]) -> list[str]:
        return conformance.response("GET", f"{REPO}/rules/branches/main", 200, [rule])

    context = {"required_status_checks": [{"context": "ci"}]}
    rule = {"type": "required_status_checks", "ruleset_id": 1, "parameters": context}
    assert problems(rule) == []
    assert problems(rule | {"ruleset": 1})
    assert problems(rule | {"ruleset_id": "1"})


def test_a_status_that_is_not_described_is_a_problem_for_success_only(
    conformance: Conformance,
) -> None:
    assert conformance.response("GET", REPO, 202, {}) != []
    assert conformance.response("GET", REPO, 503, {}) == []
    assert conformance.response("PUT", f"{REPO}/issues/comments/1/pin", 204, None) != [""]
