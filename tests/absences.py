"""What this machine could not exercise is listed at the end, and in CI it is a failure.

A skip is silent; a suite that skips half of itself looks as green as one that ran. With
REQUIRE_ALL in the environment every absence fails the run.
"""

import os
from collections import Counter

import pytest

REQUIRE_ALL = "REQUIRE_ALL"
FAILED = 1  #: pytest's exit code for failed tests


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List every reason for a skip, and how many tests it left out."""
    reasons = Counter(_reason(report) for report in _skipped(terminalreporter))
    if not reasons:
        return
    terminalreporter.section("not exercised on this machine")
    for reason, number in sorted(reasons.items()):
        terminalreporter.line(f"{number:>4}  {reason}")
    if os.environ.get(REQUIRE_ALL):
        terminalreporter.line(f"{REQUIRE_ALL} is set: the run has failed", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that was asked to exercise everything and has not."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(REQUIRE_ALL) and reporter is not None and _skipped(reporter):
        session.exitstatus = max(FAILED, int(session.exitstatus))


def _skipped(reporter: pytest.TerminalReporter) -> list[pytest.TestReport | pytest.CollectReport]:
    return list(reporter.stats.get("skipped", []))


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The words of a skip; pytest keeps them as (file, line, "Skipped: words")."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return said.removeprefix("Skipped: ")
