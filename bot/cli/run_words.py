"""What `chimera run` says: steps as they come, then the result, and its exit code."""

from typing import Any

from bot.cli.talk import say
from bot.domain import JournalLine, Phase, Status, Task, WaitFor
from bot.errors import ConfigError
from bot.facts import Proof
from bot.web.phases import task_detail
from bot.workflow.local_run import LocalRun, Teller
from bot.workflow.report.words import TITLES, duration, hanging

_ADVICE = {
    WaitFor.CONFIGURATION: "Mend this, commit it (or change the file given as --config), and run "
    "again.",
    WaitFor.DECISION: "Look at it, say more in --feature, and run again.",
    WaitFor.BUDGET: "The budget is used up: raise limits.cost_usd or limits.tokens, and run again.",
}


def teller() -> Teller:
    """Tells steps on standard error."""
    return Teller(starts=_starts, enters=_enters, records=told)


def rows(done: LocalRun) -> list[tuple[str, str]]:
    """The result for people."""
    task, facts = done.task, done.task.facts
    green = "; the whole suite: ".join(_counts(proof) for proof in facts.green)
    return [
        ("status", task.status.value),
        ("said", task.summary if task.status is not Status.COMPLETED else ""),
        ("branch", facts.branch if facts.head_sha else ""),
        ("tests", _commit(facts.test_sha, f"{_counts(facts.red)} without the change")),
        ("code", _commit(_code(task), f"with it: {green}")),
        ("evidence", _commit(done.evidence_sha, f".chimera/{task.id}.json")),
        ("transcripts", str(done.record)),
        *(("skipped", entry) for entry in facts.skipped),
        ("cage", done.cage),
    ]


def document(done: LocalRun) -> dict[str, Any]:
    """The result for programs."""
    task, facts = done.task, done.task.facts
    return {
        "task": task_detail(task, done.journal, position=None).model_dump(mode="json"),
        "journal": [_line(line) for line in done.journal],
        "skipped": [entry.partition(":")[0] for entry in facts.skipped],
        "skipped_because": list(facts.skipped),
        "commits": {
            "base": facts.base_sha,
            "tests": facts.test_sha,
            "code": _code(task),
            "evidence": done.evidence_sha,
        },
        "red": _proof(facts.red),
        "green": [_proof(proof) for proof in facts.green],
        "validation": _proof(facts.validation),
        "evidence_commit": done.evidence_sha,
        "transcripts": str(done.record),
        "cage": done.cage,
    }


def next_step(task: Task) -> str | None:
    """What to do now; None where the result says it all."""
    facts = task.facts
    if task.status is Status.COMPLETED:
        return f"Look at it: git log -p {facts.base_ref}..{facts.branch}"
    if task.wait is not None:
        return _ADVICE.get(task.wait.on)
    if facts.head_sha:
        return f"What was made is kept: git log -p {facts.base_ref}..{facts.branch}"
    return None


def exit_code(task: Task) -> int:
    """0 for a finished branch, 78 where a configuration has to be mended, else 1."""
    if task.status is Status.COMPLETED:
        return 0
    waits_for = task.wait.on if task.wait is not None else None
    return ConfigError.exit_code if waits_for is WaitFor.CONFIGURATION else 1


def _starts(branch: str, sha: str) -> None:
    say(f"  on {branch} at {sha[:7]}; uncommitted changes are left out")


def _enters(phase: Phase) -> None:
    say(f"  {TITLES[phase]:<16} …")


def told(line: JournalLine) -> None:
    """Tell one step on standard error."""
    lead = f"  {TITLES[line.phase]:<16} {line.outcome:<5} {duration(line.seconds):>7}  "
    say(hanging(lead, line.summary))


def _code(task: Task) -> str:
    """The commit of the change; the head is the tests' own until there is one."""
    facts = task.facts
    return facts.head_sha if facts.head_sha != facts.test_sha else ""


def _commit(sha: str, said: str) -> str:
    return f"{sha[:7]}  {said}" if sha else ""


def _counts(proof: Proof | None) -> str:
    if proof is None:
        return ""
    named = (("failed", proof.failed), ("broken", proof.errors), ("passed", proof.passed))
    counted = ", ".join(f"{number} {name}" for name, number in named if number)
    return counted or f"exit code {proof.exit_code}"


def _line(line: JournalLine) -> dict[str, Any]:
    return {
        "phase": line.phase.value,
        "verdict": line.outcome.value,
        "cause": line.cause.value if line.cause is not None else None,
        "summary": line.summary,
        "seconds": round(line.seconds, 3),
    }


def _proof(proof: Proof | None) -> dict[str, Any] | None:
    if proof is None:
        return None
    return {
        "command": proof.command,
        "sha": proof.sha,
        "exit_code": proof.exit_code,
        "passed": proof.passed,
        "failed": proof.failed,
        "errors": proof.errors,
        "skipped": proof.skipped,
        "log": proof.log,
    }
