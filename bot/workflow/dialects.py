"""The dialects of eight test runners: how each counts, and how each says that it is broken.

Every reader takes the whole output and returns a tally, an empty one where the runner spoke but
counted nothing, or None where this is not its output. `runners.py` draws the conclusions.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Runner(StrEnum):
    """The runners whose output we can count."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    JEST = "jest"
    VITEST = "vitest"
    MOCHA = "mocha"
    NODE = "node:test"
    GO = "go test"
    CARGO = "cargo test"
    UNKNOWN = "unknown"  #: only the exit code is known


Tally = Mapping[str, int]
Reasons = tuple[tuple[re.Pattern[str], str], ...]  #: what the output shows, and what that means

FIELDS = ("collected", "passed", "failed", "errors", "skipped", "xfailed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one runner is called, counts, and says that something is broken."""

    runner: Runner
    named: re.Pattern[str]  #: in the command line
    count: Callable[[str], Tally | None]  #: None: this output is not from this runner
    broken: Reasons
    missing: re.Pattern[str]  #: says that a module is not there
    gave_up: Reasons = ()  #: says that a file could not be run, where no module is missing
    exits: Mapping[int, str] = field(default_factory=dict)  #: exit codes that mean something
    only_errors_break: bool = False  #: an error is a broken set-up, not a test that said no


def _sum(pattern: re.Pattern[str], text: str, names: Mapping[str, str]) -> dict[str, int]:
    """Add up every `<number> <word>` of `text` under the member that `names` gives the word."""
    tally = dict.fromkeys(FIELDS, 0)
    for number, word in pattern.findall(text):
        if (name := names.get(word)) is not None:
            tally[name] += int(number)
    return tally


def _with_total(tally: dict[str, int]) -> dict[str, int]:
    parts = ("passed", "failed", "errors", "skipped", "xfailed")
    return {**tally, "collected": sum(tally[name] for name in parts)}


# pytest: `=== 1 failed, 2 passed in 0.12s ===`, the same without frame under -q, none under -qq.
_PYTEST_END = re.compile(
    r"^=* ?((?:\d+ [a-z ]+(?:, )?)+|no tests (?:ran|collected)[^=\n]*?) "
    r"in \d+(?:\.\d+)?s(?: \([\d:, a-z]+\))? ?=*$",
    re.MULTILINE,
)
_PYTEST_PART = re.compile(r"(\d+) (failed|passed|skipped|errors?|xfailed|xpassed)\b")
_PYTEST_NAMES = {
    "failed": "failed",
    "passed": "passed",
    "xpassed": "passed",
    "skipped": "skipped",
    "error": "errors",
    "errors": "errors",
    "xfailed": "xfailed",
}
_PYTEST_LINE = re.compile(r"^(FAILED|ERROR) \S+", re.MULTILINE)
_PYTEST_SIGN = re.compile(
    r"^(ERROR: |INTERNALERROR> |={5,} (?:ERRORS|FAILURES|test session))", re.M
)


def _pytest(text: str) -> Tally | None:
    ends = _PYTEST_END.findall(text)
    if ends:
        return _with_total(_sum(_PYTEST_PART, ends[-1], _PYTEST_NAMES))
    words = [line[0] for line in _PYTEST_LINE.finditer(text)]
    if not words:
        return {} if _PYTEST_SIGN.search(text) else None
    failed = sum(word.startswith("FAILED") for word in words)
    return {"collected": len(words), "failed": failed, "errors": len(words) - failed}


_UNITTEST_RAN = re.compile(r"^Ran (\d+) tests? in [\d.]+s$", re.MULTILINE)
_UNITTEST_PART = re.compile(r"\b(failures|errors|skipped|expected failures)=(\d+)")


def _unittest(text: str) -> Tally | None:
    ran = _UNITTEST_RAN.findall(text)
    if not ran:
        return None
    end = text[text.rindex("Ran ") :]
    parts = {name: int(number) for name, number in _UNITTEST_PART.findall(end)}
    tally = {
        "collected": int(ran[-1]),
        "failed": parts.get("failures", 0),
        "errors": parts.get("errors", 0),
        "skipped": parts.get("skipped", 0),
        "xfailed": parts.get("expected failures", 0),
    }
    bad = sum(tally.values()) - tally["collected"]
    return {**tally, "passed": max(0, tally["collected"] - bad)}


_JS_PART = re.compile(r"(\d+) (failed|passed|skipped|todo|pending)\b")
_JS_NAMES = {
    "failed": "failed",
    "passed": "passed",
    "skipped": "skipped",
    "todo": "skipped",
    "pending": "skipped",
}
_JEST_TESTS = re.compile(r"^Tests:\s+(.*\d+ total)$", re.MULTILINE)
_VITEST_TESTS = re.compile(r"^\s*Tests\s+(.*\(\d+\)|no tests)\s*$", re.MULTILINE)
_VITEST_SIGN = re.compile(r"^\s*(Test Files\s+\d|No test files found)", re.MULTILINE)


def _jest(text: str) -> Tally | None:
    if lines := _JEST_TESTS.findall(text):
        return _with_total(_sum(_JS_PART, lines[-1], _JS_NAMES))
    return {} if "Test Suites:" in text or "No tests found, exiting" in text else None


def _vitest(text: str) -> Tally | None:
    if lines := _VITEST_TESTS.findall(text):
        return _with_total(_sum(_JS_PART, lines[-1], _JS_NAMES))
    return {} if _VITEST_SIGN.search(text) else None


_MOCHA_PART = re.compile(r"^\s*(\d+) (passing|failing|pending)\b", re.MULTILINE)


def _mocha(text: str) -> Tally | None:
    if _MOCHA_PART.search(text) is None:
        return None
    names = {"passing": "passed", "failing": "failed", "pending": "skipped"}
    return _with_total(_sum(_MOCHA_PART, text, names))


_NODE_PART = re.compile(r"^(?:#|ℹ) (pass|fail|skipped|todo|cancelled) (\d+)$", re.MULTILINE)


def _node(text: str) -> Tally | None:
    parts = {name: int(number) for name, number in _NODE_PART.findall(text)}
    if "pass" not in parts or "fail" not in parts:
        return None
    tally = dict.fromkeys(FIELDS, 0)
    tally |= {"passed": parts["pass"], "failed": parts["fail"] + parts.get("cancelled", 0)}
    tally["skipped"] = parts.get("skipped", 0) + parts.get("todo", 0)
    return _with_total(tally)


_GO_TEST = re.compile(r"^\s*--- (PASS|FAIL|SKIP): ", re.MULTILINE)
_GO_PACKAGE = re.compile(r"^(ok  |FAIL|\?   )\t\S+(?:\t(.*))?", re.MULTILINE)


def _go(text: str) -> Tally | None:
    """Without -v, Go prints only failures: a package that is `ok` then counts as one test."""
    packages = _GO_PACKAGE.findall(text)
    if not packages:
        return None
    words = _GO_TEST.findall(text)
    passed = words.count("PASS")
    if not passed:
        passed = sum(how == "ok  " and "no tests to run" not in rest for how, rest in packages)
    tally = dict.fromkeys(FIELDS, 0)
    tally |= {"passed": passed, "failed": words.count("FAIL"), "skipped": words.count("SKIP")}
    return _with_total(tally)


_CARGO_END = re.compile(r"^test result: \w+\. (.*)$", re.MULTILINE)
_CARGO_PART = re.compile(r"(\d+) (passed|failed|ignored)\b")


def _cargo(text: str) -> Tally | None:
    lines = _CARGO_END.findall(text)
    if not lines:
        return {} if re.search(r"^error: could not compile", text, re.MULTILINE) else None
    names = {"passed": "passed", "failed": "failed", "ignored": "skipped"}
    return _with_total(_sum(_CARGO_PART, "\n".join(lines), names))


def _lines(*pairs: tuple[str, str]) -> Reasons:
    return tuple((re.compile(pattern, re.MULTILINE), words) for pattern, words in pairs)


# An exception of this kind stands where pytest names the reason of a failure: on its `E` lines,
# at the end of a traceback (`path:line: Name`), and in the short summary (`FAILED … - Name: `).
_PY_AT = r"^(?:E\s+|\S+:\d+: |(?:FAILED|ERROR) .* - )"
_PY_BROKEN = _lines(
    (_PY_AT + r"(?:SyntaxError|IndentationError|TabError)\b", "a test file is not valid Python"),
    (_PY_AT + r"(?:NameError|UnboundLocalError)\b", "a test uses a name that does not exist"),
    (r"^E\s+fixture '.*' not found", "a test asks for a fixture that does not exist"),
    (
        _PY_AT + r".*(?:ConnectionRefusedError|Connection refused)",
        "nothing answered where the application should be: the tests never reached it",
    ),
    (r"^ERROR: (?:usage|unrecognized|file or directory not found)", "pytest was called wrongly"),
)
_PY_MISSING = re.compile(_PY_AT + r"(?:ModuleNotFoundError|ImportError)\b", re.MULTILINE)
_UNITTEST_BROKEN = _lines(
    (r"^(?:SyntaxError|IndentationError|TabError):", "a test file is not valid Python"),
    (r"^(?:NameError|UnboundLocalError):", "a test uses a name that does not exist"),
    (r"Connection refused", "nothing answered where the application should be"),
)
_JS_BROKEN = _lines(
    (r"^\s*SyntaxError:|Transform failed with|Unexpected token", "a test file cannot be parsed"),
    (r"^\s*ReferenceError: ", "a test uses a name that does not exist"),
    (r"ECONNREFUSED", "nothing answered where the application should be"),
    (r"No tests? (?:files? )?found|Error: No test files found", "no test file was found"),
    (r"Your test suite must contain at least one test", "a test file holds no test"),
)
_JS_MISSING = re.compile(
    r"Cannot find (?:module|package)|Failed to (?:load url|resolve import)", re.MULTILINE
)
_JS_GAVE_UP = _lines((r"Test suite failed to run|Failed Suites \d", "a test file could not be run"))
BROKEN_ANYWHERE = _lines(
    (r"^\s*(?:SyntaxError|IndentationError)\b", "a file cannot be parsed"),
    (r"command not found|No such file or directory", "the test command was not found"),
)


def _js(runner: Runner, named: str, count: Callable[[str], Tally | None]) -> Dialect:
    return Dialect(
        runner=runner,
        named=re.compile(named),
        count=count,
        broken=_JS_BROKEN,
        missing=_JS_MISSING,
        gave_up=_JS_GAVE_UP,
    )


DIALECTS = (
    Dialect(
        runner=Runner.PYTEST,
        named=re.compile(r"\b(?:pytest|py\.test)\b"),
        count=_pytest,
        broken=_PY_BROKEN,
        missing=_PY_MISSING,
        # https://docs.pytest.org/en/stable/reference/exit-codes.html
        exits={
            2: "pytest was interrupted before the tests ran: a file could not be collected",
            3: "pytest itself failed",
            4: "pytest was called wrongly",
            5: "pytest collected no test",
        },
        only_errors_break=True,
    ),
    Dialect(
        runner=Runner.UNITTEST,
        named=re.compile(r"\bunittest\b"),
        count=_unittest,
        broken=_UNITTEST_BROKEN,
        missing=re.compile(r"^(?:ModuleNotFoundError|ImportError): ", re.MULTILINE),
        exits={5: "unittest found no test"},
    ),
    _js(Runner.VITEST, r"\bvitest\b", _vitest),
    _js(Runner.JEST, r"\bjest\b", _jest),
    _js(Runner.MOCHA, r"\bmocha\b", _mocha),
    _js(Runner.NODE, r"\bnode\b.*--test\b", _node),
    Dialect(
        runner=Runner.GO,
        named=re.compile(r"\bgo test\b"),
        count=_go,
        broken=(),
        gave_up=_lines((r"\[(?:build|setup) failed\]", "the tests do not compile")),
        missing=re.compile(r"no required module provides package|is not in std"),
    ),
    Dialect(
        runner=Runner.CARGO,
        named=re.compile(r"\bcargo (?:test|nextest)\b"),
        count=_cargo,
        broken=(),
        gave_up=_lines((r"^error: could not compile", "the tests do not compile")),
        missing=re.compile(r"^error\[E0(?:432|433|583)\]", re.MULTILINE),
    ),
)
