"""What the pull request, its commits, its review and our answers in its threads say."""

from collections.abc import Sequence

from bot.domain import Cursor, Phase, Task
from bot.facts import Facts, Finding, Proof
from bot.workflow.neutral import cell, clip, fenced, harmless, neutralise, plain, quoted
from bot.workflow.report.marker import signed
from bot.workflow.report.status import MAX_BODY
from bot.workflow.report.view import View
from bot.workflow.report.words import counted, sha7

MAX_TITLE = 256  #: characters of a title, GitHub's limit
MAX_SUBJECT = 72  #: of a commit's first line, by custom
MAX_LOG = 4000  #: characters of each log in the body; the whole ones are in the evidence
MAX_TEMPLATE = 20_000
MAX_WHAT = 4000
MAX_FINDING = 4000
MAX_LISTED = 50
EVIDENCE, UNDO = "## Evidence", "## How to undo it"


def pull_title(task: Task, template: str) -> str:
    """The title from the configured template of `{issue}` and `{title}`, on one line."""
    filled = template.replace("{issue}", str(task.issue)).replace("{title}", task.title)
    return plain(filled, MAX_TITLE) or f"Change for {task.id}"


def merge_title(task: Task) -> str:
    """The first line of the merge commit: the wish and its pull request, as GitHub would have it.

    On the default branch a live `Fixes #12` in it would close an issue before production is
    validated.
    """
    return f"{plain(task.title, MAX_TITLE)} (#{task.facts.pull})"


def revert_title(task: Task) -> str:
    """Of the pull request that takes the change back, and of its commit."""
    return f"Revert: {plain(task.title, MAX_TITLE - len('Revert: '))}"


def pull_body(view: View, *, what: str = "", template: str = "") -> str:
    """What changed, its evidence, how to undo it; then the repository's own template.

    `what` are the coder's words.

    `Refs` and not `Fixes`: an issue is closed when production is validated, not when merged.
    """
    task = view.task
    about = f"Refs #{task.issue}" if task.issue else f"Task `{task.id}`"
    parts = [
        f"{signed(view.hmac_key, task.id, of='pull')}\n{about}",
        f"## What it is for\n\n{quoted(task.title, 300)}",
        f"## What changed\n\n{quoted(what, MAX_WHAT)}" if what else "",
        f"{EVIDENCE}\n\n{_evidence(task.facts)}",
        f"{UNDO}\n\n{_undo(task)}",
        harmless(template, MAX_TEMPLATE).strip(),
        f"<sub>task {task.id} · `/chimera help` · a review with comments goes to the coder</sub>",
    ]
    return clip("\n\n".join(part for part in parts if part), MAX_BODY)


def with_evidence(body: str, facts: Facts) -> str:
    """The body as people have left it, with the evidence of now; as it is, if they removed it."""
    before, found, rest = body.partition(EVIDENCE)
    _, undo, after = rest.rpartition(UNDO)
    if not (found and undo):
        return body
    return clip(f"{before}{EVIDENCE}\n\n{_evidence(facts)}\n\n{UNDO}{after}", MAX_BODY)


def commit_message(task: Task, *, at: Cursor, subject: str) -> str:
    """Subject, reference and trailers; equal for equal steps, so that the commit's SHA is, too.

    The person who asked on GitHub is the co-author, by GitHub's private address, which has their
    number in it: an API token's name would be some stranger's login. See
    https://docs.github.com/account-and-profile/reference/email-addresses-reference.
    """
    login = plain(task.requester, 100).replace("<", "").replace(">", "")
    trailers = list(step_trailers(task.id, at))
    if login and (number := task.facts.requester_id):
        trailers.append(f"Co-authored-by: {login} <{number}+{login}@users.noreply.github.com>")
    about = [f"Refs #{task.issue}"] if task.issue else []
    return "\n\n".join([plain(subject, MAX_SUBJECT), *about, "\n".join(trailers)]) + "\n"


def step_trailers(task_id: str, at: Cursor) -> tuple[str, ...]:
    """Which step made a commit."""
    return (
        f"Chimera-Task: {task_id}",
        f"Chimera-Phase: {at.phase}",
        f"Chimera-Attempt: {at.round}.{at.turn}",
    )


def review_body(summary: str, findings: Sequence[Finding], mark: str) -> str:
    """The guardian's one review of a head: its summary, and what has no line to stand on."""
    loose = [finding for finding in findings if finding.line <= 0]
    listed = [f"- {_finding(finding)}" for finding in loose[:MAX_LISTED]]
    if len(loose) > MAX_LISTED:
        listed.append(f"- … and {counted(len(loose) - MAX_LISTED, 'more remark')}")
    verdict = _verdict(findings)
    parts = [f"{mark}\n**Guardian:** {verdict}", quoted(summary, 8000) if summary else ""]
    return clip("\n\n".join(part for part in [*parts, "\n".join(listed)] if part), MAX_BODY)


def line_comment(finding: Finding) -> str:
    """A finding at its line."""
    return clip(f"**{cell(finding.severity, 20)}:** {neutralise(finding.body, MAX_FINDING)}", 8000)


def thread_reply(mark: str, text: str, sha: str) -> str:
    """What was done about a reviewer's thread, and the commit of that round."""
    commit = f"\n\nThe commit: {sha}" if sha else ""
    return clip(f"{mark}\n{neutralise(text, MAX_FINDING)}{commit}", MAX_BODY)


def _verdict(findings: Sequence[Finding]) -> str:
    blockers = sum(finding.severity == "blocker" for finding in findings)
    if blockers:
        return f"changes requested, {counted(blockers, 'blocker')}"
    return f"no blockers, {counted(len(findings), 'remark')}" if findings else "no remarks"


def _finding(finding: Finding) -> str:
    where = f" `{cell(finding.path, 300).replace('`', '')}`" if finding.path else ""
    return f"**{cell(finding.severity, 20)}**{where}: {cell(finding.body, MAX_FINDING)}"


def _evidence(facts: Facts) -> str:
    parts = []
    if facts.red is not None:
        parts.append(_proof("Red before", facts.red))
    parts.extend(_proof("Green after", proof) for proof in facts.green)
    return "\n\n".join(parts) if parts else "None yet."


def _proof(title: str, proof: Proof) -> str:
    counts = [
        counted(number, word) if word == "error" else f"{number} {word}"
        for number, word in (
            (proof.passed, "passed"),
            (proof.failed, "failed"),
            (proof.errors, "error"),
            (proof.skipped, "skipped"),
        )
        if number
    ]
    said = ", ".join([*counts, f"exit code {proof.exit_code}"])
    head = f"**{title}** at {sha7(proof.sha)}: {said}"
    command = fenced(proof.command, 500, "sh")
    log = fenced(proof.log, MAX_LOG) if proof.log else ""
    shown = "\n\n".join(part for part in (command, log) if part)
    title = "The command, and the end of its output"
    return f"{head}\n\n<details><summary>{title}</summary>\n\n{shown}\n\n</details>"


def _undo(task: Task) -> str:
    undo = "Revert the merge commit"
    if task.facts.rollback_sha and task.phase is not Phase.E2E_TEST_GENERATION:
        undo += f"; production was at {sha7(task.facts.rollback_sha)} before"
    return f"{undo}. After a deployment, `/chimera rollback` puts back what was live."
