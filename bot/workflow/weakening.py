"""Tests that became easier to pass: more than hashes can tell.

Pure. Python tests are read with `ast`, those of jest and vitest are scanned; of all others only
the hash is compared, and the finding says so. `find_weakening` compares a change as a whole, so
that a test which moved to another file has not been deleted.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.workflow.globs import matches_any
from bot.workflow.replaced_python import Function
from bot.workflow.runner_config import changed_command, changed_runner
from bot.workflow.testcases import Depth, TestCase, depth_of, is_surrounding
from bot.workflow.tests_python import fixtures_in, read_python
from bot.workflow.tests_script import read_script

_Unreadable = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFile:
    """A file on both sides of a change; None where it is not there."""

    __test__ = False

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weakening:
    """A test that became easier to pass, or (`certain` is False) that may have."""

    path: str
    line: int
    text: str
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """What one has to know of the change as a whole to judge one of its files."""

    gained: Mapping[str, TestCase]  #: tests that only a new side has, by their last names
    fixtures: Sequence[Function]
    written: frozenset[str]  #: names of functions that the change defines
    commands: Sequence[str]  #: by which the tests are run


def find_weakening(files: Sequence[TestFile], commands: Sequence[str] = ()) -> list[Weakening]:
    """Everything in the change that takes strength from the tests, which `commands` run."""
    gained = {case.name.rsplit(".")[-1]: case for f in files for case in _gained(f)}
    conftests = [f.new or "" for f in files if f.path.rpartition("/")[2] == "conftest.py"]
    whole = _Whole(
        gained=gained,
        fixtures=[one for text in conftests for one in fixtures_in(text)],
        written=frozenset(name for f in files for name in _written(f)),
        commands=commands,
    )
    return [found for f in files for found in _in_file(f, whole)]


def is_a_real_test(path: str, text: str, old: str = "") -> str | None:
    """Why this file of tests proves nothing, or None. Files in other languages are trusted.

    Tests that stand in `old` in the same way are not this change's, and are not judged.
    """
    try:
        cases = _read(path, text)
    except _Unreadable as error:
        return f"{path}: cannot be read: {error}"
    if cases is None:
        return None
    if not cases:
        return f"{path}: holds no test"
    known = _known(path, old)
    judged = ((case, _not_real(case)) for case in cases if replace(case, line=0) not in known)
    return next((f"{path}:{case.line}: {reason}" for case, reason in judged if reason), None)


def how_compared(paths: Iterable[str]) -> str:
    """For the report: which tests were compared how closely; empty where none were."""
    counted = Counter(depth_of(path) for path in paths)
    return "; ".join(
        f"{counted[depth]} {'file' if counted[depth] == 1 else 'files'} {depth}"
        for depth in (Depth.PYTHON, Depth.SCRIPT, Depth.HASH)
        if counted[depth]
    )


def _not_real(case: TestCase) -> str | None:
    if case.always_fails:
        return f"{case.name} fails whatever the program does"
    if case.marks:
        return f"{case.name} is skipped, or expected to fail"
    if not case.cases:
        return f"{case.name} has no parameter sets, so that it never runs"
    if case.swallows:
        return f"{case.name} catches its own failed assertion"
    if case.only:
        return f"{case.name} keeps the other tests from running (only)"
    if not case.asserts:
        return f"{case.name} asserts nothing that could be false"
    return None


def _in_file(file: TestFile, whole: _Whole) -> Iterator[Weakening]:
    sides = file.path, file.old, file.new
    reason = changed_runner(*sides) or changed_command(*sides, whole.commands)
    if reason is not None:
        yield _found(file, 0, reason)
    if reason is not None or file.old == file.new:
        return
    match depth_of(file.path):
        case Depth.NONE:
            return
        case Depth.HASH:
            yield from _by_hash(file)
        case Depth.PYTHON | Depth.SCRIPT:
            yield from _in_depth(file, whole)


def _by_hash(file: TestFile) -> Iterator[Weakening]:
    if file.old is None:
        if matches_any(file.path, ["__mocks__/**"]):
            text = "stands in for a module; jest takes it for a package without being asked to"
            yield _found(file, 0, text, certain=False)
        return
    deleted = file.new is None
    what = "was deleted" if deleted else "was changed"
    text = f"{what}; only the hash of such a file is compared, not what it tests"
    yield _found(file, 0, text, certain=deleted)


def _in_depth(file: TestFile, whole: _Whole) -> Iterator[Weakening]:
    try:
        before = _read(file.path, file.old or "") or []
    except _Unreadable:
        before = []  # it tested nothing, so nothing can be lost
    try:
        after = _read(file.path, file.new or "", whole.fixtures) or []
    except _Unreadable:
        yield _found(file, 0, "can no longer be read, so none of its tests would run")
        return
    now = {case.name: case for case in after}
    pairs = []
    for old in before:
        new = now.get(old.name) or _moved(old, whole.gained, after)
        if new is None:
            yield _found(file, old.line, f"the test {old.name} was deleted")
        else:
            pairs.append((old, new))
            yield from _compared(file, old, new)
            yield from _wrapped(file, old, new, whole.written)
    yield from _replaced(file, pairs)
    known = {case.name for case in before}
    for case in after:
        if case.name not in known and (reason := _not_real(case)) is not None:
            yield _found(file, case.line, f"new, but {reason}", certain=case.only)


def _compared(file: TestFile, old: TestCase, new: TestCase) -> Iterator[Weakening]:
    at, name = new.line, new.name
    if new.marks > old.marks:
        yield _found(file, at, f"{name} is now skipped, or expected to fail")
    if new.only and not old.only:
        yield _found(file, at, f"{name} now keeps the other tests from running (only)")
    if new.swallows > old.swallows:
        yield _found(file, at, f"{name} now catches its own failed assertion")
    if new.cases < old.cases:
        yield _found(file, at, f"{name} has {new.cases} parameter sets; it had {old.cases}")
    if len(new.asserts) < len(old.asserts):
        counts = f"{len(new.asserts)}; it had {len(old.asserts)}"
        yield _found(file, at, f"{name}: the assertions that can fail are {counts}")
    elif Counter(old.asserts) - Counter(new.asserts):
        yield _found(file, at, f"{name} asserts something else than before", certain=False)
    if left := (Counter(old.sure) - Counter(new.sure)) & Counter(new.asserts):
        yield _found(file, at, f"{name} now asserts under a condition: {next(iter(left))[:80]}")


def _replaced(file: TestFile, pairs: Sequence[tuple[TestCase, TestCase]]) -> Iterator[Weakening]:
    """What tests newly run with a substitute for; one that goes by the same last name moved."""
    tests: dict[tuple[str, bool], list[TestCase]] = defaultdict(list)
    for old, new in pairs:
        gone = {_last(name) for name in old.replaced - new.replaced}
        for name in new.replaced - old.replaced:
            tests[name, not is_surrounding(name) and _last(name) not in gone].append(new)
    for (name, certain), those in sorted(tests.items()):
        verb = "now runs" if len(those) == 1 else f"and {len(those) - 1} more now run"
        text = f"{those[0].name} {verb} with a substitute for {name}"
        yield _found(file, those[0].line, text, certain=certain)


def _wrapped(
    file: TestFile, old: TestCase, new: TestCase, written: frozenset[str]
) -> Iterator[Weakening]:
    """A new decorator may keep a test from running; that is certain where the change wrote it."""
    for name in sorted(new.wrapped - old.wrapped):
        text = f"{new.name} is now decorated with {name}"
        yield _found(file, new.line, text, certain=_last(name) in written)


def _written(file: TestFile) -> set[str]:
    """Functions that only the new side of a Python file defines."""
    if not file.path.endswith(".py"):
        return set()
    old, new = ({one.name for one in fixtures_in(side or "")} for side in (file.old, file.new))
    return new - old


def _last(name: str) -> str:
    return re.split(r"[./]", name)[-1]


def _moved(old: TestCase, gained: Mapping[str, TestCase], after: list[TestCase]) -> TestCase | None:
    """The same test elsewhere: under its name in another file, or renamed in this one."""
    moved = gained.get(old.name.rsplit(".")[-1])
    if moved is not None and not Counter(old.asserts) - Counter(moved.asserts):
        return moved
    return next((c for c in after if old.asserts and c.asserts == old.asserts), None)


def _gained(file: TestFile) -> list[TestCase]:
    """Tests that only the new side of a file has."""
    try:
        new = _read(file.path, file.new or "") or []
        old = _read(file.path, file.old or "") or []
    except _Unreadable:
        return []
    known = {case.name for case in old}
    return [case for case in new if case.name not in known]


def _known(path: str, old: str) -> frozenset[TestCase]:
    """The tests that a file had, wherever in it they stood."""
    try:
        return frozenset(replace(case, line=0) for case in _read(path, old) or ())
    except _Unreadable:
        return frozenset()


def _read(path: str, text: str, fixtures: Sequence[Function] = ()) -> list[TestCase] | None:
    match depth_of(path):
        case Depth.PYTHON:
            return read_python(text, fixtures)
        case Depth.SCRIPT:
            return read_script(text)
        case Depth.HASH | Depth.NONE:
            return None


def _found(file: TestFile, line: int, text: str, *, certain: bool = True) -> Weakening:
    return Weakening(path=file.path, line=line, text=text, certain=certain)
