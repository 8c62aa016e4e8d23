"""A test as text shows it, whatever its language; and which files hold tests."""

import re
from dataclasses import dataclass
from enum import StrEnum

from bot.workflow.globs import matches_any


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """One test. `asserts` holds what can fail; what is always true is not in it."""

    __test__ = False  # its name would make pytest collect it

    name: str  #: with the classes or `describe`s around it
    line: int
    asserts: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()  #: those of them under no condition; of Python's tests alone
    always_fails: int = 0  #: `assert False` and its like, not under a condition
    marks: int = 0  #: skips, xfails, todos: its own and those around it
    only: bool = False  #: keeps the other tests of the file from running
    swallows: int = 0  #: handlers that catch a failed assertion and go on
    cases: int = 1  #: parameter sets that are written out
    replaced: frozenset[str] = frozenset()  #: what it runs with a substitute for
    wrapped: frozenset[str] = frozenset()  #: decorators that are no test library's


#: Words in the names of what tests replace with good reason: it is not what they test.
_SURROUNDINGS = frozenset(
    [
        *("sys", "os", "fs", "path", "time", "datetime", "random", "secrets", "uuid", "locale"),
        *("getpass", "platform", "tempfile", "logging", "console", "process", "Math", "Date"),
        *("performance", "crypto", "localStorage", "sessionStorage"),
    ]
)


def is_surrounding(name: str) -> bool:
    """Whether a replaced thing is a clock, a console or the like, by its name."""
    return name != "sys.modules" and not _SURROUNDINGS.isdisjoint(re.split(r"[^\w$]+", name))


class Depth(StrEnum):
    """How closely a file is compared."""

    PYTHON = "in depth (pytest, unittest)"
    SCRIPT = "in depth (jest, vitest)"
    HASH = "by hash alone"
    NONE = "not a test"


def depth_of(path: str) -> Depth:
    """How closely the tests in `path` can be compared; by its name alone."""
    return next((depth for depth, globs in _GLOBS if matches_any(path, globs)), Depth.NONE)


_SCRIPTS = ("[jt]s", "[jt]sx", "[cm][jt]s")
_GLOBS = (
    (Depth.PYTHON, ("test*.py", "*_test.py")),
    (
        Depth.SCRIPT,
        (
            *(f"*.{kind}.{ext}" for kind in ("test", "spec") for ext in _SCRIPTS),
            *(f"__tests__/**/*.{ext}" for ext in _SCRIPTS),
        ),
    ),
    (
        Depth.HASH,
        (
            *("*_test.go", "*_spec.rb", "*Test.java", "*Test.kt", "*Tests.cs", "*_test.exs"),
            "*.snap",
            *(f"**/{folder}/**" for folder in ("tests", "test", "spec", "__tests__", "__mocks__")),
        ),
    ),
)
