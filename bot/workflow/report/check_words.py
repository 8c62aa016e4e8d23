"""What stands in a check: its texts, its remarks beside lines, its buttons.

Limits by https://docs.github.com/rest/checks/runs: `summary` and `text` 65,535 characters each,
at most 3 buttons (label 20, description 40, identifier 20), shown on completed runs only, and 50
annotations a request, which a later request appends to: one request has to be enough.
"""

from collections.abc import Mapping, Sequence

from bot.domain import Phase, Status, Task
from bot.facts import Facts, Finding, Proof
from bot.github.types import Annotation, Button
from bot.workflow.neutral import cell, clip, fenced, plain
from bot.workflow.report.failures import kept, next_step, why
from bot.workflow.report.progress import Row
from bot.workflow.report.view import View
from bot.workflow.report.words import TITLES, counted

MAX_TEXT = 65_535
MAX_TITLE = 255
MAX_ANNOTATIONS = 50
MAX_MESSAGE = 4000
TRUNCATED = "\n\n… the rest is in the evidence."

#: A person's press comes back with the identifier; `commands.BUTTONS` says what it means.
APPROVE = Button(
    label="Approve deploy", description="Let this commit into production", identifier="approve"
)
REJECT = Button(label="Reject", description="Do not deploy this change", identifier="reject")
RETRY = Button(label="Retry phase", description="Do this phase once more", identifier="retry")
HAND_OVER = Button(
    label="Hand to a human", description="Stop here; a person goes on", identifier="hand-over"
)

_LEVELS = {"blocker": "failure", "warning": "warning"}


def overview(table: Mapping[Phase, Row]) -> str:
    """A line for each phase."""
    return "\n".join(
        f"- {TITLES[row.phase]}: {row.state.replace('_', ' ')}"
        + (f" ({cell(row.summary, 240)})" if row.summary else "")
        for row in table.values()
    )


def standing(task: Task) -> str:
    """A title for what is under way."""
    if task.status is Status.WAITING and task.wait is not None:
        return flat(plain(f"Waits: {task.wait.reason}", MAX_TITLE))
    return f"{TITLES[task.phase]} is running"


def after(view: View) -> str:
    """Of an ended task: cause, what was kept, what to do."""
    task = view.task
    return f"{why(task)}\n\n**Kept:** {kept(view)}\n\n**Next:** {next_step(task)}"


def reviewed(facts: Facts) -> str:
    """The findings; how closely tests were compared; and who let them become weaker."""
    allowed, compared = facts.weaker_tests_by, facts.tests_compared
    parts = [
        f"**Weaker tests were allowed** by {cell(allowed, 300)}." if allowed else "",
        _listed(facts.findings),
        f"Changed tests were compared: {compared}." if compared else "",
    ]
    return bounded("\n\n".join(part for part in parts if part))


def annotations(findings: Sequence[Finding]) -> tuple[Annotation, ...]:
    """The remarks that have a line."""
    placed = [finding for finding in findings if finding.path and finding.line > 0]
    return tuple(
        Annotation(
            path=finding.path,
            line=finding.line,
            level=_LEVELS.get(finding.severity, "notice"),
            message=plain(finding.body, MAX_MESSAGE) or finding.severity,
        )
        for finding in placed[:MAX_ANNOTATIONS]
    )


def log(title: str, proof: Proof) -> str:
    """A test run: its counts, and the end of its output."""
    counts = f"{proof.passed} passed, {proof.failed} failed, {counted(proof.errors, 'error')}"
    head = f"### {title}: {counts}, exit code {proof.exit_code}"
    return f"{head}\n\n{fenced(proof.log, 20_000)}" if proof.log else head


def bounded(text: str) -> str:
    """At most what GitHub takes, with a word about what is missing."""
    if len(text) <= MAX_TEXT:
        return text
    return text[: MAX_TEXT - len(TRUNCATED)] + TRUNCATED


def flat(markdown: str) -> str:
    """The words as a title, which GitHub shows as it is written: without markup."""
    return clip(markdown.replace("**", "").replace("`", ""), MAX_TITLE)


def _listed(findings: Sequence[Finding]) -> str:
    return "\n".join(
        f"- **{cell(f.severity, 20)}** {cell(f.path, 300)}:{f.line}: {cell(f.body, 1000)}"
        for f in findings
    )
