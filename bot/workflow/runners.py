"""What a test runner's output says: how many tests ran, and whether a failure proves anything.

Pure: command, exit code and output in, `Counts` out. The exit code is the truth about green;
the counts tell an honest red (tests ran, and one of them said no) from a broken one.
"""

import re
from dataclasses import dataclass

from bot.workflow.dialects import BROKEN_ANYWHERE, DIALECTS, FIELDS, Dialect, Reasons, Runner, Tally

#: A closing line stands near the end; more than this is never looked at.
MAX_READ_CHARS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What one run of a test command counted. Where the runner is unknown, all counts are 0."""

    runner: Runner
    exit_code: int
    collected: int = 0  #: tests that the runner knew of; what it deselected is not in it
    passed: int = 0
    failed: int = 0
    errors: int = 0  #: tests, set-ups or files that broke rather than said no
    skipped: int = 0
    xfailed: int = 0  #: failed as expected; xpassed ones count as passed
    whole: bool = False  #: the runner came to its closing line, which all of this is from
    broken: str | None = None  #: in words, why this run proves nothing
    import_only: bool = False  #: `broken` is due to a missing module and nothing else

    @property
    def ran(self) -> int:
        """Tests whose body was executed."""
        return self.passed + self.failed + self.xfailed


def read_output(command: str, exit_code: int, output: str) -> Counts:
    """Count what `command` printed.

    `exit_code` is the shell's, or negative for a signal, as `subprocess` gives it. Output that no
    runner of ours would print gives `Runner.UNKNOWN`, unless the command names its runner.
    """
    text = _LONG.sub(r"\1", _ANSI.sub("", output[-MAX_READ_CHARS:])).replace("\r\n", "\n")
    dialect, tally = _recognise(command, text)
    runner = dialect.runner if dialect is not None else Runner.UNKNOWN
    broken, import_only = _why_broken(dialect, tally, exit_code, text)
    return Counts(
        runner=runner,
        exit_code=exit_code,
        whole="passed" in tally,
        broken=broken,
        import_only=import_only,
        **{name: tally.get(name, 0) for name in FIELDS},
    )


def why_not_red(counts: Counts, *, allow_import_red: bool = False) -> str | None:
    """Why this run on the unchanged base is no proof, or None for an honest red.

    `allow_import_red` accepts a test that fails because the module it asks for is not there yet:
    right for a library, whose new module *is* the feature; wrong for a served application.
    """
    if counts.exit_code == 0 and counts.skipped and not counts.passed:
        return f"no test passed or failed: {describe(counts)}"
    if counts.exit_code == 0:
        return "the tests pass on the unchanged base: there is nothing to do, or they test nothing"
    if counts.broken is not None and not (allow_import_red and counts.import_only):
        return counts.broken
    if counts.runner is Runner.UNKNOWN or counts.failed or counts.errors:
        return None
    return f"the command ended with {counts.exit_code}, but no test failed"


def describe(counts: Counts) -> str:
    """The counts in a few words: `2 failed, 1 passed`."""
    if counts.runner is Runner.UNKNOWN:
        return f"exit code {counts.exit_code}; the runner is unknown, so nothing was counted"
    named = {"errors": "broken", "xfailed": "failed as expected"}
    order = ("failed", "errors", "passed", "skipped", "xfailed")
    parts = [f"{n} {named.get(name, name)}" for name in order if (n := getattr(counts, name))]
    return ", ".join(parts) or "no test ran"


_LONG = re.compile(r"([^\n]{500})[^\n]+")  # what a runner says of itself is shorter
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _recognise(command: str, text: str) -> tuple[Dialect | None, Tally]:
    ordered = sorted(DIALECTS, key=lambda d: d.named.search(command) is None)
    for dialect in ordered:
        if (tally := dialect.count(text)) is not None:
            return dialect, tally
    named = ordered[0]
    return (named if named.named.search(command) else None), {}


def _why_broken(
    dialect: Dialect | None, tally: Tally, exit_code: int, text: str
) -> tuple[str | None, bool]:
    """The reason in words, and whether a missing module is all of it."""
    if exit_code == 0:
        return None, False
    if (reason := _stopped(exit_code)) is not None:
        return reason, False
    if dialect is None:
        found = _first(BROKEN_ANYWHERE, text)
        return found, False
    reason = _first(dialect.broken, text)
    if dialect.missing.search(text):
        return "a module that the tests import is not there", reason is None
    reason = reason or _first(dialect.gave_up, text) or dialect.exits.get(exit_code)
    if reason is None and not any(tally.get(name) for name in FIELDS):
        reason = f"{dialect.runner} counted no test: it did not get as far as running one"
    if reason is None and dialect.only_errors_break and not tally.get("failed"):
        reason = "the tests broke before they could assert anything"
    return reason, False


def _stopped(exit_code: int) -> str | None:
    match exit_code:
        case 124:
            return "the tests were stopped because their time ran out"
        case 126 | 127:
            return "the test command was not found, or cannot be executed"
        case code if code < 0 or 128 < code < 160:
            return f"the tests were killed by signal {-code if code < 0 else code - 128}"
        case _:
            return None


def _first(table: Reasons, text: str) -> str | None:
    return next((words for pattern, words in table if pattern.search(text)), None)
