from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.gates import (
    GATES,
    SUBMODULE,
    SYMLINK,
    Change,
    Gate,
    GateRules,
    Status,
    added_lines,
    blocks,
    check_change,
    freeze,
    only_under,
)

TOKEN = "hT4kQz81LmVw0sYcR7bXeJ2nGu5dPfAo9iKt"
RULES = GateRules(protected=[".github/**", "*.lock"])


def added(path: str, text: str = "x = 1\n", mode: int = 0o100644) -> Change:
    return Change(path=path, status=Status.ADDED, mode=mode, new=text.encode())


def modified(path: str, old: str, new: str) -> Change:
    return Change(path=path, status=Status.MODIFIED, old=old.encode(), new=new.encode())


def deleted(path: str, old: str = "x = 1\n") -> Change:
    return Change(path=path, status=Status.DELETED, old=old.encode())


def refused_by(*changes: Change, rules: GateRules = RULES) -> set[Gate]:
    return {f.gate for f in check_change(changes, rules=rules) if f.blocker}


def test_an_ordinary_change_passes_every_gate() -> None:
    change = [added("shop/a.py"), modified("README.md", "a\n", "b\n"), deleted("old.py")]
    assert check_change(change, rules=RULES) == []


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        (added(".github/workflows/ci.yml"), Gate.PROTECTED),
        (deleted("uv.lock"), Gate.PROTECTED),
        (added("AGENTS.md"), Gate.PROTECTED),
        (modified("web/CLAUDE.md", "a\n", "b\n"), Gate.PROTECTED),
        (added(".mcp.json", "{}\n"), Gate.PROTECTED),
        (added(".claude/settings.json", "{}\n"), Gate.PROTECTED),
        (added("web/.gemini/.env", "x\n"), Gate.PROTECTED),
        (deleted(".codex/config.toml"), Gate.PROTECTED),
        (added("a", "/etc/passwd", mode=SYMLINK), Gate.LINKS),
        (Change(path="vendor", status=Status.ADDED, mode=SUBMODULE), Gate.LINKS),
        (added(".gitmodules"), Gate.LINKS),
        (added("a/.git/config"), Gate.PATHS),
        (added("a/.GIT/hooks/pre-commit"), Gate.PATHS),
        (added("a/.g\u200cit/config"), Gate.PATHS),
        (added("git~1/config"), Gate.PATHS),
        (added("../x"), Gate.PATHS),
        (added("/etc/x"), Gate.PATHS),
        (added("a//b"), Gate.PATHS),
        (added("a\\..\\b"), Gate.PATHS),
        (added("a\nb"), Gate.PATHS),
        (added("big.txt", "x" * 1024 * 1025), Gate.LIMITS),
        (added("pytest.ini", "[pytest]\n"), Gate.WEAKENING),
        (added("k.py", f"KEY = 'ghp_{TOKEN}'\n"), Gate.SECRETS),
    ],
)
def test_each_gate_refuses_its_own_and_names_the_file(change: Change, gate: Gate) -> None:
    findings = [f for f in check_change([change], rules=RULES) if f.blocker]
    assert {f.gate for f in findings} == {gate}
    assert {f.path for f in findings} == {change.path}


def test_too_many_files_and_too_large_a_patch_are_refused() -> None:
    rules = replace(RULES, max_files=2, max_patch_kb=1)
    assert refused_by(added("a"), added("b"), added("c"), rules=rules) == {Gate.LIMITS}
    assert refused_by(added("a", "line\n" * 400), rules=rules) == {Gate.LIMITS}


def test_a_small_edit_of_a_large_file_is_a_small_patch() -> None:
    old = "".join(f"{n}\n" for n in range(1000))
    rules = replace(RULES, max_patch_kb=1)
    assert refused_by(modified("a", old, old + "end\n"), rules=rules) == set()


def test_an_accepted_test_may_be_neither_edited_nor_deleted() -> None:
    test = "def test_a(): assert 1 + x == 2\n"
    rules = replace(RULES, frozen=[freeze("tests/test_a.py", test.encode())])
    assert refused_by(added("tests/test_a.py", test), rules=rules) == set()
    assert refused_by(added("tests/test_a.py", test + "\n"), rules=rules) == {Gate.FREEZE}
    assert refused_by(deleted("tests/test_a.py", test), rules=rules) == {Gate.FREEZE}


def test_a_secret_that_was_always_there_is_not_this_changes_fault() -> None:
    line = f"KEY = 'ghp_{TOKEN}'\n"
    assert refused_by(modified("k.py", line, "# moved\n" + line)) == set()
    assert refused_by(modified("k.py", "# x\n", "# x\n" + line)) == {Gate.SECRETS}


def test_a_secret_is_reported_with_its_line_and_without_its_value() -> None:
    value = f"ghp_{TOKEN}"
    (found,) = check_change([added("k.py", f"a\nb = '{value}'\n")], rules=RULES)
    assert found.line == 2
    assert value not in found.text


def test_new_dependencies_and_binaries_are_shown_and_do_not_block() -> None:
    findings = check_change(
        [
            modified("requirements.txt", "httpx\n", "httpx\nleft-pad==1\n"),
            Change(path="logo.png", status=Status.ADDED, new=b"\x89PNG\0\0"),
        ],
        rules=RULES,
    )
    assert {f.gate for f in findings} == {Gate.DEPENDENCIES, Gate.BINARY}
    assert "left-pad" in findings[0].text
    assert not blocks(findings)


def test_a_person_can_allow_weaker_tests_and_the_finding_says_who() -> None:
    change = deleted("tests/test_a.py", "def test_a():\n    assert f()\n")
    assert refused_by(change) == {Gate.WEAKENING}
    allowed = replace(RULES, weakening_allowed_by="ada, by the label weaker-tests")
    findings = check_change([change], rules=allowed)
    assert not blocks(findings)
    assert "ada" in findings[0].text


def test_many_findings_are_counted_and_stay_blockers() -> None:
    changes = [added(f".github/{n}.yml") for n in range(50)]
    findings = check_change(changes, rules=RULES)
    assert findings[-1].text == "and 30 more"
    assert all(f.blocker for f in findings)


def test_the_tester_writes_under_one_folder_only() -> None:
    changes = [added("tests/e2e/a.py"), added("tests/e2efake/a.py"), added("shop/a.py")]
    assert [f.path for f in only_under(changes, "tests/e2e")] == [
        "tests/e2efake/a.py",
        "shop/a.py",
    ]


def test_every_gate_but_the_folder_stands_in_the_table() -> None:
    assert set(GATES) == set(Gate) - {Gate.SCOPE}


LINES = st.lists(st.sampled_from(["a", "b", "", "c d"]), max_size=12).map("\n".join)


@given(LINES, LINES)
def test_added_lines_are_those_that_the_old_side_has_less_often(old: str, new: str) -> None:
    found = added_lines(modified("x", old, new))
    assert len(found) >= len(new.splitlines()) - len(old.splitlines())
    assert all(new.splitlines()[number - 1] == line for number, line in found)
    assert added_lines(modified("x", new, new)) == []


CHANGES = st.lists(
    st.builds(
        Change,
        path=st.text(max_size=30)
        | st.sampled_from(["package.json", "pyproject.toml", "a.test.js"]),
        status=st.sampled_from(Status),
        mode=st.sampled_from([0o100644, SYMLINK, SUBMODULE]),
        old=st.none() | st.binary(max_size=80),
        new=st.none() | st.binary(max_size=80),
    ),
    max_size=4,
)


@given(CHANGES)
def test_no_change_makes_a_gate_raise(changes: list[Change]) -> None:
    check_change(changes, rules=RULES)
