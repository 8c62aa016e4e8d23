"""The four checks. Three can be required by branch protection; the fourth carries the approval.

Limits by https://docs.github.com/rest/checks/runs: `summary` and `text` 65,535 characters each,
at most 3 buttons (label 20, description 40, identifier 20), shown on completed runs only, and 50
annotations a request, which a later request appends to: one request has to be enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.config.choices import ApprovalMode
from bot.domain import Phase, Status, Task, WaitFor
from bot.facts import Facts, Finding, Proof
from bot.workflow.neutral import cell, clip, fenced, neutralise, plain
from bot.workflow.report.failures import FAILURES, kept, next_step
from bot.workflow.report.progress import Row, State, rows, skipped
from bot.workflow.report.status import ask
from bot.workflow.report.view import View
from bot.workflow.report.words import TITLES, counted, joined, sha7

TASK, GUARDIAN, E2E, PRODUCTION = (
    "chimera / task",
    "chimera / guardian",
    "chimera / e2e",
    "chimera / production",
)
MAX_TEXT = 65_535
MAX_TITLE = 255
MAX_ANNOTATIONS = 50
MAX_MESSAGE = 4000
TRUNCATED = "\n\n… the rest is in the evidence."


class Run(StrEnum):
    """A check run's status."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class Conclusion(StrEnum):
    """How a completed one ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A person's press comes back with the identifier; `commands.BUTTONS` says what it means."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A remark at a line of the change."""

    path: str
    line: int
    level: str  #: failure, warning or notice
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPicture:
    """One check run as it should look; `conclusion` is None exactly while it is not completed."""

    name: str
    status: Run
    conclusion: Conclusion | None = None
    title: str
    summary: str
    text: str = ""
    annotations: tuple[Annotation, ...] = ()
    buttons: tuple[Button, ...] = ()


APPROVE = Button(
    label="Approve deploy", description="Let this commit into production", identifier="approve"
)
REJECT = Button(label="Reject", description="Do not deploy this change", identifier="reject")
RETRY = Button(label="Retry phase", description="Do this phase once more", identifier="retry")
HAND_OVER = Button(
    label="Hand to a human", description="Stop here; a person goes on", identifier="hand-over"
)

_LEVELS = {"blocker": "failure", "warning": "warning"}


def check_task(view: View) -> CheckPicture:
    """Green when the change is ready to merge: coded, reviewed, staged, validated.

    It never waits for the merge, for then it could not be required.
    """
    task, table = view.task, rows(view.task, view.journal)
    if _ready(task, table):
        return _completed(TASK, Conclusion.SUCCESS, "Ready to merge", _overview(table), table=table)
    return _unready(view, table)


def check_guardian(view: View) -> CheckPicture:
    """The review: findings as annotations."""
    table = rows(view.task, view.journal)
    row = table[Phase.GUARDIAN_REVIEW]
    if row.state in {State.PENDING, State.STOPPED}:
        return _not_begun(view, GUARDIAN, "the guardian's review")
    picture = _of_row(view, GUARDIAN, row)
    facts = view.task.facts
    if picture.status is not Run.COMPLETED:
        return picture
    picture = replace(picture, text=_bounded(_reviewed(facts)))
    if not facts.findings:
        return picture
    return replace(
        picture,
        summary=_bounded(neutralise(facts.review_summary, 8000) or picture.summary),
        annotations=_annotations(facts.findings),
    )


def check_e2e(view: View) -> CheckPicture:
    """The end-to-end tests on what was deployed, with the red run that came before."""
    row = rows(view.task, view.journal)[Phase.E2E_VALIDATION]
    if row.state in {State.PENDING, State.STOPPED}:
        return _not_begun(view, E2E, "the end-to-end tests on staging")
    proofs = (("Red before the change", view.task.facts.red), ("Now", view.task.facts.validation))
    logs = [_log(title, proof) for title, proof in proofs if proof is not None]
    return replace(_of_row(view, E2E, row), text=_bounded("\n\n".join(logs)))


def check_production(view: View) -> CheckPicture:
    """The approval, as a completed run with buttons; then the deployment."""
    task, table = view.task, rows(view.task, view.journal)
    row = table[Phase.PRODUCTION_DEPLOYMENT]
    if row.state in {State.PENDING, State.STOPPED}:
        return _not_begun(view, PRODUCTION, "a validated change")
    asked = task.wait is not None and task.wait.on is WaitFor.APPROVAL
    if task.status is Status.WAITING and asked:
        return _approval(view)
    return _of_row(view, PRODUCTION, row)


def foreign_check() -> CheckPicture:
    """`chimera / task` on a pull request or merge group that is not ours: never in the way."""
    text = "Nothing to check here: this check reports on Chimera's own pull requests."
    return _completed(TASK, Conclusion.SUCCESS, "Not a change by Chimera", text)


def left_check() -> CheckPicture:
    """The same on what people push to our branch after its task has ended: it is theirs now."""
    text = "The task of this branch has ended; what was pushed since is not Chimera's to judge."
    return _completed(TASK, Conclusion.SUCCESS, "Goes on without Chimera", text)


def group_check(task: Task) -> CheckPicture:
    """The same on a merge group that brings our own change in."""
    head = task.facts.head_sha
    if head and task.facts.validated_sha == head:
        text = f"`{sha7(head)}` of #{task.facts.pull} was reviewed, staged and validated."
        return _completed(TASK, Conclusion.SUCCESS, "Ready to merge", text)
    if task.status.ended:
        return left_check()
    text = f"#{task.facts.pull} is still being worked on; its own check says how far it is."
    return _completed(TASK, Conclusion.FAILURE, "Not validated yet", text)


# ── the states of a check ────────────────────────────────────────────────────────────────────


def _ready(task: Task, table: dict[Phase, Row]) -> bool:
    if task.phase is Phase.COMPLETE:
        return True
    validated = table[Phase.E2E_VALIDATION].state in {State.PASSED, State.SKIPPED}
    if not validated:
        return False
    return bool(task.facts.merge_sha) or not task.status.ended


def _unready(view: View, table: dict[Phase, Row]) -> CheckPicture:
    """What `chimera / task` shows on the way, and when it ended on the way."""
    task = view.task
    asked = ask(view)
    if asked:
        return _completed(TASK, Conclusion.ACTION_REQUIRED, _flat(asked), asked, table=table)
    match task.status:
        case Status.FAILED | Status.DEAD:
            return _failed(view, TASK, _why(view))
        case Status.CANCELLED:
            return _completed(TASK, Conclusion.CANCELLED, "Cancelled", _after(view), table=table)
        case Status.QUEUED:
            status, title = Run.QUEUED, "In the queue"
        case _:
            status, title = Run.IN_PROGRESS, _standing(task)
    return CheckPicture(name=TASK, status=status, title=title, summary=_overview(table))


def _standing(task: Task) -> str:
    if task.status is Status.WAITING and task.wait is not None:
        return plain(f"Waits: {task.wait.reason}", MAX_TITLE)
    return f"{TITLES[task.phase]} is running"


def _not_begun(view: View, name: str, what: str) -> CheckPicture:
    """Nothing spins once the task has ended.

    Not "skipped", which branch protection takes for a success, see
    https://docs.github.com/pull-requests/reference/status-checks.
    """
    if view.task.status.ended:
        text = f"The task ended before {what}."
        return _completed(name, Conclusion.CANCELLED, "Not reached", text)
    return CheckPicture(
        name=name, status=Run.QUEUED, title="Not begun", summary=f"Waits for {what}."
    )


def _of_row(view: View, name: str, row: Row) -> CheckPicture:
    said = cell(row.summary, 1000)
    title = plain(row.summary, MAX_TITLE)
    match row.state:
        case State.PASSED:
            return _completed(name, Conclusion.SUCCESS, title or "Passed", said or "Passed.")
        case State.SKIPPED:
            return _completed(name, Conclusion.SKIPPED, f"Skipped: {title}", f"Skipped: {said}")
        case State.FAILED:
            return _failed(view, name, title)
        case State.SENT_BACK:
            sent = _completed(name, Conclusion.FAILURE, title, f"{said}\n\nThe coder is at it.")
            return replace(sent, buttons=(RETRY, HAND_OVER))
        case State.WAITING if asked := ask(view):
            return _completed(name, Conclusion.ACTION_REQUIRED, _flat(asked), asked)
        case _:
            return CheckPicture(
                name=name,
                status=Run.IN_PROGRESS,
                title=_standing(view.task),
                summary=said or "Running.",
            )


def _approval(view: View) -> CheckPicture:
    asked = ask(view)
    merge_decides = view.config.deploy.production.approval is ApprovalMode.ON_MERGE
    title = "Waiting for the merge" if merge_decides else "Waiting for an approval"
    summary = f"{asked}\n\nAn approval counts for `{sha7(view.task.facts.head_sha)}` only."
    picture = _completed(PRODUCTION, Conclusion.ACTION_REQUIRED, title, summary)
    return replace(picture, buttons=(REJECT,) if merge_decides else (APPROVE, REJECT))


def _failed(view: View, name: str, title: str) -> CheckPicture:
    picture = _completed(name, Conclusion.FAILURE, title or "Failed", _after(view))
    return replace(picture, buttons=(RETRY, HAND_OVER))


def _completed(
    name: str,
    conclusion: Conclusion,
    title: str,
    summary: str,
    *,
    table: dict[Phase, Row] | None = None,
) -> CheckPicture:
    left_out = joined([TITLES[phase] for phase in skipped(table)]) if table is not None else ""
    note = f" · skipped: {left_out}" if left_out and conclusion is Conclusion.SUCCESS else ""
    return CheckPicture(
        name=name,
        status=Run.COMPLETED,
        conclusion=conclusion,
        title=clip(title + note, MAX_TITLE),
        summary=_bounded(summary),
    )


# ── their texts ──────────────────────────────────────────────────────────────────────────────


def _overview(table: dict[Phase, Row]) -> str:
    return "\n".join(
        f"- {TITLES[row.phase]}: {row.state.replace('_', ' ')}"
        + (f" ({cell(row.summary, 240)})" if row.summary else "")
        for row in table.values()
    )


def _why(view: View) -> str:
    return plain(view.task.summary or "Failed", MAX_TITLE)


def _after(view: View) -> str:
    """Cause, what was kept, what to do."""
    task = view.task
    told = FAILURES[task.cause].what if task.cause is not None and task.status.ended else ""
    why = " ".join(part for part in (told, cell(task.summary, 500)) if part)
    return f"{why}\n\n**Kept:** {kept(view)}\n\n**Next:** {next_step(task)}".strip()


def _reviewed(facts: Facts) -> str:
    """The findings; how closely tests were compared; and who let them become weaker."""
    allowed, compared = facts.weaker_tests_by, facts.tests_compared
    parts = [
        f"**Weaker tests were allowed** by {cell(allowed, 300)}." if allowed else "",
        _listed(facts.findings),
        f"Changed tests were compared: {compared}." if compared else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _listed(findings: Sequence[Finding]) -> str:
    return "\n".join(
        f"- **{cell(f.severity, 20)}** {cell(f.path, 300)}:{f.line}: {cell(f.body, 1000)}"
        for f in findings
    )


def _annotations(findings: Sequence[Finding]) -> tuple[Annotation, ...]:
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


def _log(title: str, proof: Proof) -> str:
    counts = f"{proof.passed} passed, {proof.failed} failed, {counted(proof.errors, 'error')}"
    head = f"### {title}: {counts}, exit code {proof.exit_code}"
    return f"{head}\n\n{fenced(proof.log, 20_000)}" if proof.log else head


def _bounded(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return text[: MAX_TEXT - len(TRUNCATED)] + TRUNCATED


def _flat(markdown: str) -> str:
    """A title has no markup."""
    return clip(markdown.replace("**", "").replace("`", ""), MAX_TITLE)
