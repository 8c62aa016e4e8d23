"""The four checks, and which state each is in. Three can be required by branch protection; the
fourth carries the approval.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.config.choices import ApprovalMode
from bot.domain import Phase, Status, Task, WaitFor
from bot.github.types import Button, Check, CheckStatus, Conclusion
from bot.workflow.neutral import cell, neutralise, plain
from bot.workflow.report import check_words as words
from bot.workflow.report.check_words import APPROVE, HAND_OVER, MAX_TITLE, REJECT, RETRY
from bot.workflow.report.progress import Row, State, rows, skipped
from bot.workflow.report.status import WAITING_FOR_YOU, ask
from bot.workflow.report.view import View
from bot.workflow.report.words import TITLES, joined, sha7

TASK, GUARDIAN, E2E, PRODUCTION = (
    "chimera / task",
    "chimera / guardian",
    "chimera / e2e",
    "chimera / production",
)

#: Waits that end when the phase is tried again.
_RETRIED = frozenset({WaitFor.DECISION, WaitFor.CONFIGURATION, WaitFor.ACCESS})
_UNTOUCHED = frozenset({State.PENDING, State.STOPPED})


def check_task(view: View) -> Check:
    """Green when the change is ready to merge: coded, reviewed, staged, validated.

    It never waits for the merge, for then it could not be required.
    """
    table = rows(view.task, view.journal)
    return _ready(table) if _is_ready(view.task, table) else _unready(view, table)


def check_guardian(view: View) -> Check:
    """The review: findings as annotations."""
    row = rows(view.task, view.journal)[Phase.GUARDIAN_REVIEW]
    check, facts = _of_row(view, row, "the guardian's review"), view.task.facts
    if row.state in _UNTOUCHED or check.status is not CheckStatus.COMPLETED:
        return check
    check = replace(check, text=words.reviewed(facts))
    if not facts.findings:
        return check
    return replace(
        check,
        summary=words.bounded(neutralise(facts.review_summary, 8000) or check.summary),
        annotations=words.annotations(facts.findings),
    )


def check_e2e(view: View) -> Check:
    """The end-to-end tests on what was deployed, with the red run that came before."""
    row, facts = rows(view.task, view.journal)[Phase.E2E_VALIDATION], view.task.facts
    check = _of_row(view, row, "the end-to-end tests on staging")
    if row.state in _UNTOUCHED:
        return check
    proofs = (("Red before the change", facts.red), ("Now", facts.validation))
    logs = [words.log(title, proof) for title, proof in proofs if proof is not None]
    return replace(check, text=words.bounded("\n\n".join(logs)))


def check_production(view: View) -> Check:
    """The approval, as a completed run with buttons; then the deployment."""
    row, wait = rows(view.task, view.journal)[Phase.PRODUCTION_DEPLOYMENT], view.task.wait
    if row.state is State.WAITING and wait is not None and wait.on is WaitFor.APPROVAL:
        return _approval(view)
    check = _of_row(view, row, "the deployment to production")
    if row.state is State.SENT_BACK:  # nothing was deployed, so nothing has failed here
        return replace(check, conclusion=Conclusion.NEUTRAL, buttons=())
    return check


Draw = Callable[[View], Check]

CHECKS: Mapping[str, Draw] = {
    TASK: check_task,
    GUARDIAN: check_guardian,
    E2E: check_e2e,
    PRODUCTION: check_production,
}
"""By name, what each check says of a task."""


# ── on commits that are no task's own ────────────────────────────────────────────────────────


def foreign_check() -> Check:
    """`chimera / task` on a pull request or merge group that is not ours: never in the way."""
    text = "Nothing to check here: this check reports on Chimera's own pull requests."
    return _completed(Conclusion.SUCCESS, "Not a change by Chimera", text)


def left_check() -> Check:
    """The same on what people push to our branch after its task has ended: it is theirs now."""
    text = "The task of this branch has ended; what was pushed since is not Chimera's to judge."
    return _completed(Conclusion.SUCCESS, "Goes on without Chimera", text)


def group_check(task: Task) -> Check:
    """The same on a merge group that brings our own change in."""
    head = task.facts.head_sha
    if head and task.facts.validated_sha == head:
        text = f"`{sha7(head)}` of #{task.facts.pull} was reviewed, staged and validated."
        return _completed(Conclusion.SUCCESS, "Ready to merge", text)
    if task.status.ended:
        return left_check()
    text = f"#{task.facts.pull} is still being worked on; its own check says how far it is."
    return _completed(Conclusion.FAILURE, "Not validated yet", text)


# ── the states of a check ────────────────────────────────────────────────────────────────────


def _is_ready(task: Task, table: Mapping[Phase, Row]) -> bool:
    if task.phase is Phase.COMPLETE:
        return True
    validated = table[Phase.E2E_VALIDATION].state in {State.PASSED, State.SKIPPED}
    if not validated:
        return False
    return bool(task.facts.merge_sha) or not task.status.ended


def _ready(table: Mapping[Phase, Row]) -> Check:
    left_out = joined([TITLES[phase] for phase in skipped(table)])
    note = f" · skipped: {left_out}" if left_out else ""
    return _completed(Conclusion.SUCCESS, f"Ready to merge{note}", words.overview(table))


def _unready(view: View, table: Mapping[Phase, Row]) -> Check:
    """What `chimera / task` shows on the way, and when it ended on the way."""
    task = view.task
    if asked := ask(view):
        return _asked(view, asked)
    match task.status:
        case Status.FAILED | Status.DEAD:
            return _failed(view, task.summary)
        case Status.CANCELLED:
            return _completed(Conclusion.CANCELLED, "Cancelled", words.after(view))
        case Status.QUEUED:
            status, title = CheckStatus.QUEUED, "In the queue"
        case _:
            status, title = CheckStatus.IN_PROGRESS, words.standing(task)
    return Check(status=status, title=title, summary=words.overview(table))


def _of_row(view: View, row: Row, what: str) -> Check:
    """What the check of one phase shows; `what` is the phase in words."""
    said, title = cell(row.summary, 1000), plain(row.summary, MAX_TITLE)
    match row.state:
        case State.PENDING:
            return _not_begun(view, what)
        case State.STOPPED:
            return _completed(Conclusion.CANCELLED, "Cancelled", words.after(view))
        case State.PASSED:
            return _completed(Conclusion.SUCCESS, title or "Passed", said or "Passed.")
        case State.SKIPPED:
            return _completed(Conclusion.SKIPPED, f"Skipped: {title}", f"Skipped: {said}")
        case State.FAILED:
            return _failed(view, title)
        case State.SENT_BACK:
            return _sent_back(view, title, said)
        case State.WAITING if asked := ask(view):
            return _asked(view, asked)
        case State.WAITING | State.RUNNING:
            going = words.standing(view.task)
            return Check(status=CheckStatus.IN_PROGRESS, title=going, summary=said or "Running.")


def _not_begun(view: View, what: str) -> Check:
    """Nothing spins once the task has ended.

    Not "skipped", which branch protection takes for a success, see
    https://docs.github.com/pull-requests/reference/status-checks.
    """
    if view.task.status.ended:
        text = f"The task ended before {what}."
        return _completed(Conclusion.CANCELLED, "Not reached", text)
    return Check(status=CheckStatus.QUEUED, title="Not begun", summary=f"Still to come: {what}.")


def _sent_back(view: View, title: str, said: str) -> Check:
    text = f"{said}\n\nThe work was sent back; `{TASK}` says how it goes on."
    over = view.task.status.ended
    return _completed(Conclusion.FAILURE, title, text, *(() if over else (HAND_OVER,)))


def _asked(view: View, asked: str) -> Check:
    """A person is needed, and for nothing that a button of `chimera / production` answers."""
    retried = view.task.wait is not None and view.task.wait.on in _RETRIED
    text = f"{WAITING_FOR_YOU}{asked}"
    buttons = (RETRY,) if retried else ()
    return _completed(Conclusion.ACTION_REQUIRED, text, text, *buttons)


def _approval(view: View) -> Check:
    asked = f"{WAITING_FOR_YOU}{ask(view)}"
    if view.config.deploy.production.approval is ApprovalMode.ON_MERGE:
        return _completed(Conclusion.ACTION_REQUIRED, "Waiting for the merge", asked, REJECT)
    text = f"{asked}\n\nAn approval counts for `{sha7(view.task.facts.head_sha)}` only."
    title = "Waiting for an approval"
    return _completed(Conclusion.ACTION_REQUIRED, title, text, APPROVE, REJECT)


def _failed(view: View, title: str) -> Check:
    said = plain(title, MAX_TITLE) or "Failed"
    return _completed(Conclusion.FAILURE, said, words.after(view), RETRY, HAND_OVER)


def _completed(conclusion: Conclusion, title: str, summary: str, *buttons: Button) -> Check:
    return Check(
        status=CheckStatus.COMPLETED,
        conclusion=conclusion,
        title=words.flat(title),
        summary=words.bounded(summary),
        buttons=buttons,
    )
